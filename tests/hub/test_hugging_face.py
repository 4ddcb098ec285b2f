"""Our metrics for `evaluate`, `evaluate` metrics for us, records as datasets: all offline.

One file, so that the 8 seconds of importing `evaluate` are paid once.
"""

import asyncio
import importlib
import json
import socket
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patients import ONE, compared, departments, figure, paired, patient, scored
from rules_run import LIBRARY
from strategies import records as any_record

from bench.api.adapters import make_metric
from bench.api.choice import Choice
from bench.api.context import Context
from bench.api.pair_metric import view_text
from bench.api.score import Score
from bench.backbones.respondent import Respondent
from bench.core.errors import UserError
from bench.core.registry import METRICS
from bench.hub import evaluate_metric
from bench.journal.journal import Journal
from bench.records.dataset import from_dataset, to_dataset
from bench.records.record import PatientRecord
from bench.records.record_files import RecordFile, json_line, write_records
from bench.runs.roles import make_backbone
from benchmarks.corpus import notes

RECORDS = [
    patient(f"{department}-{i}", department, text)
    for department, seed in (("urology", 1), ("psychiatry", 2))
    for i, text in enumerate(notes(5, seed, shortest=10, longest=30))
]
LENGTHS = """
    import datasets
    import evaluate
    class Lengths(evaluate.Measurement):
        def _info(self):
            return evaluate.MeasurementInfo(
                description="", citation="", inputs_description="",
                features=datasets.Features({"data": datasets.Value("string")}),
            )
        def _compute(self, data):
            lengths = [len(text) for text in data]
            return {"lengths": lengths, "total": sum(lengths), "longest": str(max(lengths))}
"""
SHARED = """
    import datasets
    import evaluate
    class Shared(evaluate.Metric):
        def _info(self):
            return evaluate.MetricInfo(
                description="", citation="", inputs_description="",
                features=datasets.Features(
                    {name: datasets.Value("string") for name in ("predictions", "references")}
                ),
            )
        def _compute(self, predictions, references, floor=0.0):
            (one,), (other,) = predictions, references
            a, b = set(one.split()), set(other.split())
            return {"shared": max(floor, len(a & b) / len(a))}
"""


