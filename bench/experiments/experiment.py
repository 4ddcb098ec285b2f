"""Experiment files: what to generate, with whom, and what to score."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bench.agents.interview import QUESTIONS
from bench.agents.styles import PLANNED
from bench.backbones.structured import faults
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.core.yaml_lines import Location, read_yaml
from bench.knowledge.library import Library
from bench.records.dialogue import FormatName
from bench.students.settings import CURVE, TrainSettings


class Choice(Model):
    """A plug-in by name, with its options."""

    name: str
    """Name as `pzbench list` shows it; for a backbone its full name, "openai/gpt-4o"."""
    label: str = Field(default_factory=lambda given: str(given["name"]), min_length=1)
    """What it is called in files and tables, its name if not said; tells two of one name apart."""
    options: dict[str, Any] = {}
    """Keyword arguments of the plug-in."""


def parse_choice(text: str) -> Choice:
    """A plug-in as the command line names it: "bleu" or "bleu:view=values,as=bleu-values".

    Raises:
        UserError: for an option without a value.
    """
    name, _, listed = text.partition(":")
    options: dict[str, Any] = {}
    for part in filter(None, listed.split(",")):
        option, sign, value = part.partition("=")
        if not sign:
            raise UserError(f"{text!r}: the option {option!r} needs a value, as in {option}=VALUE")
        try:
            options[option.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"{text!r}: the value of {option!r} is not YAML") from error
    label = {"label": str(options.pop("as"))} if "as" in options else {}
    return Choice(name=name, options=options, **label)


def _choice(value: object) -> object:
    """ "bleu" or {name: bleu, as: bleu-values, view: values}: options stand beside the name."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and "name" in value and "options" not in value:
        options = {key: given for key, given in value.items() if key not in ("name", "as")}
        label = {"label": value["as"]} if "as" in value else {}
        return {"name": value["name"], **label, "options": options}
    return value


def _list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


Chosen = Annotated[Choice, BeforeValidator(_choice)]
Choices = Annotated[tuple[Chosen, ...], BeforeValidator(_list)]


class Roles(Model):
    """Who answers."""

    generator: Annotated[Choices, Field(min_length=1)]
    """One backbone or several; every method is run with each."""
    judge: Chosen | None = None
    """Backbone that judges accuracy."""
    scorer: Chosen | None = None
    """Causal LM whose log-probabilities make GPTScore."""
    patient: Chosen | None = None
    """Backbone of the patient agents; none for the one that wrote their records."""
    doctor: Chosen | None = None
    """Backbone of the doctor agent; none for the patient's."""
    triplets: Chosen | None = None
    """Backbone that labels replies against memory; none for the patient's."""
    rater: Chosen | None = None
    """Backbone that rates dialogues."""
    student: Chosen | None = None
    """Backbone that practises and sits the exam; none for the one that wrote the records."""

    def talking(self, writer: Choice | None) -> dict[str, Choice]:
        """Who is patient, doctor and labeller where `writer` wrote the records.

        Raises:
            UserError: if no model wrote them and no patient is named.
        """
        patient = self.patient or writer
        if patient is None:
            raise UserError(
                "the records are written by no model, so nobody is named for the role 'patient': "
                "add --patient BACKBONE, or `patient:` under `roles` in the experiment file"
            )
        return {
            "patient": patient,
            "doctor": self.doctor or patient,
            "triplets": self.triplets or patient,
        }

    def named(self) -> dict[str, Choice]:
        """Every role that one backbone fills for the whole experiment."""
        chosen = {role: getattr(self, role) for role in type(self).model_fields}
        return {role: choice for role, choice in chosen.items() if isinstance(choice, Choice)}


TALKING = ("patient", "doctor", "triplets")
"""Roles that make dialogues."""
Interaction = Literal["single-with", "single-without", "cross-with", "cross-without"]
"""One round or two, with or without memory update."""


