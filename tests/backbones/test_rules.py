"""The rules: what they write is never faulted, and every planted fault is found."""

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
each_outline = pytest.mark.parametrize("outline", list(LIBRARY), ids=lambda outline: outline.id)
Data = dict[str, Any]


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
    return {name: found.reasons for name, found in verdict if not found.aligned}


@each_outline
def test_what_the_rules_write_agrees_with_the_outline(outline: Outline):
    for count in range(24):
        assert faulty(written(outline, count, told=bool(count % 2)), outline) == {}


@each_outline
def test_what_is_drawn_does_not_depend_on_who_gives_the_outline(outline: Outline):
    """The rules must not favour a method: the outline in the task is the one they know."""
    case = plan_case(outline, 0, seed=1)
    subject = Subject(
        department=case.department, disease=case.disease, gender=case.gender, age=case.age
    )
    given = Write(wanted=SECTIONS, subject=subject, outline=outline)
    known = Write(wanted=SECTIONS, subject=subject)
    draw = [write(task, LIBRARY, random.Random(5)) for task in (given, known)]
    assert draw[0] == draw[1]


def plant(record: RecordSections, change: Callable[[Data], None]) -> RecordSections:
    data = record.model_dump(mode="json")
    change(data)
    return RecordSections.model_validate(data)


def set_basic(field: str, value: object) -> Callable[[Data], None]:
    return lambda data: data["basic_information"].update({field: value})


def set_illness(field: str, value: object) -> Callable[[Data], None]:
    return lambda data: data["disease_information"].update({field: value})


def add_symptom(text: str) -> Callable[[Data], None]:
    return lambda data: data["disease_information"]["symptoms"].append(text)


def add_history(text: str) -> Callable[[Data], None]:
    return lambda data: data["epidemiology"]["medical_history"].append(text)


def add_test(**examination: str) -> Callable[[Data], None]:
    return lambda data: data["examination_results"].append({"category": "x", **examination})


LIPASE = {"test": "Serum lipase", "unit": "U/L", "reference_range": "13-60"}
PLANTED: list[tuple[str, str, Section, Callable[[Data], None], str]] = [
    ("sex", "URO-01", "basic_information", set_basic("gender", "female"), "male patients only"),
    ("age", "URO-01", "basic_information", set_basic("age", 12), "outside the plausible ages"),
    (
        "before birth",
        "GS-01",
        "epidemiology",
        add_history("Asthma for 119 years"),
        "before birth",
    ),
    (
        "other disease",
        "GS-05",
        "disease_information",
        set_illness("disease", "Acute cholecystitis"),
        "not Acute pancreatitis",
    ),
    (
        "foreign symptoms",
        "GS-05",
        "disease_information",
        set_illness("symptoms", ["ringing ears", "hair loss"]),
        "no symptom is typical",
    ),
    (
        "duration",
        "GS-01",
        "disease_information",
        set_illness("duration", "12 years"),
        "does not fit",
    ),
    (
        "number against words",
        "GS-05",
        "examination_results",
        add_test(**LIPASE, value="900", finding="within normal limits"),
        "but the finding says",
    ),
    (
        "wrong side of the range",
        "GS-05",
        "examination_results",
        add_test(**LIPASE, value="20", finding="within the reference range"),
        "where high is expected",
    ),
    (
        "impossible value",
        "GS-05",
        "examination_results",
        add_test(**LIPASE, value="9000000", finding="above the reference range"),
        "not a plausible result",
    ),
    (
        "no examination",
        "GS-05",
        "examination_results",
        lambda data: data["examination_results"].clear(),
        "no examination",
    ),
    (
        "incompatible level",
        "END-01",
        "examination_results",
        add_test(test="C-peptide", value="5.0", unit="nmol/L", reference_range="0.26-1.32"),
        "cannot be",
    ),
    (
        "incompatible statement",
        "ORT-02",
        "examination_results",
        add_test(test="Neurological examination", finding="Babinski sign positive on both sides"),
        "cannot be",
    ),
]


@pytest.mark.parametrize(
    ("identity", "section", "change", "reason"),
    [case[1:] for case in PLANTED],
    ids=[case[0] for case in PLANTED],
)
def test_each_kind_of_planted_fault_is_found(identity, section, change, reason):
    outline = LIBRARY.get(identity)
    for count in range(10):
        found = faulty(plant(written(outline, count), change), outline)
        assert reason in found[section]
        # A planted age can make a history reach back before birth: found too, and rightly.
        assert set(found) <= {section, "epidemiology"}


