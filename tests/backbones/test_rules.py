"""The rules' records: what they write is never faulted, and every planted fault is found."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from bench.backbones.prompt import JUDGING, AskError, Prompt
from bench.backbones.requests import Draft, Judge, Subject, Write
from bench.backbones.rules.backbone import Rules
from bench.backbones.rules.judge import judge
from bench.backbones.rules.phrases import states
from bench.backbones.rules.results import number, read_reference
from bench.backbones.rules.writer import write
from bench.knowledge.cases import plan_case
from bench.knowledge.course import draw_presentation
from bench.knowledge.library import Library
from bench.knowledge.outline import Outline, Reference
from bench.records.record import SECTIONS, RecordSections, Section

LIBRARY = Library()
Data = dict[str, Any]
Change = Callable[[Data], None]


def written(outline: Outline, number: int, *, told: bool = False) -> RecordSections:
    """A record that the rules wrote for a planned case."""
    case = plan_case(outline, number, seed=1)
    task = Write(
        wanted=SECTIONS,
        subject=Subject(
            department=case.department, disease=case.disease, gender=case.gender, age=case.age
        ),
        outline=outline if told else None,
        presentation=draw_presentation(outline, case.gender, case.age_group, case.seed)
        if told
        else None,
    )
    made = write(task, LIBRARY, random.Random(f"{outline.id} {number}"))
    assert isinstance(made, RecordSections)
    return made


def faulty(record: RecordSections, outline: Outline) -> dict[str, str]:
    """The sections that the judge does not find aligned, with its reasons."""
    verdict = judge(Judge(record=record, outline=outline), LIBRARY, random.Random(0))
    return {name: section.reasons for name, section in verdict if not section.aligned}


@pytest.mark.parametrize("number", range(8))
def test_what_the_rules_write_agrees_with_the_outline(number: int):
    for outline in LIBRARY:
        assert faulty(written(outline, number, told=bool(number % 2)), outline) == {}


def test_what_is_drawn_does_not_depend_on_who_gives_the_outline():
    """The rules must not favour a method: the outline in the task is the one they know."""
    for outline in LIBRARY:
        case = plan_case(outline, 0, seed=1)
        subject = Subject(
            department=case.department, disease=case.disease, gender=case.gender, age=case.age
        )
        given = Write(wanted=SECTIONS, subject=subject, outline=outline)
        known = Write(wanted=SECTIONS, subject=subject)
        draw = [write(task, LIBRARY, random.Random(5)) for task in (given, known)]
        assert draw[0] == draw[1]


def plant(record: RecordSections, change: Change) -> RecordSections:
    data = record.model_dump(mode="json")
    change(data)
    return RecordSections.model_validate(data)


def set_basic(field: str, value: object) -> Change:
    return lambda data: data["basic_information"].update({field: value})


def set_illness(field: str, value: object) -> Change:
    return lambda data: data["disease_information"].update({field: value})


def add_symptom(text: str) -> Change:
    return lambda data: data["disease_information"]["symptoms"].append(text)


def add_history(text: str) -> Change:
    return lambda data: data["epidemiology"]["medical_history"].append(text)


def add_test(test: str, **result: str) -> Change:
    made = {"category": "x", "test": test, **result}
    return lambda data: data["examination_results"].append(made)


def add_lipase(finding: str, value: str = "900", reference: str = "13-60") -> Change:
    result = {"value": value, "unit": "U/L", "reference_range": reference}
    return add_test("Serum lipase", finding=finding, **result)


def only_test(test: str, finding: str) -> Change:
    made = {"category": "x", "test": test, "finding": finding}
    return lambda data: data.update(examination_results=[made])


BASIC: Section = "basic_information"
PAST: Section = "epidemiology"
ILLNESS: Section = "disease_information"
TESTS: Section = "examination_results"
C_PEPTIDE = {"value": "5.0", "unit": "nmol/L", "reference_range": "0.26-1.32"}
PLANTED: list[tuple[str, Section, Change, str]] = [
    ("URO-01", BASIC, set_basic("gender", "female"), "male patients only"),
    ("URO-01", BASIC, set_basic("age", 12), "outside the plausible ages"),
    ("GS-01", PAST, add_history("Asthma for 119 years"), "before birth"),
    ("URO-01", PAST, add_history("Two years after the menopause"), "cannot be said of a male"),
    ("GS-05", ILLNESS, set_illness("disease", "Acute cholecystitis"), "not Acute pancreatitis"),
    ("PSY-06", ILLNESS, set_illness("disease", "Panic disorder"), "not Social anxiety"),
    ("ORT-06", ILLNESS, set_illness("disease", "Cubital tunnel syndrome"), "not Carpal"),
    ("GS-05", ILLNESS, set_illness("symptoms", ["ringing ears", "hair loss"]), "no symptom"),
    ("GS-01", ILLNESS, set_illness("duration", "12 years"), "does not fit"),
    ("GS-05", TESTS, add_lipase("within normal limits"), "but the finding says"),
    ("GS-05", TESTS, add_lipase("normal", value="20"), "where high is expected"),
    ("GS-05", TESTS, add_lipase("raised", value="9000000"), "not a plausible result"),
    ("GS-05", TESTS, lambda data: data["examination_results"].clear(), "no examination"),
    ("END-01", TESTS, add_test("C-peptide", **C_PEPTIDE), "cannot be"),
    ("ORT-02", TESTS, add_test("Nerves", finding="Babinski sign positive"), "cannot be"),
    (
        "GS-05",
        TESTS,
        add_test("Cells", value="90,000", reference_range="150,000-400,000", finding="Normal"),
        "is low against",
    ),
]


@pytest.mark.parametrize(("identity", "section", "change", "reason"), PLANTED)
def test_each_kind_of_planted_fault_is_found(
    identity: str, section: Section, change: Change, reason: str
):
    outline = LIBRARY.get(identity)
    for count in range(10):
        found = faulty(plant(written(outline, count), change), outline)
        assert reason in found[section]
        # A planted age can make a history reach back before birth: found too, and rightly.
        assert set(found) <= {section, "epidemiology"}


@pytest.mark.parametrize(
    "denial",
    ["{}: absent", "{} (denied)", "Lack of {}", "Free of {}", "{} ruled out", "No rash, {}"],
)
def test_a_pertinent_negative_is_a_fault_unless_it_is_denied(denial: str):
    for outline in LIBRARY:
        record = written(outline, 0)
        for negative in outline.pertinent_negatives:
            assert "disease_information" in faulty(plant(record, add_symptom(negative)), outline)
            denied = plant(record, add_symptom(denial.format(negative)))
            assert faulty(denied, outline) == {}


def test_a_rule_of_facts_in_their_own_words_is_found():
    for outline in LIBRARY:
        for rule in outline.never_together:
            facts = [fact for fact in rule.facts if not fact.endswith((" high", " low", " normal"))]
            record = written(outline, 0)
            for fact in facts:
                record = plant(record, add_history(fact))
            if len(facts) == len(rule.facts):
                assert rule.because in faulty(record, outline)["epidemiology"]


SOUND: list[tuple[str, Change]] = [
    ("END-01", set_illness("disease", "Type 1 Diabetes Mellitus (T1DM)")),
    ("GS-05", set_illness("disease", "Acute gallstone pancreatitis")),
    ("OPH-03", set_illness("disease", "Angle closure glaucoma")),
    ("ORT-02", set_illness("disease", "Left-sided sciatica")),
    ("END-01", set_illness("symptoms", ["Polyuria", "Polydipsia"])),
    ("GS-05", set_illness("duration", "Began 1 hour after a heavy meal and has lasted 2 days")),
    # Thousands, powers of ten and several intervals in a reference.
    ("GS-05", add_test("Cells", value="420,000", reference_range="150,000-400,000")),
    ("GS-05", add_test("Platelets", value="200", reference_range="150-400 x10^3/µL")),
    ("PSY-01", add_test("Hb", value="13", reference_range="Male: 13.5-17, Female: 12-15.5")),
    # Words of a level that do not say this result's level.
    ("GS-05", add_lipase("3 times the upper limit of normal")),
    ("GS-05", add_lipase("Lipase raised; triglycerides normal")),
    ("GS-05", add_lipase("Not elevated", reference="0-1000")),
    # A score's whole scale is not its reference; a unit may stand with the reference only.
    ("PSY-01", add_test("PHQ-9", value="16", reference_range="0-27", finding="Elevated")),
    ("END-01", add_test("Glucose", value="420", reference_range="70-140 mg/dL")),
    ("END-04", add_test("TSH", value="0.001", unit="mIU/L", finding="Undetectable")),
    # One name within another's, or one that fits two tests.
    ("END-04", add_test("TSH receptor antibody (TRAb)", value="9.4", reference_range="<1.75")),
    ("OPH-03", add_test("Intraocular pressure", value="15", unit="mmHg", finding="Left eye")),
    # What is normal or denied is another part than what is ill.
    ("ORT-02", add_test("MRI", finding="L5-S1 herniation. No disc herniation at other levels")),
    ("ORT-06", only_test("Hands", "Right thenar wasting; left thenar muscles full")),
    # What is said of relatives.
    ("URO-01", add_history("Wife is pregnant")),
    ("GS-01", add_history("Brother had a previous appendectomy")),
    ("URO-01", set_basic("age", 88)),
]


@pytest.mark.parametrize(("identity", "change"), SOUND)
def test_everyday_phrases_are_no_faults(identity: str, change: Change):
    outline = LIBRARY.get(identity)
    for count in range(10):
        assert faulty(plant(written(outline, count), change), outline) == {}


@pytest.mark.parametrize(
    ("statement", "phrase", "held"),
    [
        ("Fever and chills", "fever", True),
        ("No fever, no chills", "fever", False),
        ("Patient hasn't fever", "fever", False),
        ("Nausea without vomiting; fever since yesterday", "fever", True),
        ("There is no disc herniation", "no disc herniation", True),
        ("Large disc herniation", "no disc herniation", False),
        ("Reflexes brisk", "brisk reflexes", True),
        ("bladder palpable", "bladder not palpable", False),
        ("Denies chills, cough, or fever", "fever", False),
        ("Fever: absent", "fever", False),
        ("Fever, but no chills", "fever", True),
        ("Fever without chills", "fever", True),
        ("No change in abdominal pain", "no abdominal pain", False),
        ("Neck swelling, pain of the eye", "pain in the neck", False),
        ("Tingling of the digits sparing the little finger", "tingling of little finger", False),
    ],
)
def test_matching_knows_negation(statement: str, phrase: str, held: bool):
    assert states(statement, phrase) is held


@pytest.mark.parametrize(
    ("text", "value"),
    [("14,000", 14000), ("6,5", 6.5), ("<5", 5), ("120/80", None), (None, None), ("9" * 400, None)],
)
def test_numbers_are_read_as_printed(text: str | None, value: float | None):
    assert number(text) == value


def test_an_interval_below_zero_is_read_as_it_is_printed():
    for low, high, printed in ((-2.0, 3.0, "-2.0 to 3.0"), (-5.0, -1.0, "-5.0 to -1.0")):
        reference = Reference(low=low, high=high)
        assert reference.printed(1) == printed
        assert read_reference(printed) == reference


def ask(task: Any, replicate: str = "r", key: str = "key") -> dict[str, Any]:
    prompt = Prompt(task, (), RecordSections, JUDGING, replicate)
    made: dict[str, Any] = json.loads(asyncio.run(Rules().complete(prompt, key)).text)
    return made


def test_kind_inputs_and_replicate_are_the_seed():
    """And not the journal key, which changes with every comment in the rules' own code."""
    subject = Subject(department="Orthopedics", disease="Sciatica", gender="male", age=40)
    task = Write(wanted=SECTIONS, subject=subject)
    assert ask(task) == ask(task, key="another") != ask(task, "another")
    older = task.model_copy(update={"subject": subject.model_copy(update={"age": 41})})
    assert ask(task)["disease_information"] != ask(older)["disease_information"]


def test_what_the_rules_cannot_answer_is_said():
    with pytest.raises(AskError, match="not 'draft'"):
        ask(Draft(disease="x", part="identity", sources=()), "a")
    subject = Subject(department="x", disease="Dragon pox", gender="male", age=40)
    with pytest.raises(AskError, match="Dragon pox"):
        ask(Write(wanted=SECTIONS, subject=subject), "a")


def test_the_version_follows_the_knowledge(tmp_path):
    outline = next(iter(LIBRARY.filed.values())).path
    (tmp_path / "own.yaml").write_text(
        outline.read_text().replace("typicality: 0.", "typicality: 0.0")
    )
    own = Library(tmp_path)
    assert Rules().knowing(own).version == Rules(library=own).version
    assert Rules(library=own).version != Rules().version == Rules().version
