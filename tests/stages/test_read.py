"""The stage `read`: records and dialogues of a file, made elsewhere, and what comes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_dialogues import dialogue
from patients import patient
from rules_run import install, results_of, score_in, small

from bench.core.errors import UserError
from bench.core.registry import METRICS
from bench.experiments.plan import estimate
from bench.records.dataset import to_dataset
from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import write_dialogues
from bench.records.record import PatientRecord
from bench.records.record_files import ItemFile, json_line, write_records
from bench.report.results import Results
from bench.runs.folder import RunFolder

PATIENTS = [
    patient("P1", "Urology", "burning when passing water\nfever"),
    patient("P2", "Urology", "pain in the flank\nfever"),
    patient("P3", "Marvels", "green spots on both palms"),
]
DIALOGUES = [
    dialogue("P1", [("How are you?", "It burns."), ("Any fever?", "Yes, at night.")]),
    dialogue("P2", [("How are you?", "It burns."), ("Any fever?", "It burns.")]),
    dialogue("P9", [("How are you?", "My flank hurts. I feel cold. I am tired. So.")]),
]


def read(folder: Path, file: Path, *metrics: str, **changed: Any) -> Results:
    """The results of a file's items."""
    records = changed.pop("records", None)
    section = {"file": str(file)} | ({"records": str(records)} if records else {})
    settings: dict[str, Any] = {"roles": {}, "metrics": metrics, "tables": []}
    return results_of(folder, generate=None, read=section, **settings | changed)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    write_records(path, PATIENTS)
    return path


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    path = tmp_path / "talks.jsonl"
    write_dialogues(path, DIALOGUES)
    return path


def items(folder: Path, name: str, model: type[Any]) -> Sequence[Any]:
    return list(ItemFile(folder / f"items/read/{name}.jsonl", model))


def test_records_are_kept_and_scored(tmp_path: Path, records: Path) -> None:
    results = read(tmp_path / "run", records, "bleu")
    assert items(tmp_path / "run", "mine.jsonl", PatientRecord) == PATIENTS
    (result,) = results.select("bleu")
    assert (result.stage, dict(result.cell)) == ("read", {"file": "mine.jsonl"})
    # The lone record of its department is in no pair.
    assert (result.score.n, result.score.stand_in) == (2, False)
    told = results.manifest["stages"]["read"]
    assert told["makes"] == "records"
    assert told["cells"][0]["made"] == 3


def test_records_may_be_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    to_dataset(PATIENTS).to_parquet(path)
    read(tmp_path / "run", path, "bleu")
    assert items(tmp_path / "run", "mine.parquet", PatientRecord) == PATIENTS


def test_a_transcript_is_read(tmp_path: Path) -> None:
    path = tmp_path / "talks.txt"
    write_dialogues(path, DIALOGUES)
    read(tmp_path / "run", path, "conduct")
    kept = items(tmp_path / "run", "talks.txt", Dialogue)
    assert [one.id for one in kept] == ["P1", "P2", "P9"]
    assert [one.exchanges() for one in kept] == [one.exchanges() for one in DIALOGUES]


def test_dialogues_without_a_record_are_given_theirs_by_id(
    tmp_path: Path, records: Path, talks: Path
) -> None:
    results = read(tmp_path / "run", talks, "conduct", records=records)
    kept = items(tmp_path / "run", "talks.jsonl", Dialogue)
    assert [one.record for one in kept] == [PATIENTS[0], PATIENTS[1], None]
    assert [one.department for one in kept] == ["Urology", "Urology", ""]
    (remark,) = results.manifest["stages"]["read"]["remarks"]
    assert remark == "records for 2 of 3 dialogues"
    assert results.manifest["stages"]["read"]["makes"] == "dialogues"
    assert score_in(results, "conduct", "repeated-replies").n == 5
    assert score_in(results, "conduct", "leaked-diagnosis").n == 2
    assert score_in(results, "conduct", "leaked-diagnosis", "department", "Urology").n == 2
    write_records(records, PATIENTS[:1])
    with pytest.raises(UserError, match=r"read\.digest"):
        read(tmp_path / "run", talks, "conduct", records=records)


