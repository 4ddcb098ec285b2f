"""The stage `interview`: who is asked how, resumed, extended and refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from counting import asked, files
from interview_run import FILES, FORMATS, INTERVIEW, SETTINGS, THRICE, dialogues, held, records
from patients import patient
from rules_run import LIBRARY, results_of, score_in

from bench.api.cell import Cell
from bench.api.stage import Scope
from bench.core.errors import UserError
from bench.journal.journal import Journal
from bench.records.record import PatientRecord
from bench.report.results import Results
from bench.stages.interview import Interview, InterviewSettings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("talking") / "run"
    return folder, held(folder)


def test_the_first_patients_are_interviewed_in_every_way(run: tuple[Path, Results]) -> None:
    folder, _ = run
    own = records(folder)
    first = [own[0], own[1], own[3], own[4]]
    found = dialogues(folder)
    assert set(found) == {
        f"rules/patient-zero/{interaction}/{form}"
        for interaction in INTERVIEW["interactions"]
        for form in FORMATS
    }
    for name, several in found.items():
        *_, interaction, form = name.split("/")
        assert [one.id for one in several] == [record.id for record in first]
        assert [one.record for one in several] == first
        # Styles are dealt over the paper's ten patients of each department.
        assert [one.style for one in several] == ["plain", "upset", "tangent", "pleasing"]
        for one in several:
            assert one.format == form
            assert one.updating == ("strict" if interaction.endswith("-with") else "none")
            assert len(one.rounds) == (1 if interaction.startswith("single") else 2)
            assert {len(sitting.exchanges) for sitting in one.rounds} == {3}
            assert one.origin is not None
            assert bool(one.origin.triplets) == interaction.endswith("-with")


def test_every_cell_is_scored_and_every_format_compared_with_ours(
    run: tuple[Path, Results],
) -> None:
    _, results = run
    for metric, role, each in (
        ("dialogue-consistency", "judge", 3),
        ("emotional-consistency", "rater", 0),
    ):
        found = list(results.select(metric))
        assert len(found) == 9
        for result in found:
            rounds = 1 if result.cell["interaction"].startswith("single") else 2
            assert (result.score.n, result.score.n_missing) == (4 * (each * rounds or 1), 0)
            assert result.cell[role] == "rules"
            assert result.cell["method"] == "patient-zero"
            assert result.stage == "interview"
            assert result.score.stand_in
    compared = {
        (result.cell["interaction"], result.cell["format"], result.minus["format"])
        for result in results.differences
        if result.minus is not None
    }
    assert compared == {
        (interaction, "atomic", other)
        for interaction in INTERVIEW["interactions"]
        for other in ("json", "text")
    }


def test_the_manifest_counts_what_was_done(run: tuple[Path, Results]) -> None:
    folder, results = run
    told = results.manifest["stages"]["interview"]
    assert [cell["made"] for cell in told["cells"]] == [4] * 9
    assert told["settings"]["questions"] == 3
    counts = list(told["counts"].values())
    assert len(counts) == 9
    made = [one for several in dialogues(folder).values() for one in several]
    exchanges = [exchange for one in made for exchange in one.exchanges()]
    assert sum(count["exchanges"] for count in counts) == len(exchanges) == 4 * 3 * 3 * 5
    assert sum(count["calls"] for count in counts) == sum(one.calls for one in exchanges) > 0


def test_every_exchange_of_a_dialogue_is_in_the_journal(run: tuple[Path, Results]) -> None:
    folder, _ = run
    journal = Journal.open(folder / "journal.sqlite")
    for several in dialogues(folder).values():
        for exchange in (one for dialogue in several for one in dialogue.exchanges()):
            keys = (*exchange.keys, *(key for one in exchange.attempts for key in one.keys))
            assert len(keys) >= 2
            assert all(journal.get(key) is not None for key in keys)


def test_a_run_again_asks_nothing_and_gives_the_same_bytes(run: tuple[Path, Results]) -> None:
    folder, _ = run
    before = files(folder, *FILES)
    assert len(before) == 1 + 9 + 3 * 9 + 1
    assert asked(held(folder)).total() == 0
    assert files(folder, *FILES) == before


def test_any_number_of_rounds_is_an_interaction(tmp_path: Path) -> None:
    interview = {"interactions": ["single-without", THRICE], "formats": ["json"]}
    results = held(tmp_path, interview=interview, metrics=["conduct"])
    once, thrice = (
        dialogues(tmp_path)[f"rules/patient-zero/{name}/json"]
        for name in ("single-without", "thrice")
    )
    assert [len(one.rounds) for one in once] == [1] * 4
    assert [len(one.rounds) for one in thrice] == [3] * 4
    assert {one.updating for one in thrice} == {"strict"}
    assert score_in(results, "conduct", "over-cap", interaction="thrice").n == 4 * 3 * 3
    # What was learned in a round is known in the next.
    rounds = {
        fact.fact.round
        for one in thrice
        for exchange in one.exchanges()
        for fact in exchange.learned
    }
    assert rounds <= {1, 2, 3}


def test_patients_of_several_methods_are_interviewed_and_compared(tmp_path: Path) -> None:
    interview = {"interactions": ["single-without"], "formats": ["json", "atomic"]}
    methods = ["direct", "patient-zero"]
    results = held(tmp_path, methods=methods, interview=interview, metrics=["conduct"])
    for method in methods:
        first = [one.id for one in records(tmp_path, f"rules/{method}")]
        for form in ("json", "atomic"):
            several = dialogues(tmp_path)[f"rules/{method}/single-without/{form}"]
            assert [one.id for one in several] == [*first[:2], *first[3:5]]
    apart = {
        tuple(
            (name, result.cell[name], result.minus[name])
            for name in ("method", "format")
            if result.cell[name] != result.minus[name]
        )
        for result in results.differences
        if result.minus is not None
    }
    assert apart == {
        (("method", "patient-zero", "direct"),),
        (("format", "atomic", "json"),),
    }
    # The same record asked by the same words in another method's name is another exchange.
    assert asked(results)["doctor"] == 2 * 2 * 4 * 3


def test_several_backbones_of_a_role_are_a_factor(tmp_path: Path) -> None:
    patients = ["rules", {"name": "rules", "as": "other"}]
    results = held(
        tmp_path,
        roles={"generator": "rules", "patient": patients},
        interview={"interactions": ["single-with"], "formats": ["json"]},
        metrics=["conduct"],
    )
    found = dialogues(tmp_path)
    assert set(found) == {
        f"rules/patient-zero/single-with/json/{one}" for one in ("rules", "other")
    }
    assert [one.id for one in found["rules/patient-zero/single-with/json/rules"]] == [
        one.id for one in found["rules/patient-zero/single-with/json/other"]
    ]
    labels = {role["label"]: role["asked"] for role in results.manifest["roles"]}
    assert labels["other"] > 0
    assert results.values("patient") == ["rules", "other"]
    compared = {
        (result.cell["patient"], result.minus["patient"])
        for result in results.differences
        if result.minus is not None
    }
    assert compared == {("other", "rules")}


def test_records_of_a_file_are_interviewed_whatever_their_department(tmp_path: Path) -> None:
    own = [
        patient("U1", "Urology", "burning when passing water\nfever"),
        patient("M1", "Marvels", "green spots on both palms"),
        patient("M2", "Marvels", "a humming in the left ear"),
        patient("M3", "Marvels", "hiccups"),
        patient("N1", "", "a cough"),
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(f"{one.model_dump_json()}\n" for one in own), "utf-8")
    results = held(
        tmp_path / "run",
        generate=None,
        read={"file": str(path)},
        roles={"patient": "rules", "doctor": "rules"},
        interview={"interactions": ["single-with"], "formats": ["json"]},
        metrics=["conduct"],
    )
    (several,) = dialogues(tmp_path / "run").values()
    assert [one.id for one in several] == ["U1", "M1", "M2", "N1"]
    # Urology is the second of the plan; what is not planned comes behind all that is.
    assert [one.style for one in several] == ["tangent", "verbose", "reserved", "plain"]
    score = score_in(results, "conduct", "leaked-diagnosis", file="mine.jsonl")
    assert (score.n, score.n_missing) == (4, 0)
    assert score_in(results, "conduct", "leaked-diagnosis", "department", "Marvels").n == 2


def test_interviews_formats_interactions_patients_and_metrics_extend_a_run(tmp_path: Path) -> None:
    assert "patient" not in asked(results_of(tmp_path, **{**SETTINGS, "metrics": ["accuracy"]}))
    few = {"formats": ["json"], "interactions": ["cross-with"]}
    first = held(tmp_path, interview=few, metrics=["accuracy", "conduct"])
    assert {one.stage for one in first.select("accuracy")} == {"generate"}
    once = asked(first)
    assert once["generator"] == once["judge"] == 0
    before = files(tmp_path, "items/interview/**/*.jsonl")
    assert len(before) == 1

    more = {"formats": ["atomic", "json"], "interactions": ["single-with", "cross-with"]}
    metrics = ["accuracy", "conduct", "emotional-consistency"]
    larger = asked(held(tmp_path, interview=more, metrics=metrics))
    after = files(tmp_path, "items/interview/**/*.jsonl")
    assert before.items() <= after.items()
    assert len(after) == 4
    # The doctor asks 4 patients: 3 questions in a single dialogue, 6 in a cross-dialogue.
    assert once["doctor"] == 4 * 6
    assert larger["doctor"] == 4 * (3 + 3 + 6)
    assert larger["generator"] == 0

    # More than there are: all of them.
    last = held(tmp_path, interview={**more, "patients_per_department": 10}, metrics=metrics)
    assert asked(last)["doctor"] == 2 * (3 + 3 + 6 + 6)
    assert {len(several) for several in dialogues(tmp_path).values()} == {6}
    score = score_in(last, "conduct", "leaked-diagnosis", interaction="single-with", format="json")
    assert (score.n, score.n_missing) == (6, 0)


@pytest.mark.parametrize(
    ("interview", "named"),
    [
        ({"formats": ["json", "json"]}, "twice"),
        ({"styles": ["plain", "plain"]}, "twice"),
        ({"interactions": ["single-with", {**THRICE, "name": "single-with"}]}, "twice"),
        ({"interactions": ["single"]}, "'single' is none of single-with"),
        ({"interactions": [{**THRICE, "rounds": 0}]}, "rounds"),
        ({"styles": ["plan"]}, "did you mean 'plain'"),
        ({"formats": ["jsn"]}, "did you mean 'json'"),
        ({"triplets": "bached"}, "did you mean 'batched'"),
        ({"question": 3}, "did you mean 'questions'"),
    ],
)
def test_what_cannot_be_held_is_refused_before_anything_is_asked(
    tmp_path: Path, interview: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        held(tmp_path, interview=interview)
    assert not (tmp_path / "items").exists()


def test_what_is_missing_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    for named, changed in (
        ("--rater", {"roles": {"generator": "rules", "judge": "rules"}}),
        ("takes records", {"generate": None, "metrics": ["conduct"]}),
    ):
        with pytest.raises(UserError, match=named):
            held(tmp_path, **changed)
    assert not (tmp_path / "items").exists()


def dealt(own: Sequence[PatientRecord], each: int = 10) -> list[str]:
    """The styles that an interview deals to some records of departments a to f."""
    settings = InterviewSettings(patients_per_department=each)
    stage = Interview(settings, Scope(0, tuple("abcdef"), LIBRARY, {}))
    cell = Cell(interaction="single-with", format="json")
    return [stage.setting(cell, place).manner["style"] for place, _ in stage.patients(own)]


def test_the_papers_patients_have_the_styles_in_turn() -> None:
    own = [patient(f"{name}{n}", name, "a cough") for name in "abcdef" for n in range(12)]
    styles = ["plain", "upset", "verbose", "reserved", "tangent", "pleasing"] * 10
    assert dealt(own) == styles
    # A record that is missing moves no style in another department, nor do patients to come.
    assert dealt(own[12:]) == styles[10:]
    assert dealt(own[:24], 2) == [*styles[:2], *styles[10:12]]