class Interviews(Model):
    """Dialogues with the patients of an experiment (paper section 4.3)."""

    patients_per_department: int = Field(default=10, gt=0)
    """The first so many records of each department are interviewed."""
    questions: int = Field(default=QUESTIONS, gt=0)
    """Questions of each round."""
    formats: tuple[FormatName, ...] = Field(default=("json", "text", "atomic"), min_length=1)
    """How the patients hold their records; each is interviewed with every one."""
    interactions: tuple[Interaction, ...] = Field(
        default=("single-with", "cross-without", "cross-with"), min_length=1
    )
    """Rounds and memory update; each patient is interviewed in every one."""
    triplets: str = "batched"
    """Triplet engine: "batched", "per-fact" or "nli/MODEL"."""
    updating: Literal["strict", "algorithm"] = "strict"
    """What "with" memory update means: a new fact is neutral to all, or contradicts none."""
    decomposition: Literal["rules", "model"] = "rules"
    """Who takes a record apart into facts: rules by its fields, or the patient's model."""
    styles: tuple[str, ...] = Field(default=PLANNED, min_length=1)
    """Styles dealt to the patients in turn, over all departments, the same for every format."""

    @model_validator(mode="after")
    def _told_apart(self) -> "Interviews":
        for setting in ("formats", "interactions", "styles"):
            _unique(f"dialogues.{setting}", list(getattr(self, setting)))
        return self

    def asked(self, *interactions: Interaction) -> tuple[str, ...]:
        """The roles that talk or label in some interactions; in all if none are given."""
        updated = any(one.endswith("-with") for one in interactions or self.interactions)
        labelled = updated and not self.triplets.startswith("nli/")
        return TALKING if labelled else ("patient", "doctor")


ZERO_SHOT = "zero-shot"
"""The condition of a student who practised on nothing."""
MEDQA = "medqa-accuracy"
"""What the scores of an exam are called."""


class Exam(Model):
    """MedQA questions to students, untrained and trained on each method's records (paper 4.4)."""

    questions: str | None = None
    """File or folder, "hub:OWNER/NAME@REVISION" or "sample"; none for what PZBENCH_MEDQA names."""
    labels: Path | None = None
    """Departments given by `pzbench medqa classify`, for questions that the audited list lacks."""
    include_borderline: bool = False
    """Whether questions count that may as well belong elsewhere."""
    cases: int = Field(default=10, gt=0)
    """Patients of each department to practise on; the same for every method."""
    k_cases: int = Field(default=3, ge=0)
    """Solved cases shown with a question, at most."""
    k_rules: int = Field(default=4, ge=0)
    """Rules shown with a question, at most."""
    budget: int = Field(default=600, ge=0)
    """Words of memory shown with a question, at most."""
    curve: tuple[Annotated[int, Field(gt=0)], ...] = CURVE
    """Numbers of patients after which all questions are put, too."""
    guard: bool = True
    """Whether records that are nearly test questions are left out; they are reported anyway."""
    digest: str | None = None
    """sha256 of the questions, which a run fills in; questions of another are refused."""

    @model_validator(mode="after")
    def _told_apart(self) -> "Exam":
        _unique("medqa.curve", list(map(str, self.curve)))
        return self

    def training(self, condition: str, cases: int, seed: int) -> TrainSettings:
        """How a student is trained on so many patients."""
        return TrainSettings(
            cases=cases,
            k_cases=self.k_cases,
            k_rules=self.k_rules,
            budget=self.budget,
            seed=seed,
            condition=condition,
            curve=self.curve,
        )