def test_records_of_other_dialogues_and_of_records_are_refused(
    tmp_path: Path, records: Path, talks: Path
) -> None:
    others = tmp_path / "others.jsonl"
    write_records(others, [patient("X", "Urology", "a cough")])
    with pytest.raises(UserError, match="no record with the id"):
        read(tmp_path / "a", talks, "conduct", records=others)
    with pytest.raises(UserError, match="--records goes with dialogues"):
        read(tmp_path / "b", records, "bleu", records=others)


def test_a_file_may_lie_elsewhere_but_hold_nothing_else(tmp_path: Path, records: Path) -> None:
    folder = tmp_path / "run"
    read(folder, records, "bleu")
    before = (folder / "results.csv").read_bytes()
    (tmp_path / "other").mkdir()
    moved = records.rename(tmp_path / "other/mine.jsonl")
    read(folder, moved, "bleu")
    assert (folder / "results.csv").read_bytes() == before
    write_records(moved, PATIENTS[:2])
    with pytest.raises(UserError, match=r"read\.digest is"):
        read(folder, moved, "bleu")
    assert (folder / "results.csv").read_bytes() == before


def test_the_run_folder_itself_refuses_another_content(tmp_path: Path, records: Path) -> None:
    folder = tmp_path / "run"
    read(folder, records, "bleu")
    kept = RunFolder(folder).experiment()
    assert kept is not None
    write_records(records, PATIENTS[:2])
    with pytest.raises(UserError, match="its content has changed"):
        results_of(folder, **{"generate": None, **kept})


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "it is empty"),
        ('{"x": 1}\n', "neither a dialogue"),
        ("no json\n", "line 1"),
        (json_line(PATIENTS[0]) + '{"id": "P4"}\n', "line 2"),
    ],
)
def test_a_file_without_items_is_refused(tmp_path: Path, content: str, named: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(UserError, match=named):
        read(tmp_path / "run", path, "bleu")
    assert not (tmp_path / "run/results.csv").exists()
    empty = tmp_path / "empty.txt"
    empty.touch()
    with pytest.raises(UserError, match="no dialogues"):
        read(tmp_path / "run", empty, "conduct")
    with pytest.raises(UserError, match="there is no file"):
        read(tmp_path / "run", tmp_path / "nowhere.jsonl", "bleu")


def test_metrics_of_other_items_are_refused(tmp_path: Path, records: Path, talks: Path) -> None:
    with pytest.raises(UserError, match="'conduct' scores dialogues"):
        read(tmp_path / "a", records, "conduct")
    with pytest.raises(UserError, match="'bleu' scores records"):
        read(tmp_path / "b", talks, "bleu")


def test_a_foreign_metric_scores_foreign_records(
    tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Complaints:
        """A metric that imports nothing of ours; one record it cannot score."""

        card: dict[str, Any] = {
            "name": "complaints",
            "summary": "",
            "unit": "complaints",
            "better": "lower",
        }

        async def evaluate(self, item: Any, context: Any) -> dict[str, Any]:
            if item.id == "P3":
                raise KeyError("spots")
            return {"values": {"": float(len(item.disease_information.symptoms))}}

    install(monkeypatch, METRICS, "complaints", Complaints)
    results = read(tmp_path / "run", records, "complaints")
    score = score_in(results, "complaints")
    assert (score.value, score.n, score.n_missing) == (2.0, 2, 1)
    (failure,) = RunFolder(tmp_path / "run").failures()
    assert (failure.item, failure.stage, failure.metric) == ("P3", "read", "complaints")
    assert failure.cell == {"file": "mine.jsonl"}


def test_a_plan_of_a_file_counts_its_judge(tmp_path: Path, talks: Path) -> None:
    experiment = small(
        generate=None,
        read={"file": str(talks)},
        roles={"rater": "openai/words", "judge": "openai/other"},
        metrics=["fluency"],
        tables=[],
    )
    costs = [(cost.role, cost.exchanges) for cost in estimate(experiment)]
    assert costs == [("rater", 3)]