@each_outline
def test_a_pertinent_negative_among_the_symptoms_is_found(outline: Outline):
    for negative in outline.pertinent_negatives:
        record = plant(written(outline, 0), add_symptom(negative))
        assert "disease_information" in faulty(record, outline)


@each_outline
@pytest.mark.parametrize(
    "denial",
    [
        "{}: absent",
        "{} - denied",
        "{} (denied)",
        "Absence of {}",
        "Lack of {}",
        "Denying {}",
        "Free of {}",
        "{} ruled out",
        "{} not present",
        "{}: no",
        "No rash, {}",
    ],
)
def test_a_denied_pertinent_negative_is_no_fault(outline: Outline, denial: str):
    for negative in outline.pertinent_negatives:
        record = plant(written(outline, 0), add_symptom(denial.format(negative)))
        assert faulty(record, outline) == {}


@each_outline
def test_a_rule_of_facts_in_their_own_words_is_found(outline: Outline):
    for rule in outline.never_together:
        facts = [fact for fact in rule.facts if not fact.endswith((" high", " low", " normal"))]
        if len(facts) == len(rule.facts):
            record = written(outline, 0)
            for fact in facts:
                record = plant(record, add_history(fact))
            assert rule.because in faulty(record, outline)["epidemiology"]


def test_a_history_of_the_other_sex_is_found():
    outline = LIBRARY.get("GS-05")
    men = next(r for n in range(9) if (r := written(outline, n)).basic_information.gender == "male")
    found = faulty(plant(men, add_history("Two years after the menopause")), outline)
    assert "cannot be said of a male" in found["epidemiology"]


def add_life(text: str) -> Callable[[Data], None]:
    return lambda data: data["epidemiology"]["lifestyle"].append(text)


def only_test(**examination: str) -> Callable[[Data], None]:
    return lambda data: data.update(examination_results=[{"category": "x", **examination}])


def add_lipase(
    finding: str, value: str = "900", reference: str = "13-60"
) -> Callable[[Data], None]:
    told = {**LIPASE, "reference_range": reference}
    return add_test(**told, value=value, finding=finding)


def add_score(test: str, value: str, reference: str) -> Callable[[Data], None]:
    return add_test(test=test, value=value, reference_range=reference, finding="Elevated")