@pytest.fixture(scope="module", autouse=True)
def offline(hf_home: Path) -> Iterator[None]:
    """No network, and every cache of Hugging Face's in a folder of the test's own."""
    tried: set[object] = set()

    def refuse(host: object, *_: Any, **__: Any) -> None:
        tried.add(host)
        raise OSError("there is no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(socket, "getaddrinfo", refuse)
        import datasets.config
        import evaluate.config

        patch.setattr(datasets.config, "HF_DATASETS_CACHE", hf_home / "datasets")
        patch.setattr(evaluate.config, "DOWNLOADED_EVALUATE_PATH", hf_home / "downloads")
        patch.setattr(evaluate.config, "HF_METRICS_CACHE", hf_home / "metrics")
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", hf_home / "modules")
        patch.setattr(sys, "path", [*sys.path])
        yield
    assert tried <= {"example.org"}


def script(folder: Path, name: str, text: str) -> str:
    """A metric as a folder that `evaluate.load` takes."""
    (folder / name).mkdir()
    (folder / name / f"{name}.py").write_text(textwrap.dedent(text))
    return str(folder / name)


def native(
    name: str,
    records: list[PatientRecord] = RECORDS,
    roles: dict[str, str] | None = None,
    journal: Path | None = None,
    **options: Any,
) -> list[Score]:
    """The scores of a metric without a run."""
    metric = make_metric(Choice(name=name, options=options))

    async def score() -> list[Score]:
        kept = Journal.open(journal)
        answering = {
            role: Respondent(role, make_backbone(Choice(name=model), LIBRARY), kept)
            for role, model in (roles or {}).items()
        }
        given = Context(kept, LIBRARY, answering)
        try:
            return await scored(metric, records, given)
        finally:
            await kept.close()

    return asyncio.run(score())


# Ours for evaluate


def equals(found: dict[str, Any], scores: list[Score]) -> bool:
    told: dict[str, Any] = {"n": scores[0].n, "signature": scores[0].signature}
    for score in scores:
        if score.by == "all":
            name = f"{score.metric}/{score.part}" if score.part else score.metric
            told[name] = score.value
            told[f"{name}_ci_low"] = score.interval and score.interval.low
            told[f"{name}_ci_high"] = score.interval and score.interval.high
    settings = {"n_missing", "notes"}
    return told.items() <= found.items() and found.keys() == told.keys() | settings


@pytest.mark.parametrize("form", [json_line, lambda r: r, lambda r: r.model_dump(mode="json")])
def test_a_metric_gives_the_same_through_evaluate(form: Any) -> None:
    found = evaluate_metric("bleu").compute(predictions=[form(record) for record in RECORDS])
    assert equals(found, native("bleu"))


def test_options_and_roles_are_passed_on() -> None:
    metric = evaluate_metric("rouge-l", options={"view": "values"})
    assert equals(metric.compute(predictions=RECORDS), native("rouge-l", view="values"))
    roles = {"judge": "rules"}
    known = [patient(f"k{i}", "orthopedics", "pain", disease="sciatica") for i in range(3)]
    scores = native("accuracy", known, roles)
    assert scores[0].n == len(known)
    assert equals(evaluate_metric("accuracy", roles=roles).compute(predictions=known), scores)


def test_a_metric_works_where_a_loop_runs_already() -> None:
    async def cell() -> Any:
        return evaluate_metric("bleu").compute(predictions=RECORDS)

    assert equals(asyncio.run(cell()), native("bleu"))


def test_records_can_be_added_in_batches_and_one_by_one() -> None:
    metric = evaluate_metric("bleu", keep_in_memory=True)
    metric.add_batch(predictions=RECORDS[:6])
    for record in RECORDS[6:]:
        metric.add(prediction=record)
    assert equals(metric.compute(), native("bleu"))
    assert equals(metric.compute(predictions=RECORDS[:5]), native("bleu", RECORDS[:5]))


def test_two_combine_like_any_others() -> None:
    import evaluate

    both = evaluate.combine([evaluate_metric("bleu"), evaluate_metric("rouge-l")])
    found = both.compute(predictions=[json_line(record) for record in RECORDS])
    bleu, rouge = figure(native("bleu")), figure(native("rouge-l"))
    assert (found["bleu"], found["rouge-l"]) == (bleu.value, rouge.value)
    assert (found["bleu_signature"], found["rouge-l_signature"]) == (
        bleu.signature,
        rouge.signature,
    )


def test_faults_are_said_in_one_sentence() -> None:
    with pytest.raises(UserError, match="did you mean 'bleu'"):
        evaluate_metric("blue")
    with pytest.raises(UserError, match="no option 'vew'; did you mean 'view'"):
        evaluate_metric("bleu", options={"vew": "full"})
    with pytest.raises(UserError, match="record 2: field disease_information: Field required"):
        bad = RECORDS[1].model_dump(mode="json", exclude={"disease_information"})
        evaluate_metric("bleu").compute(predictions=[RECORDS[0], bad])
    with pytest.raises(UserError, match="not JSON"):
        evaluate_metric("bleu").compute(predictions=["chest pain"])
    with pytest.raises(UserError, match="id 'urology-0' stands in record 1 too"):
        evaluate_metric("bleu").compute(predictions=[RECORDS[0], RECORDS[0]])
    with pytest.raises(UserError, match="nobody is named for the role 'judge'"):
        evaluate_metric("accuracy").compute(predictions=RECORDS)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("evaluate", "datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "bench.hub")
    with pytest.raises(UserError, match=r"pip install 'patient-zero-bench\[hf\]'"):
        importlib.import_module("bench.hub")
    with pytest.raises(UserError, match=r"pip install 'patient-zero-bench\[hf\]'"):
        to_dataset(RECORDS)


# Evaluate for us


def shared(one: PatientRecord, other: PatientRecord) -> float:
    a, b = (set(view_text(record, "full").split()) for record in (one, other))
    return (len(a & b) / len(a) + len(a & b) / len(b)) / 2


def test_a_local_metric_is_scored_over_pairs(tmp_path: Path) -> None:
    path = script(tmp_path, "shared", SHARED)
    scores = native("evaluate", path=path, better="lower")
    score = figure(scores)
    for department in ("urology", "psychiatry"):
        group = [record for record in RECORDS if record.department == department]
        pairs = [shared(a, b) for i, a in enumerate(group) for b in group[:i]]
        assert departments(scores)[department] == pytest.approx(sum(pairs) / len(pairs))
    assert (score.metric, score.better, score.n) == ("evaluate:shared", "lower", 10)
    assert score.interval is not None
    assert "script:" in score.signature and "|evaluate:0." in score.signature
    floored = figure(native("evaluate", path=path, better="lower", kwargs={"floor": 1.0}))
    assert floored.value == 1
    assert floored.signature != score.signature


def test_pairs_once_computed_are_taken_from_the_journal(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    noted = f"open({str(asked)!r}, 'a').write('.'); (one,), (other,)"
    path = script(tmp_path, "shared", SHARED.replace("(one,), (other,)", noted))
    journal = tmp_path / "journal.sqlite"
    first = native("evaluate", RECORDS[:4], journal=journal, path=path, better="lower")
    assert asked.read_text() == "." * 12
    assert native("evaluate", RECORDS[:4], journal=journal, path=path, better="lower") == first
    assert asked.read_text() == "." * 12
    native("evaluate", RECORDS[:5], journal=journal, path=path, better="lower")
    assert asked.read_text() == "." * 20


def test_every_item_names_the_pairs_behind_it(tmp_path: Path) -> None:
    path = script(tmp_path, "shared", SHARED)
    metric = make_metric(Choice(name="evaluate", options={"path": path, "better": "lower"}))

    async def keys() -> list[tuple[str, ...]]:
        journal = Journal.open(None)
        found = await paired(metric, Context(journal, LIBRARY), RECORDS[3:7])
        assert all(journal.get(key) for one in found.evaluations[ONE] for key in one.keys)
        await journal.close()
        return [one.keys for one in found.evaluations[ONE]]

    behind = asyncio.run(keys())
    assert [len(some) for some in behind] == [1, 1, 1, 1]
    assert behind[0] == behind[1] != behind[2] == behind[3]


def test_a_local_measurement_is_scored_over_records(tmp_path: Path) -> None:
    path = script(tmp_path, "lengths", LENGTHS)
    options: Any = {"path": path, "better": "lower", "result": "total"}
    scores = native("evaluate", **options)
    score = figure(scores)
    assert score.metric == "evaluate:lengths.total"
    lengths = [len(view_text(record, "full")) for record in RECORDS]
    assert score.value == pytest.approx(sum(lengths) / 10)
    assert score.interval is not None
    assert departments(scores)["urology"] == pytest.approx(sum(lengths[:5]) / 5)


def test_two_methods_are_compared(tmp_path: Path) -> None:
    other = [
        patient(record.id, record.department, text)
        for record, text in zip(RECORDS, notes(10, 9, shortest=10, longest=30), strict=True)
    ]
    sides = (RECORDS, other[:-1])

    async def difference(**options: Any) -> list[Score]:
        metric = make_metric(Choice(name="evaluate", options={"better": "lower", **options}))
        journal = Journal.open(None)
        given = Context(journal, LIBRARY)
        try:
            return await compared(metric, *sides, given)
        finally:
            await journal.close()

    lengths, pairs = (script(tmp_path, n, t) for n, t in (("lengths", LENGTHS), ("shared", SHARED)))
    found = figure(asyncio.run(difference(path=lengths, result="lengths")))
    assert (found.n, found.metric) == (9, "evaluate:lengths.lengths")
    assert figure(asyncio.run(difference(path=pairs))).n == 9


def test_faults_of_a_script_are_said_in_one_sentence(tmp_path: Path) -> None:
    lengths = script(tmp_path, "lengths", LENGTHS)
    with pytest.raises(UserError, match=r"no evaluate script .*bleu\.py: .*the hub is not asked"):
        native("evaluate", path="bleu", better="lower")
    with pytest.raises(UserError, match=r"refuses its options.*'better'"):
        native("evaluate", path=lengths)
    with pytest.raises(UserError, match="gives lengths, total, longest: name one"):
        native("evaluate", path=lengths, better="lower")
    with pytest.raises(UserError, match="gives longest="):
        native("evaluate", path=lengths, better="lower", result="longest")
    for name, text in (
        ("lacking", "import no_such_library\n"),
        ("remote", "from .far import far  # From: https://example.org/far.py\n"),
        ("empty", ""),
        ("broken", "def"),
    ):
        with pytest.raises(UserError, match=rf"{name}\.py cannot be loaded"):
            native("evaluate", path=script(tmp_path, name, text), better="lower")


def test_a_metric_that_needs_an_option_is_known_by_it() -> None:
    options = METRICS.options("evaluate")
    needed = [name for name, option in options.items() if option.default is option.empty]
    assert needed == ["path", "better"]


# Records as datasets


@given(st.lists(any_record, max_size=4, unique_by=lambda record: record.id))
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_records_come_back_from_a_dataset(some: list[PatientRecord]) -> None:
    assert list(from_dataset(to_dataset(record for record in some))) == some


def test_a_dataset_is_typed_by_the_record() -> None:
    from datasets import List, Value

    dataset = to_dataset(RECORDS)
    assert dataset.features["basic_information"]["age"] == Value("int64")
    assert dataset.features["disease_information"]["symptoms"] == List(Value("string"))
    assert dataset.features["profile"]["pain"] == Value("float64")
    assert dataset[3]["id"] == "urology-3"


@pytest.mark.parametrize("kind", ["parquet", "json"])
@pytest.mark.parametrize("streaming", [False, True])
def test_files_of_ours_are_read_by_datasets(tmp_path: Path, kind: str, streaming: bool) -> None:
    from datasets import load_dataset

    path = tmp_path / f"records.{kind}"
    if kind == "parquet":
        to_dataset(RECORDS).to_parquet(path)
    else:
        write_records(path, RECORDS)
    dataset = load_dataset(kind, data_files=str(path), split="train", streaming=streaming)
    assert list(from_dataset(dataset)) == RECORDS
    if not streaming:
        found = evaluate_metric("bleu").compute(predictions=list(dataset))
        assert equals(found, native("bleu"))


def test_a_bad_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(json_line(RECORDS[0]) + "{}\n")
    with pytest.raises(UserError, match=r"records\.jsonl, line 2: field"):
        to_dataset(RecordFile(path))
    rows = [json.loads(json_line(RECORDS[0])), {"id": "x"}]
    with pytest.raises(UserError, match="the dataset, row 2: field"):
        list(from_dataset(rows))
