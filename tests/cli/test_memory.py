"""`pzbench memory`: the log of what a patient learned, and of what was rejected."""

from pathlib import Path

import pytest
from commands import inside, script
from florist import BITE, RECORD, SAYS_BITE
from made_dialogues import dialogue as talk
from rules_run import run as run_rules

from bench.experiments.run_reader import unknown
from bench.records.dialogue import (
    Attempt,
    Dialogue,
    DialogueOrigin,
    Exchange,
    Fact,
    Learned,
)
from bench.records.dialogue_files import DialogueFile, write_dialogues

FALSE, TRUE = "I am 61 years old.", "I am 50 years old."


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with dialogues in two interactions and two formats."""
    return run_rules(
        tmp_path_factory.mktemp("memory") / "r",
        departments=["Orthopedics"],
        cases_per_department=3,
        methods=["patient-zero"],
        interview={
            "patients_per_department": 3,
            "questions": 6,
            "formats": ["atomic", "json"],
            "interactions": ["single-with", "cross-without"],
        },
        metrics=[],
        tables=[],
    ).path


def dialogues(run: Path, name: str) -> list[Dialogue]:
    return list(DialogueFile(run / f"items/interview/rules/patient-zero/{name}.jsonl"))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A file with one dialogue in which everything happens."""
    bite = Fact(id="F13", text=BITE, round=1, turn=1)
    said = Learned(fact=bite, reply=SAYS_BITE, labels={"F4": "entail"})
    exchanges = (
        Exchange(
            question="What\nbrings you here?",
            answer=SAYS_BITE,
            attempts=(Attempt(reply=SAYS_BITE),),
            learned=(said,),
            calls=2,
        ),
        Exchange(
            question="How old are you?",
            answer=TRUE,
            attempts=(
                Attempt(reply=FALSE, labels={"F3": "contradict", "F13": "entail"}),
                Attempt(reply=TRUE, labels={"F3": "entail"}),
            ),
            calls=3,
        ),
    )
    stubborn = Attempt(reply="No dog did.\x1b[2J", labels={"F13": "contradict"})
    last = Exchange(
        question="A dog?",
        answer=stubborn.reply,
        attempts=(stubborn, stubborn),
        flagged=True,
        calls=2,
    )
    lost = Exchange(
        question="Any pets?",
        answer="Two cats.",
        attempts=(Attempt(reply="Two cats."),),
        lost="no JSON\nfound",
        calls=1,
    )
    path = tmp_path / "d.jsonl"
    dialogue = talk(
        "ADA", exchanges, (last, lost), record=RECORD, updating="strict", format="atomic"
    )
    write_dialogues(path, [talk("OTHER", [("Hello?", "Hello.")]), dialogue])
    return path


def test_the_log_says_what_was_added_and_rejected_and_why(made: Path):
    done = inside("memory", made, "ADA")
    assert done.code == 0
    assert done.out.splitlines() == [
        "# ADA: atomic, style not given",
        "round 1, question 1: What brings you here?",
        f"  learned F13: {BITE}",
        "    entails F4 (Medical history: Takes metformin 500 mg twice daily)",
        f"    from the reply: {SAYS_BITE}",
        "round 1, question 2: How old are you?",
        f"  reply 1, withdrawn: {FALSE}",
        "    contradicts F3 (Age: 50)",
        f"    entails F13 ({BITE})",
        f"  reply 2, sent: {TRUE}",
        "    entails F3 (Age: 50)",
        "round 2, question 1: A dog?",
        "  reply 1, withdrawn: No dog did.\\x1b[2J",
        f"    contradicts F13 ({BITE})",
        "  reply 2, sent although it contradicts memory: no try did better: No dog did.\\x1b[2J",
        f"    contradicts F13 ({BITE})",
        "round 2, question 2: Any pets?",
        "  nothing learned, the facts could not be read: no JSON found",
        "12 facts of the record, 1 added (strict); 2 replies rejected, 1 sent although "
        "contradictory; 8 triplet calls",
        "",
    ]