CELLS = {"test": "Platelets", "unit": "/µL"}
HEMOGLOBIN = {"test": "Hemoglobin", "unit": "g/dL", "value": "13.0", "finding": "Normal"}
SOUND: list[tuple[str, Callable[[Data], None]]] = [
    ("END-01", set_illness("disease", "Type 1 Diabetes Mellitus (T1DM)")),
    ("END-01", set_illness("disease", "New-onset type 1 diabetes with ketoacidosis")),
    ("END-04", set_illness("disease", "Graves' disease")),
    ("GS-05", set_illness("disease", "Acute gallstone pancreatitis")),
    ("GS-05", set_illness("disease", "Chronic pancreatitis")),  # "Pancreatitis" is a synonym.
    ("OPH-03", set_illness("disease", "Angle closure glaucoma")),
    ("ORT-02", set_illness("disease", "Sciatica (lumbar radiculopathy)")),
    ("ORT-02", set_illness("disease", "Left-sided sciatica")),
    ("PSY-06", set_illness("disease", "Social Anxiety Disorder (Social Phobia)")),
    ("URO-07", set_illness("disease", "Left ureteral stone (6 mm)")),
    ("END-01", set_illness("symptoms", ["Polyuria", "Polydipsia"])),
    ("GS-05", set_illness("duration", "Began 1 hour after a heavy meal and has lasted 2 days")),
    (
        "ORT-02",
        set_illness("duration", "Back pain for 15 years, with leg pain for the last 4 weeks"),
    ),
    # Thousands, powers of ten and several intervals in a reference.
    (
        "GS-05",
        add_test(**CELLS, value="420,000", reference_range="150,000-400,000", finding="High"),
    ),
    (
        "GS-05",
        add_test(**CELLS, value="200,000", reference_range="150,000-400,000", finding="Normal"),
    ),
    ("GS-05", add_test(test="Platelets", value="200", reference_range="150-400 x10^3/µL")),
    ("PSY-01", add_test(**HEMOGLOBIN, reference_range="Male: 13.5-17.5, Female: 12.0-15.5")),
    (
        "ORT-06",
        add_test(test="Glucose", value="90", finding="Normal", reference_range="<100, 100-125"),
    ),
    # Words of a level that do not say this result's level.
    ("GS-05", add_lipase("3 times the upper limit of normal")),
    ("GS-05", add_lipase("Twenty times the normal value")),
    ("GS-05", add_lipase("Above normal")),
    ("GS-05", add_lipase("Lipase raised; triglycerides normal")),
    ("GS-05", add_lipase("Reduced from 2400 on admission")),
    ("GS-05", add_lipase("Not elevated", reference="0-1000")),
    ("GS-05", add_test(test="Total calcium", value="9.0", unit="mg/dL", finding="No low calcium")),
    # A score's whole scale is not its reference; a unit may stand with the reference only.
    ("PSY-01", add_score("PHQ-9", "16", "0-27")),
    ("PSY-01", add_score("Sadness scale", "16", "0-60")),
    ("END-01", add_test(test="Glucose", value="420", reference_range="70-140 mg/dL")),
    ("END-04", add_test(test="TSH", value="0.001", unit="mIU/L", finding="Undetectable")),
    ("ORT-02", add_test(test="C-reactive protein", value="0.1", unit="mg/L")),
    # One name within another's, or one that fits two tests.
    ("END-04", add_test(test="TSH receptor antibody (TRAb)", value="9.4", reference_range="<1.75")),
    ("OPH-03", add_test(test="Intraocular pressure", value="15", unit="mmHg", finding="Left eye")),
    # What is normal or denied is another part than what is ill.
    (
        "ORT-02",
        add_test(
            test="MRI lumbar spine",
            finding="L5-S1 herniation with normal alignment. No disc herniation at other levels",
        ),
    ),
    ("GS-01", add_test(test="CT abdomen", finding="Dilated appendix and otherwise normal abdomen")),
    (
        "ORT-06",
        only_test(test="Hands", finding="Right thenar wasting; left thenar muscles full"),
    ),
    (
        "GS-05",
        add_test(test="Sonography", finding="Stones in the gallbladder; cholecystectomy planned"),
    ),
    # What is said of relatives.
    ("URO-01", add_history("Wife is pregnant")),
    ("URO-01", add_life("Lives with a female partner")),
    ("PSY-06", add_life("Cares for his mother who is 82 years old")),
    ("GS-01", add_history("Brother had a previous appendectomy")),
    ("URO-01", set_basic("age", 88)),
]


@pytest.mark.parametrize(("identity", "change"), SOUND)
def test_everyday_phrases_are_no_faults(identity, change):
    outline = LIBRARY.get(identity)
    for count in range(10):
        assert faulty(plant(written(outline, count), change), outline) == {}


@pytest.mark.parametrize("statement", ["Father with prostate cancer", "Wife's prostate trouble"])
def test_a_relative_of_the_other_sex_is_no_fault(statement):
    outline = LIBRARY.get("GS-05")
    records = [written(outline, count) for count in range(9)]
    for record in records:
        assert faulty(plant(record, add_history(statement)), outline) == {}


@pytest.mark.parametrize(
    ("identity", "stated"),
    [
        ("END-01", "Type 2 diabetes mellitus"),
        ("OPH-03", "Acute open-angle glaucoma"),
        ("OPH-09", "Herpes simplex keratitis"),
        ("ORT-02", "Lumbar spinal stenosis"),
        ("ORT-06", "Cubital tunnel syndrome"),
        ("PSY-06", "Panic disorder"),
        ("PSY-06", "Generalized anxiety disorder"),
        ("URO-01", "Prostate cancer"),
    ],
)
def test_a_kindred_disease_is_another(identity, stated):
    outline = LIBRARY.get(identity)
    found = faulty(plant(written(outline, 0), set_illness("disease", stated)), outline)
    assert outline.name in found["disease_information"]


def test_a_reference_with_thousands_is_used():
    outline = LIBRARY.get("GS-05")
    low = add_test(**CELLS, value="90,000", reference_range="150,000-400,000", finding="Normal")
    assert (
        "is low against" in faulty(plant(written(outline, 0), low), outline)["examination_results"]
    )


