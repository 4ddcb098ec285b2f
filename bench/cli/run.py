"""`pzbench run` and `pzbench reproduce`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.knowledge_options import Drafts, Knowledge

if TYPE_CHECKING:
    from bench.experiments.experiment import Choice, Experiment
    from bench.runs.folder import RunFolder
    from bench.runs.settings import Settings

LABELLED = "; tell them apart with as=LABEL, as in NAME:as=LABEL"
"""What is to be done about two plug-ins of one name."""
MANY = 1000
"""Exchanges above which a run asks first, on a terminal."""
Out = typer.Option(None, "--out", help="Run folder; runs/NAME by default.")
JournalPath = typer.Option(
    None, "--journal", help="Journal to share between runs; the run's own by default."
)
AtOnce = typer.Option(32, "--at-once", min=1, help="Exchanges in flight for each role.")
RetryFailed = typer.Option(
    False, "--retry-failed", help="Ask stored refusals and invalid answers again."
)
PlanOnly = typer.Option(False, "--plan", help="Say what would be asked, and stop.")
Yes = typer.Option(False, "--yes", "-y", help="Do not ask before many exchanges.")

Backbones = typer.Option(
    None, "--backbone", "-b", help="Backbone that generates; may be given several times."
)
JudgedBy = typer.Option(
    None, "--judge", help="Backbone that judges accuracy or dialogue consistency."
)
ScoredBy = typer.Option(None, "--scorer", help="Causal LM for GPTScore.")
PatientBy = typer.Option(
    None, "--patient", help="Backbone of the patients; by default the one that generates."
)
DoctorBy = typer.Option(None, "--doctor", help="Backbone of the doctor; by default the patient's.")
TripletsBy = typer.Option(
    None, "--triplets", help="Backbone that labels replies against memory; the patient's if none."
)
RatedBy = typer.Option(None, "--rater", help="Backbone that rates dialogues.")
TripletEngine = typer.Option(None, "--triplet-engine", help="batched, per-fact or nli/MODEL.")
Update = typer.Option(None, "--updating", help="What memory update means: strict or algorithm.")
Methods = typer.Option(None, "--method", help="Only this generator: NAME or NAME:option=value,...")
Metrics = typer.Option(None, "--metric", help="Only this metric: NAME or NAME:option=value,...")
Departments = typer.Option(None, "--department", help="Only these departments.")
Cases = typer.Option(None, "--cases", min=1, help="Cases for each department.")
Patients = typer.Option(None, "--patients", min=1, help="Patients of each department to interview.")
Questions = typer.Option(
    None, "--questions", min=1, help="Questions of each round of an interview."
)
StudentBy = typer.Option(
    None, "--student", help="Backbone that sits the exam; by default the one that generates."
)
MedQA = typer.Option(
    None, "--medqa", help="Questions: file, folder, hub:OWNER/NAME@REVISION or `sample`."
)
Labels = typer.Option(None, "--labels", help="Departments that `pzbench medqa classify` gave.")
Borderline = typer.Option(
    False, "--include-borderline", help="Count questions that may as well belong elsewhere."
)
Curve = typer.Option(
    None, "--curve", help="Numbers of patients at which to examine too: 5,10,20; `none` for none."
)
Seed = typer.Option(None, "--seed", help="Seed of the planned cases.")


def run(
    experiment: Path = typer.Argument(help="Experiment file (YAML)."),
    kb: list[Path] | None = Knowledge,
    drafts: bool = Drafts,
    out: Path | None = Out,
    journal: Path | None = JournalPath,
    at_once: int = AtOnce,
    retry_failed: bool = RetryFailed,
    plan: bool = PlanOnly,
    yes: bool = Yes,
) -> None:
    """Run an experiment, or go on with it: running again asks only what was not answered."""
    from bench.experiments.experiment import load_experiment
    from bench.runs.settings import Settings

    given = load_experiment(experiment)
    known = {"knowledge": (*given.knowledge, *(kb or ())), "drafts": given.drafts or drafts}
    settings = Settings(journal=journal, at_once=at_once, retry_failed=retry_failed)
    _execute(given.model_copy(update=known), out, settings, plan, yes)


def reproduce(
    table: str = typer.Argument(help="Table of the paper, for instance table3."),
    backbone: list[str] | None = Backbones,
    judge: str | None = JudgedBy,
    scorer: str | None = ScoredBy,
    patient: str | None = PatientBy,
    doctor: str | None = DoctorBy,
    triplets: str | None = TripletsBy,
    rater: str | None = RatedBy,
    student: str | None = StudentBy,
    triplet_engine: str | None = TripletEngine,
    updating: str | None = Update,
    method: list[str] | None = Methods,
    metric: list[str] | None = Metrics,
    department: list[str] | None = Departments,
    cases: int | None = Cases,
    patients: int | None = Patients,
    questions: int | None = Questions,
    medqa: str | None = MedQA,
    labels: Path | None = Labels,
    include_borderline: bool = Borderline,
    curve: str | None = Curve,
    seed: int | None = Seed,
    kb: list[Path] | None = Knowledge,
    drafts: bool = Drafts,
    out: Path | None = Out,
    journal: Path | None = JournalPath,
    at_once: int = AtOnce,
    retry_failed: bool = RetryFailed,
    plan: bool = PlanOnly,
    yes: bool = Yes,
) -> None:
    """Reproduce a table of the paper; with no options, on the embedded stand-in."""
    from bench.experiments.experiment import experiment_from
    from bench.runs.settings import Settings

    given = _preset(table)
    asked = {
        "methods": _choices("--method", method),
        "metrics": _choices("--metric", metric),
        "departments": _once("--department", department),
        "cases_per_department": cases or patients,
        "seed": seed,
        "knowledge": kb,
        "drafts": drafts or None,
    }
    given.update({setting: value for setting, value in asked.items() if value is not None})
    interviews: dict[str, int | str | None] = {"patients_per_department": patients}
    interviews |= {"questions": questions, "triplets": triplet_engine, "updating": updating}
    _interviewed(given, table, interviews)
    exam = {"questions": medqa, "labels": labels, "curve": _curve(curve)}
    _examined(given, table, exam | {"include_borderline": include_borderline or None})
    roles = {"generator": _once("--backbone", backbone), "judge": judge, "scorer": scorer}
    roles |= {"patient": patient, "doctor": doctor, "triplets": triplets, "rater": rater}
    roles |= {"student": student}
    given["roles"].update({role: name for role, name in roles.items() if name})
    settings = Settings(journal=journal, at_once=at_once, retry_failed=retry_failed)
    _execute(experiment_from(given), out, settings, plan, yes)


def _preset(table: str) -> "dict[str, Any]":
    """The settings of the experiment that makes a table of the paper."""
    from bench.core.errors import UserError
    from bench.core.registry import TABLES
    from bench.experiments.experiment import load_experiment

    preset = TABLES.load(table).preset
    if preset is None:
        raise UserError(f"{table!r} is not a table of the paper: there is nothing to reproduce")
    return load_experiment(preset).model_dump(mode="json")


def _interviewed(
    given: "dict[str, Any]", table: str, interviews: "dict[str, int | str | None]"
) -> None:
    """Set what was asked of the interviews; only the number of patients, if cases are limited."""
    from bench.core.errors import UserError

    asked = {setting: value for setting, value in interviews.items() if value is not None}
    if given["dialogues"] is None:
        if asked:
            raise UserError(f"{table} holds no dialogues: leave out what is asked of them")
        return
    planned = {"patients_per_department": given["cases_per_department"]}
    limited = given["cases_per_department"] < given["dialogues"]["patients_per_department"]
    given["dialogues"].update({**(planned if limited else {}), **asked})


def _choices(option: str, given: list[str] | None) -> "list[Choice] | None":
    """Plug-ins as the command line names them."""
    from bench.experiments.experiment import parse_choice

    choices = [parse_choice(text) for text in given or ()]
    _once(option, [choice.label for choice in choices], LABELLED)
    return choices or None


def _once(option: str, given: list[str] | None, mend: str = "") -> list[str] | None:
    """What was given, none of it twice."""
    from bench.core.errors import UserError

    for name in given or ():
        if given and given.count(name) > 1:
            raise UserError(f"{option} names {name!r} twice{mend}")
    return given


def _curve(given: str | None) -> list[int] | None:
    """The points of a learning curve, "5,10"; nothing said is none, "none" an empty list."""
    from bench.core.errors import UserError

    if given is None:
        return None
    if given == "none":
        return []
    try:
        points = [int(part) for part in given.split(",")]
    except ValueError:
        points = [0]
    if min(points) < 1:
        raise UserError(
            f"--curve is {given!r}: give numbers of patients from 1 on, as in 5,10,20, or none"
        )
    _once("--curve", [str(point) for point in points])
    return points


def _examined(given: "dict[str, Any]", table: str, exam: "dict[str, Any]") -> None:
    """Set what was asked of the exam; as many patients to train on as there are cases.

    Without --medqa the questions are those that the environment names, if it names any.
    """
    import os

    from bench.core.errors import UserError
    from bench.medqa.sources import VARIABLE

    asked = {setting: value for setting, value in exam.items() if value is not None}
    if given["medqa"] is None:
        if asked:
            raise UserError(f"{table} holds no exam: leave out what is asked of it")
        return
    named = os.environ.get(VARIABLE)
    known = {"questions": named} if named else {}
    cases = given["cases_per_department"]
    for point in asked.get("curve", ()):
        if point > cases:
            raise UserError(
                f"--curve names {point}, but students practise on {cases} patients of each "
                "department: name no more than these, or raise --cases"
            )
    reached = [point for point in given["medqa"]["curve"] if point <= cases]
    given["medqa"].update({"cases": cases, "curve": reached, **known, **asked})


def _execute(
    experiment: "Experiment", out: Path | None, settings: "Settings", plan: bool, yes: bool
) -> None:
    from bench.cli.ending import report_failures, run_until_stopped
    from bench.cli.screen import Progressing, show_files, show_grids
    from bench.experiments.engine import execute
    from bench.report.results import make_tables
    from bench.runs.folder import RunFolder, safe_name

    if not _agreed(experiment, plan, yes):
        return
    folder = RunFolder(out or Path("runs") / safe_name(experiment.name))
    run_until_stopped(execute(experiment, folder, settings, Progressing()))
    grids, written = make_tables(folder)
    show_grids(grids)
    show_files(written)
    _suggest(folder, experiment)
    report_failures(folder.failures(), f"see {folder.path}/failures.jsonl")


def _suggest(folder: "RunFolder", experiment: "Experiment") -> None:
    """Say what can be done next."""
    typer.echo("\nnext:")
    typer.echo(f"  pzbench show {folder.path} --record ID    read one of its patients")
    model = "openai/gpt-4o-2024-08-06"
    judged = f" --judge {model}"
    others = {"table3": judged, "table4": f"{judged} --rater {model}", "table5": " --medqa PATH"}
    more = others.get(experiment.tables[0])
    if experiment.offline and more is not None:
        typer.echo(
            f"  OPENAI_API_KEY=... pzbench reproduce {experiment.tables[0]} "
            f"--backbone {model}{more}"
        )
    typer.echo("  pzbench list    generators, metrics and backbones there are")


def _agreed(experiment: "Experiment", plan: bool, yes: bool) -> bool:
    """Say what will be asked; whether to go on."""
    from bench.experiments.engine import check_names
    from bench.experiments.plan import estimate

    costs = []
    if plan or not experiment.offline:
        check_names(experiment)
        costs = estimate(experiment)
    for cost in costs:
        typer.echo(f"plan: {cost}", err=True)
    if plan:
        if not costs:
            typer.echo("plan: only the embedded stand-in is asked; it costs nothing", err=True)
        return False
    many = sum(cost.exchanges for cost in costs) > MANY
    if many and not yes and sys.stdin.isatty():
        return typer.confirm("go on?", err=True)
    return True