def test_a_dialogue_made_elsewhere_has_no_log(made: Path):
    done = inside("memory", made, "OTHER")
    assert "memory is not updated here: nothing was checked" in done.out


def test_facts_that_a_model_made_are_told_and_not_the_rules(tmp_path: Path):
    said = Attempt(reply=FALSE, labels={"F1": "contradict"})
    exchange = Exchange(question="Age?", answer=FALSE, attempts=(said, said), flagged=True, calls=2)
    own = (Fact(id="F1", text="She is 50 years of age"),)
    path = tmp_path / "d.jsonl"
    made = talk("ADA", [exchange], record=RECORD, facts=own, updating="strict", format="atomic")
    write_dialogues(path, [made])
    done = inside("memory", path, "ADA")
    assert "contradicts F1 (She is 50 years of age)" in done.out
    assert "\n1 facts of the record, 0 added" in done.out


def test_a_local_engine_is_told_in_pairs(tmp_path: Path):
    origin = DialogueOrigin(patient="rules", doctor="rules", triplets="nli/small@0123")
    exchange = Exchange(question="Age?", answer=TRUE, attempts=(Attempt(reply=TRUE),), calls=24)
    path = tmp_path / "d.jsonl"
    write_dialogues(path, [talk("A", [exchange], updating="strict", origin=origin)])
    assert "; 24 computed pairs of a sentence and a fact\n" in inside("memory", path, "A").out


def test_a_patient_of_several_cells_is_one_of_those_that_are_not_it(tmp_path: Path):
    told = unknown(tmp_path, "patient", "NOPE", [f"ORT-{number:02}" for number in range(30)] * 9)
    assert str(told).endswith("holds no patient 'NOPE', but 30 others")


def test_a_runs_log_agrees_with_its_dialogues(held: Path):
    for form in ("atomic", "json"):
        for dialogue in dialogues(held, f"single-with/{form}"):
            done = inside(
                "memory", held, dialogue.id, "--format", form, "--interaction", "single-with"
            )
            added = [one for exchange in dialogue.exchanges() for one in exchange.learned]
            assert done.out.count("  learned F") == len(added)
            assert f" {len(added)} added (strict); " in done.out
            for one in added:
                assert f"learned {one.fact.id}: {one.fact.text}" in done.out
            assert f"interaction single-with, format {form}, style " in done.out
    every = [one for part in dialogues(held, "single-with/atomic") for one in part.exchanges()]
    assert any(one.learned for one in every)


def test_all_files_are_shown_unless_one_is_named(held: Path):
    done = script("memory", held, "ORT-02-0001")
    assert done.code == 0
    titles = [line for line in done.out.splitlines() if line.startswith("# ORT-02-0001: ")]
    assert [title.split(", ")[2:4] for title in titles] == [
        ["interaction single-with", "format atomic"],
        ["interaction single-with", "format json"],
        ["interaction cross-without", "format atomic"],
        ["interaction cross-without", "format json"],
    ]
    assert done.out.count("memory is not updated here") == 2


def test_bad_input_is_one_sentence(held: Path, made: Path, tmp_path: Path):
    def error(*arguments: object) -> str:
        return inside("memory", *arguments).error

    assert "did you mean 'ORT-02-0001'" in error(held, "ORT-02-001")
    assert "did you mean 'atomic'" in error(held, "ORT-02-0001", "--format", "atom")
    assert "did you mean 'single-with'" in error(held, "ORT-02-0001", "--interaction", "single")
    assert "did you mean 'method'" in error(held, "ORT-02-0001", "--where", "methods=direct")
    assert "format tells the files of a run apart" in error(made, "ADA", "--format", "atomic")
    assert "there are: ADA, OTHER" in error(made, "xyz")
    assert "holds no such dialogues" in error(held, "ORT-02-0001", "--where", "stage=generate")
    assert "holds no run" in error(tmp_path / "nowhere", "ORT-02-0001")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("{}\n")
    assert "line 1" in error(empty, "ADA")