@pytest.mark.parametrize(
    ("statement", "phrase", "held"),
    [
        ("Fever and chills", "fever", True),
        ("No fever, no chills", "fever", False),
        ("Denies fever", "fever", False),
        ("Nausea without vomiting", "vomiting", False),
        ("Nausea without vomiting; fever since yesterday", "fever", True),
        ("There is no disc herniation", "no disc herniation", True),
        ("Large disc herniation", "no disc herniation", False),
        ("Reflexes brisk", "brisk reflexes", True),
        ("bladder not palpable", "bladder palpable", False),
        ("bladder palpable", "bladder not palpable", False),
        ("hearing things that are not there", "hearing things that are not there", True),
        ("Denies chills, cough, or fever", "fever", False),
        ("Fever: absent", "fever", False),
        ("Fever, but no chills", "fever", True),
        ("Fever without chills", "fever", True),
        ("No change in abdominal pain", "no abdominal pain", False),
        ("Large herniation; no disc herniation at L3/4", "no disc herniation", False),
        ("Neck swelling, pain of the eye", "pain in the neck", False),
        ("Tingling of the digits sparing the little finger", "tingling of little finger", False),
    ],
)
def test_matching_knows_negation(statement, phrase, held):
    assert states(statement, phrase) is held


@pytest.mark.parametrize(
    ("text", "value"),
    [("14,000", 14000), ("6.5", 6.5), ("6,5", 6.5), ("<5", 5), ("120/80", None), (None, None)],
)
def test_numbers_are_read_as_printed(text, value):
    assert number(text) == value


def ask(task: Any, replicate: str = "r", key: str = "key") -> dict[str, Any]:
    prompt = Prompt(task, (), RecordSections, JUDGING, replicate)
    told: dict[str, Any] = json.loads(asyncio.run(Rules().complete(prompt, key)).text)
    return told


def test_kind_inputs_and_replicate_are_the_seed():
    """And not the journal key, which changes with every comment in the rules' own code."""
    subject = Subject(department="Orthopedics", disease="Sciatica", gender="male", age=40)
    task = Write(wanted=SECTIONS, subject=subject)
    assert ask(task) == ask(task, key="another") != ask(task, "another")
    older = task.model_copy(update={"subject": subject.model_copy(update={"age": 41})})
    assert ask(task)["disease_information"] != ask(older)["disease_information"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [("-3.1", None), ("-2.6", None), ("0.5", "where low is expected")],
)
def test_results_below_zero_are_read(value: str, fault: str | None):
    """A T-score or a base excess, on a scale about zero."""
    outline = LIBRARY.get("ORT-10")
    score = {
        "category": "imaging",
        "test": "Lumbar T-score",
        "typicality": 1,
        "quantity": {
            "unit": "SD",
            "reference": [{"low": -1, "high": 3}],
            "expected": "low",
            "patient_range": {"mild": {"low": -3.5, "high": -2.5}},
            "decimals": 1,
        },
    }
    measured = Outline.model_validate(outline.model_dump() | {"examinations": [score]})
    result = {
        "test": "Lumbar T-score",
        "unit": "SD",
        "value": value,
        "reference_range": "-1.0 to 3.0",
    }
    side = "within" if fault else "below"
    examination = {"category": "imaging", "finding": f"{side} the reference range", **result}
    record = plant(written(outline, 0), lambda data: data.update(examination_results=[examination]))
    said = faulty(record, measured).get("examination_results")
    assert (said is None) if fault is None else (said is not None and fault in said)


@pytest.mark.parametrize(("disease", "fault"), [("PSY-15", False), ("GS-01", True)])
def test_what_may_be_lifelong_may_have_lasted_since_childhood(disease: str, fault: bool):
    outline = LIBRARY.get(disease)
    record = plant(written(outline, 0), set_illness("duration", "25 years"))
    record = plant(record, set_basic("age", 34))
    assert ("disease_information" in faulty(record, outline)) is fault


def test_the_rules_print_an_interval_below_zero_so_that_they_read_it():
    for low, high, printed in ((-2.0, 3.0, "-2.0 to 3.0"), (-5.0, -1.0, "-5.0 to -1.0")):
        reference = Reference(low=low, high=high)
        assert reference.printed(1) == printed
        assert read_reference(printed) == reference


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
