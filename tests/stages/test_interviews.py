"""The dialogues of a run: who is interviewed how, resumed, extended, refused, failed, killed."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commands import experiment, inside, started
from openai_server import OpenAIServer
from patients import patient
from rules_run import run
from serving import kill, serving, stats, until

from bench.core.errors import UserError
from bench.experiments.experiment import Experiment
from bench.journal.journal import Journal
from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import DialogueFile
from bench.records.record_files import RecordFile
from bench.report.results import make_tables, read_results
from bench.runs.folder import RunFolder
from bench.stages.interview import patients

TABLES = ("table4.csv", "table4.md", "rows.csv")
INTERVIEWS: dict[str, Any] = {
    "patients_per_department": 2,
    "questions": 3,
    "interactions": ["single-with", "cross-without", "cross-with"],
}
SETTINGS: dict[str, Any] = {
    "departments": ["Orthopedics", "Urology"],
    "cases_per_department": 3,
    "methods": ["patient-zero"],
    "roles": {"generator": "rules", "judge": "rules", "rater": "rules"},
    "metrics": ["dialogue-consistency", "emotional-consistency", "conduct"],
    "tables": ["table4", "rows"],
}
MODEL = "openai/words"


def held(folder: Path, **settings: Any) -> RunFolder:
    """A small run with dialogues on the rules; `dialogues` changes those of `INTERVIEWS`."""
    dialogues = {**INTERVIEWS, **settings.pop("dialogues", {})}
    return run(folder, **{**SETTINGS, "dialogues": dialogues, **settings})


def dialogues(folder: RunFolder) -> dict[str, list[Dialogue]]:
    """The dialogues of each file, by its name."""
    paths = sorted(folder.path.glob("dialogues/*/*/*.jsonl"))
    return {path.stem: list(DialogueFile(path)) for path in paths}


def asked(folder: RunFolder) -> Counter[str]:
    """Exchanges that the last execution made, by role."""
    return Counter({role["role"]: role["asked"] for role in folder.manifest()["roles"]})


def files(folder: RunFolder, *patterns: str) -> dict[str, bytes]:
    found = (path for pattern in patterns for path in folder.path.glob(pattern))
    return {str(path.relative_to(folder.path)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    made = held(tmp_path_factory.mktemp("talking") / "run")
    make_tables(made)
    return made


def test_the_first_patients_are_interviewed_in_every_way(folder: RunFolder) -> None:
    records = list(RecordFile(folder.path / "records/rules/patient-zero.jsonl"))
    first = [records[0], records[1], records[3], records[4]]
    found = dialogues(folder)
    assert set(found) == {
        f"{interaction}-{form}"
        for interaction in INTERVIEWS["interactions"]
        for form in ("json", "text", "atomic")
    }
    for name, several in found.items():
        interaction, form = name.rsplit("-", 1)
        assert [one.id for one in several] == [record.id for record in first]
        assert [one.record for one in several] == first
        assert [one.style for one in several] == ["plain", "upset", "tangent", "pleasing"]
        for one in several:
            assert one.format == form
            assert one.updating == ("strict" if interaction.endswith("-with") else "none")
            assert len(one.rounds) == (1 if interaction.startswith("single") else 2)
            assert {len(part.exchanges) for part in one.rounds} == {3}
            assert one.origin is not None
            assert bool(one.origin.triplets) == interaction.endswith("-with")


def test_every_cell_is_scored_and_every_format_compared_with_ours(folder: RunFolder) -> None:
    results = read_results(folder)
    cells = [method.label for _, method in results.systems()]
    assert len(cells) == 9
    for cell in cells:
        turns = 4 * 3 * (1 if cell.startswith("single") else 2)
        for metric, n in (("dialogue-consistency", turns), ("emotional-consistency", 4)):
            found = results.find("rules", cell, metric)
            assert found is not None
            assert (found.score.n, found.score.n_missing) == (n, 0)
            assert found.stand_in
            assert found.method.name == "patient-zero"
    compared = {(one.first, one.second) for _, one in results.differences}
    assert compared == {
        (f"{interaction}/atomic", f"{interaction}/{other}")
        for interaction in INTERVIEWS["interactions"]
        for other in ("json", "text")
    }


def test_every_exchange_of_a_dialogue_is_in_the_journal(folder: RunFolder) -> None:
    journal = Journal.open(folder.path / "journal.sqlite")
    for several in dialogues(folder).values():
        for exchange in (one for dialogue in several for one in dialogue.exchanges()):
            keys = (*exchange.keys, *(key for one in exchange.attempts for key in one.keys))
            assert len(keys) >= 2
            assert all(journal.get(key) is not None for key in keys)


def test_dialogues_are_found_by_patient(folder: RunFolder) -> None:
    (wanted, *_) = dialogues(folder)["single-with-json"]
    found = list(folder.find_dialogues(wanted.id))
    assert len(found) == 9
    assert {cell.label for cell, _ in found} >= {"single-with/json", "cross-with/atomic"}
    assert {one.id for _, one in found} == {wanted.id}


def test_a_run_again_asks_nothing_and_gives_the_same_bytes(folder: RunFolder) -> None:
    patterns = ("dialogues/*/*/*", "scores/**/*.json", "table4.*", "rows.csv")
    before = files(folder, *patterns)
    assert len(before) > 20
    again = held(folder.path)
    make_tables(again)
    assert files(again, *patterns) == before
    assert asked(again).total() == 0


def test_formats_interactions_and_metrics_extend_a_run(tmp_path: Path) -> None:
    few = {"formats": ["json"], "interactions": ["cross-with"]}
    small = held(tmp_path / "run", dialogues=few, metrics=["conduct"])
    before = files(small, "dialogues/*/*/*")
    assert len(before) == 1
    once = asked(small)

    more = {"formats": ["atomic", "json"], "interactions": ["single-with", "cross-with"]}
    larger = held(tmp_path / "run", dialogues=more, metrics=["conduct", "emotional-consistency"])
    after = files(larger, "dialogues/*/*/*")
    assert before.items() <= after.items()
    assert len(after) == 4
    # The doctor asks 4 patients: 3 questions in a single dialogue, 6 in a cross-dialogue.
    assert once["doctor"] == 4 * 6
    assert asked(larger)["doctor"] == 4 * (3 + 3 + 6)
    assert asked(larger)["generator"] == 0


def test_dialogues_extend_a_run_of_records(tmp_path: Path) -> None:
    records = {**SETTINGS, "metrics": ["accuracy"], "tables": ["rows"]}
    small = run(tmp_path / "run", **records)
    assert "patient" not in asked(small)
    larger = held(tmp_path / "run", metrics=["accuracy", "conduct"])
    assert asked(larger)["generator"] == asked(larger)["judge"] == 0
    assert asked(larger)["patient"] > 0
    results = read_results(larger)
    assert results.find("rules", "patient-zero", "accuracy") is not None
    assert results.find("rules", "patient-zero", "conduct/over-cap") is None
    assert results.find("rules", "cross-with/json", "conduct/over-cap") is not None
    assert results.find("rules", "cross-with/json", "accuracy") is None


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"dialogues": {"questions": 4}}, "dialogues.questions is 3 there and 4 now"),
        ({"dialogues": {"updating": "algorithm"}}, "dialogues.updating is 'strict'"),
        ({"dialogues": {"triplets": "per-fact"}}, "dialogues.triplets is 'batched'"),
        ({"dialogues": {"styles": ["plain"]}}, "dialogues.styles"),
        ({"dialogues": {"patients_per_department": 1}}, "patients_per_department is 2"),
        ({"dialogues": {"formats": ["json"]}}, "dialogues.formats"),
        ({"dialogues": {"interactions": ["cross-with"]}}, "dialogues.interactions"),
        (
            {"roles": {**SETTINGS["roles"], "patient": {"name": "rules", "as": "other"}}},
            "roles.patient is absent there and rules now",
        ),
        ({"roles": {**SETTINGS["roles"], "rater": {"name": "rules", "as": "x"}}}, "roles.rater"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_changed_setting_is_refused(folder: RunFolder, changed: Any, named: str) -> None:
    with pytest.raises(UserError, match=named):
        held(folder.path, **changed)


def test_dialogues_cannot_be_taken_away(folder: RunFolder) -> None:
    with pytest.raises(UserError, match="dialogues is there there and absent now"):
        run(folder.path, **{**SETTINGS, "metrics": ["accuracy"]})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"methods": ["direct", "patient-zero"]}, "patients of one method"),
        ({"cases_per_department": 1}, "there are only 1 cases"),
        ({"dialogues": {"formats": ["json", "json"]}}, "twice"),
        ({"dialogues": {"interactions": ["single"]}}, "interactions"),
    ],
)
def test_what_cannot_be_held_is_refused_at_once(settings: Any, named: str) -> None:
    interviews = {**INTERVIEWS, **settings.get("dialogues", {})}
    with pytest.raises(ValueError, match=named):
        Experiment.model_validate({"name": "x", **SETTINGS, **settings, "dialogues": interviews})


def test_unknown_styles_and_engines_and_missing_raters_are_said_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match="did you mean 'plain'"):
        held(tmp_path / "a", dialogues={"styles": ["plan"]})
    with pytest.raises(UserError, match="did you mean 'batched'"):
        held(tmp_path / "b", dialogues={"triplets": "bached"})
    with pytest.raises(UserError, match="add --rater BACKBONE"):
        held(tmp_path / "c", roles={"generator": "rules", "judge": "rules"})
    with pytest.raises(UserError, match="scores dialogues, and the experiment holds none"):
        run(tmp_path / "d", **SETTINGS)
    assert not list(tmp_path.glob("*/records"))


def test_a_misspelt_setting_of_the_dialogues_is_told(tmp_path: Path) -> None:
    file = experiment(tmp_path / "x.yaml", methods=["direct"], dialogues={"question": 3})
    assert "did you mean 'questions'?" in inside("run", file).error


def test_styles_are_dealt_over_all_departments_and_stay_when_patients_are_added(
    tmp_path: Path,
) -> None:
    found: dict[int, dict[str, str]] = {}
    for each in (2, 3):
        settings = {"patients_per_department": each, "formats": ["json"]}
        whole = held(tmp_path / "run", dialogues=settings)
        found[each] = {one.id: one.style or "" for one in dialogues(whole)["single-with-json"]}
    assert found[2].items() <= found[3].items()
    assert list(found[3].values()) == ["plain", "upset", "verbose", "tangent", "pleasing", "plain"]


def test_the_papers_patients_have_the_styles_in_turn() -> None:
    records = [patient(f"{name}{n}", name, "a cough") for name in "abcdef" for n in range(10)]
    indices = [index for index, _ in patients(records, tuple("abcdef"), 10)]
    assert indices == list(range(60))


def worded(folder: Path, rater: str = "rules") -> Path:
    """The experiment file of a run in which a model is patient, doctor and labeller."""
    return experiment(
        folder / "talked.yaml",
        cases_per_department=2,
        methods=["patient-zero"],
        roles={"generator": "rules", "patient": MODEL, "rater": rater},
        dialogues={
            "patients_per_department": 2,
            "questions": 2,
            "interactions": ["single-with", "cross-without"],
        },
        metrics=["emotional-consistency", "conduct"],
        tables=["table4", "rows"],
    )


def test_a_patient_who_fails_costs_that_dialogue_alone(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    file, folder = worded(tmp_path), tmp_path / "run"
    variables = {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "sk-x"}
    assert inside("run", file, "--out", folder, **variables).code == 0
    first, *_ = dialogues(RunFolder(folder))["single-with-json"]
    assert first.record is not None
    name = first.record.basic_information.name

    openai_server.fail("refusal", when=lambda seen: name in seen.words)
    ended = inside("run", file, "--out", tmp_path / "failed", **variables)
    assert ended.code == 3, ended
    failed = RunFolder(tmp_path / "failed")
    failures = failed.failures()
    assert {failure.item for failure in failures} == {first.id}
    assert Counter(failure.stage for failure in failures) == Counter(
        f"{interaction}/{form}"
        for interaction in ("single-with", "cross-without")
        for form in ("json", "text", "atomic")
    )
    assert {failure.outcome for failure in failures} == {"refusal"}
    for several in dialogues(failed).values():
        assert len(several) == 3
        assert first.id not in {one.id for one in several}
    for scored in failed.scores():
        for score in scored.scores:
            if score.metric == "emotional-consistency":
                assert (score.n, score.n_missing) == (3, 1)

    openai_server.faults.clear()
    ended = inside("run", file, "--out", failed.path, "--retry-failed", **variables)
    assert ended.code == 0, ended
    assert {name: (failed.path / name).read_bytes() for name in TABLES} == {
        name: (folder / name).read_bytes() for name in TABLES
    }


def test_a_plan_counts_what_dialogues_ask(openai_server: OpenAIServer, tmp_path: Path) -> None:
    file = worded(tmp_path, rater=MODEL)
    ended = inside("run", file, "--plan", OPENAI_BASE_URL=openai_server.url, OPENAI_API_KEY="sk-x")
    assert ended.code == 0, ended
    assert openai_server.stats()["total"] == 0
    planned, most = {}, {}
    for line in ended.err.splitlines():
        role, _, rest = line.removeprefix("plan: ").partition(f" {MODEL}: ")
        planned[role] = int(rest.split()[0].replace(",", ""))
        if "made anew" in rest:
            most[role] = int(rest.split()[-2].replace(",", ""))
    assert set(planned) == {"patient", "doctor", "triplets", "rater"}
    # 4 patients, 3 formats, 2 questions in one round and in two.
    turns = 4 * 3 * (2 + 4)
    assert planned["doctor"] == turns
    assert planned["patient"] >= turns  # replies, some made anew, and extractions
    assert 4 * 3 * 2 <= planned["triplets"] < 4 * 3 * 2 * 3
    # Each of the replies that are checked may be made anew five times, and is labelled anew.
    assert set(most) == {"patient", "triplets"}
    checked = 4 * 3 * 2
    assert planned["patient"] < most["patient"] <= planned["patient"] + 5 * checked
    assert 6 * checked <= most["triplets"] <= planned["triplets"] + 5 * checked
    assert 4 * 2 <= planned["rater"] <= 4 * 3 * 2  # dialogues that came out alike are rated once


AT_ONCE = 2
LATENCY = 0.02


def arguments(folder: Path, name: str) -> tuple[object, ...]:
    return "run", worded(folder), "--out", folder / name, "--at-once", AT_ONCE


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Counter[str]]:
    """The tables of a run that nobody killed, and how often each body was asked for."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with serving(LATENCY) as server:
        ended = inside(*arguments(folder, "run"), OPENAI_BASE_URL=f"{server}/v1")
        assert ended.code == 0, ended
        return (
            {name: (folder / "run" / name).read_bytes() for name in TABLES},
            Counter(stats(server)["bodies"]),
        )


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97], ids=["first", "middle", "last"])
def test_killed_in_a_dialogue_and_run_again(
    tmp_path: Path, undisturbed: tuple[dict[str, bytes], Counter[str]], share: float
) -> None:
    wanted, once = undisturbed
    folder = tmp_path / "run"
    with serving(LATENCY) as server:
        variables = {"OPENAI_BASE_URL": f"{server}/v1"}
        process = started(*arguments(tmp_path, "run"), **variables)
        until(lambda: stats(server)["total"] >= share * once.total(), process)
        kill(process)
        assert not (folder / "manifest.json").exists()
        assert not (folder / "table4.csv").exists()

        ended = inside(*arguments(tmp_path, "run"), **variables)
        assert ended.code == 0, ended
        again = Counter(stats(server)["bodies"])
    assert not once - again
    assert (again - once).total() <= AT_ONCE
    assert {name: (folder / name).read_bytes() for name in TABLES} == wanted
    assert json.loads((folder / "manifest.json").read_text())["failures"] == {}


def reproduced(folder: Path, *more: object) -> Experiment:
    """The experiment of a table 4 reproduced as small as can be."""
    small = ("--questions", 1, "--department", "Urology", "--metric", "conduct", "--out", folder)
    ended = inside("reproduce", "table4", *small, *more)
    assert ended.code == 0, ended
    assert "Table 4" in ended.out
    found = RunFolder(folder).experiment()
    assert found is not None
    return found


def test_reproduce_takes_who_talks_and_how_many(tmp_path: Path) -> None:
    small = reproduced(
        tmp_path / "a", "--patients", 2, "--triplets", "rules", "--updating", "algorithm"
    )
    assert small.dialogues is not None
    assert (small.cases_per_department, small.dialogues.patients_per_department) == (2, 2)
    assert (small.dialogues.questions, small.dialogues.updating) == (1, "algorithm")
    assert small.roles.triplets is not None
    assert small.roles.patient is None
    limited = reproduced(tmp_path / "b", "--cases", 1)
    assert limited.dialogues is not None
    assert limited.dialogues.patients_per_department == 1


def test_reproduce_refuses_interviews_of_a_table_without_any() -> None:
    error = inside("reproduce", "table3", "--questions", 3).error
    assert "table3 holds no dialogues" in error