class Experiment(Model):
    """One experiment: a grid of backbones and methods over the same cases, and its metrics."""

    name: str = Field(min_length=1)
    """What it is called in tables."""
    seed: int = 0
    """Seed of the planned cases and all that is drawn for them."""
    departments: tuple[str, ...] = Field(min_length=1)
    """Departments, or ["all"]."""
    cases_per_department: int = Field(gt=0)
    """Planned cases of each department."""
    methods: Annotated[Choices, Field(min_length=1)]
    """Generators."""
    roles: Roles
    dialogues: Interviews | None = None
    """Dialogues to hold with the patients; none for records alone."""
    medqa: Exam | None = None
    """Exam of students trained on the records; none for no exam."""
    metrics: Choices = ()
    """Metrics, in the order of the tables' columns."""
    tables: tuple[str, ...] = ("rows",)
    """Tables to make."""
    encoder: str | None = None
    """Path or hub id of the text encoder; none for the packaged all-MiniLM-L6-v2."""
    knowledge: Annotated[tuple[Path, ...], BeforeValidator(_list)] = ()
    """Folders of outlines that extend the built-in ones, or replace those of the same id."""
    drafts: bool = False
    """Whether outlines that nobody has approved yet may be used."""

    @model_validator(mode="after")
    def _told_apart(self) -> "Experiment":
        for setting, choices in (
            ("methods", self.methods),
            ("roles.generator", self.roles.generator),
            ("metrics", self.metrics),
        ):
            _unique(setting, [choice.label for choice in choices], "; tell them apart with `as:`")
        _unique("departments", list(self.departments))
        _unique("tables", list(self.tables))
        return self

    @model_validator(mode="after")
    def _interviewed(self) -> "Experiment":
        if self.dialogues is None:
            return self
        if len(self.methods) > 1:
            raise ValueError("dialogues are held with the patients of one method: name one")
        patients = self.dialogues.patients_per_department
        if patients > self.cases_per_department:
            raise ValueError(
                f"dialogues.patients_per_department is {patients}, but there are only "
                f"{self.cases_per_department} cases_per_department"
            )
        return self

    @model_validator(mode="after")
    def _examined(self) -> "Experiment":
        if self.medqa is None:
            return self
        if self.medqa.cases > self.cases_per_department:
            raise ValueError(
                f"medqa.cases is {self.medqa.cases}, but there are only "
                f"{self.cases_per_department} cases_per_department"
            )
        for setting, choices, taken in (
            ("methods", self.methods, ZERO_SHOT),
            ("metrics", self.metrics, MEDQA),
        ):
            if taken in (choice.label for choice in choices):
                raise ValueError(f"{setting} names {taken!r}, which the exam has; use `as:`")
        return self

    def departments_of(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """The departments it names, out of those there are."""
        return known if self.departments == ("all",) else self.departments

    def library(self) -> Library:
        """The disease knowledge it names."""
        return Library(*self.knowledge, drafts=self.drafts)

    @property
    def offline(self) -> bool:
        """Whether nobody but the embedded stand-in is asked."""
        chosen = (*self.roles.generator, *self.roles.named().values())
        local = self.dialogues is None or not self.dialogues.triplets.startswith("nli/")
        return local and all(choice.name == "rules" for choice in chosen)


def experiment_from(data: Mapping[str, Any]) -> Experiment:
    """The experiment in parsed data.

    Raises:
        UserError: naming the setting at fault.
    """
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        raise UserError(_sentence(error) or faults(error, most=1)) from error


def _sentence(error: ValidationError) -> str | None:
    """What we say ourselves of settings that do not go together; it names them."""
    said = error.errors(include_url=False, include_input=False)[0]["msg"]
    _, ours, sentence = said.partition("Value error, ")
    return sentence if ours else None


def load_experiment(path: Path) -> Experiment:
    """The experiment in a YAML file.

    Raises:
        UserError: naming the file and the line at fault.
    """
    file = read_yaml(path, "the experiment file")
    try:
        made = Experiment.model_validate(file.data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A misspelt setting is told before the one that is missing for it.
        first = min(found, key=lambda fault: fault["type"] != "extra_forbidden")
        sentence = _sentence(error)
        if first is found[0] and sentence:
            raise UserError(f"{path}, line {file.line(first['loc'])}: {sentence}") from error
        raise UserError(
            f"{file.place(first['loc'])}: {_fault(first['loc'], first['msg'])}"
        ) from error
    exam = made.medqa
    # Only a curve that somebody wrote: the default goes as far as it can.
    last = max(exam.curve, default=0) if exam and "curve" in exam.model_fields_set else 0
    if exam and last > exam.cases:
        raise UserError(
            f"{file.place(('medqa', 'curve'))}: {last} is more than the {exam.cases} "
            "patients of each department to practise on (medqa.cases)"
        )
    return made


def _fault(location: Location, message: str) -> str:
    """A validation fault; a misspelt setting with the nearest there is."""
    if not message.startswith("Extra inputs"):
        return message
    sections: dict[Any, type[Model]] = {"roles": Roles, "dialogues": Interviews, "medqa": Exam}
    known = sections.get(location[0], Experiment) if len(location) > 1 else Experiment
    near = get_close_matches(str(location[-1]), list(known.model_fields), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no such setting{hint}"


def check_unique(setting: str, labels: list[str]) -> None:
    """Refuse one label for two plug-ins.

    Raises:
        UserError: naming it.
    """
    try:
        _unique(setting, labels, "; tell them apart with as=LABEL")
    except ValueError as error:
        raise UserError(str(error)) from error


def _unique(setting: str, labels: list[str], mend: str = "") -> None:
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"{setting} names {label!r} twice{mend}")


def refuse_changes(old: Experiment, new: Experiment, folder: Path) -> None:
    """Let a run be extended but not changed: its settings are what its journal answers for.

    More departments, cases, methods, generator backbones, metrics or tables extend it, and so do
    dialogues, or more patients, formats and interactions of them, an exam, or more points of its
    curve.

    Raises:
        UserError: naming the first setting that differs.
    """
    for setting, was, now in _changes(old, new):
        raise UserError(
            f"{folder} holds another experiment: {setting} is {was} there and {now} now; "
            "name another --out folder, or set it back"
        )


def _changes(old: Experiment, new: Experiment) -> Iterator[tuple[str, Any, Any]]:
    for setting in ("name", "seed", "encoder"):
        was, now = getattr(old, setting), getattr(new, setting)
        if was != now:
            yield setting, repr(was), repr(now)
    for role in ("judge", "scorer", "rater", *TALKING, "student"):
        was, now = getattr(old.roles, role), getattr(new.roles, role)
        # A patient or student that was not named was the generator's backbone: somebody answered.
        asked = old.medqa if role == "student" else old.dialogues if role in TALKING else None
        answered = was is not None or asked is not None
        if answered and was != now:
            yield f"roles.{role}", _shown(was), _shown(now)
    if old.dialogues is not None:
        yield from _changed_dialogues(old.dialogues, new.dialogues)
    if old.medqa is not None:
        yield from _changed_exam(old.medqa, new.medqa)
    if new.cases_per_department < old.cases_per_department:
        yield "cases_per_department", old.cases_per_department, new.cases_per_department
    if not set(old.departments) <= set(new.departments) and new.departments != ("all",):
        yield "departments", ", ".join(old.departments), ", ".join(new.departments)
    for setting, before, after in (
        ("methods", old.methods, new.methods),
        ("roles.generator", old.roles.generator, new.roles.generator),
        ("metrics", old.metrics, new.metrics),
    ):
        kept = {choice.label: choice for choice in after}
        for choice in before:
            if kept.get(choice.label) != choice:
                yield setting, _shown(choice), _shown(kept.get(choice.label))


def _changed_dialogues(old: Interviews, new: Interviews | None) -> Iterator[tuple[str, Any, Any]]:
    if new is None:
        yield "dialogues", "there", "absent"
        return
    for setting in ("questions", "triplets", "updating", "decomposition", "styles"):
        was, now = getattr(old, setting), getattr(new, setting)
        if was != now:
            yield f"dialogues.{setting}", repr(was), repr(now)
    if new.patients_per_department < old.patients_per_department:
        setting = "dialogues.patients_per_department"
        yield setting, old.patients_per_department, new.patients_per_department
    for setting in ("formats", "interactions"):
        was, now = getattr(old, setting), getattr(new, setting)
        if not set(was) <= set(now):
            yield f"dialogues.{setting}", ", ".join(was), ", ".join(now)


def _changed_exam(old: Exam, new: Exam | None) -> Iterator[tuple[str, Any, Any]]:
    """Where the questions lie may change; the questions may not."""
    if new is None:
        yield "medqa", "there", "absent"
        return
    for setting in ("include_borderline", "cases", "k_cases", "k_rules", "budget", "guard"):
        was, now = getattr(old, setting), getattr(new, setting)
        if was != now:
            yield f"medqa.{setting}", was, now
    if old.digest is not None and old.digest != new.digest:
        yield "medqa.questions", f"a set {old.digest[:12]}", f"a set {(new.digest or '?')[:12]}"
    if not set(old.curve) <= set(new.curve):
        yield "medqa.curve", list(old.curve), list(new.curve)


def _shown(choice: Choice | None) -> str:
    if choice is None:
        return "absent"
    options = ", ".join(f"{name}={value!r}" for name, value in choice.options.items())
    return f"{choice.name}({options})" if options else choice.name
