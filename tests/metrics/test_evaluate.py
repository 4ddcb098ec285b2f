"""Any local `evaluate` metric as one of ours: over pairs a kernel, over records whole scores."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patients import ONE, compared, context, figure, paired, patient

from bench.api.adapters import method_of, whole_scores
from bench.api.item import Items
from bench.core.errors import UserError
from bench.journal.journal import Journal
from bench.records.record import PatientRecord
from metrics.evaluate import Evaluate

pytest.importorskip("evaluate")
SCRIPT = """
import datasets
import evaluate


class Given(evaluate.Metric):
    def _info(self):
        features = datasets.Features({FEATURES})
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=features
        )

    def _compute(self, COLUMNS):
        COMPUTE
"""
TEXT = 'datasets.Value("string")'
FIRST = (
    f'{{"predictions": {TEXT}, "references": {TEXT}}}',
    "predictions, references",
    'return {"score": len(set(predictions[0].split()) & set(references[0].split())) '
    "/ len(predictions[0].split())}",
)
"""The share of the first text's words that the second has: not symmetric."""
LENGTHS = (
    f'{{"data": {TEXT}}}',
    "data",
    'return {"lengths": [len(text) for text in data], "total": sum(map(len, data))}',
)


@pytest.fixture(scope="module", autouse=True)
def offline(hf_home: Path) -> Iterator[None]:
    """Every cache of Hugging Face's in a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        import datasets.config
        import evaluate.config

        patch.setattr(datasets.config, "HF_DATASETS_CACHE", hf_home / "datasets")
        patch.setattr(evaluate.config, "DOWNLOADED_EVALUATE_PATH", hf_home / "downloads")
        patch.setattr(evaluate.config, "HF_METRICS_CACHE", hf_home / "metrics")
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", hf_home / "modules")
        patch.setattr(sys, "path", [*sys.path])
        yield


def script(folder: Path, name: str, parts: tuple[str, str, str]) -> str:
    path = folder / name / f"{name}.py"
    path.parent.mkdir()
    text = SCRIPT
    for mark, part in zip(("{FEATURES}", "COLUMNS", "COMPUTE"), parts, strict=True):
        text = text.replace(mark, part)
    path.write_text(text)
    return str(path.parent)


def records(*texts: str, department: str = "urology") -> list[PatientRecord]:
    return [patient(f"{department}-{i}", department, text) for i, text in enumerate(texts)]


def overlap(one: str, other: str) -> float:
    words = ("female 50 angina " + one).split(), ("female 50 angina " + other).split()
    shared = len(set(words[0]) & set(words[1]))
    return (shared / len(words[0]) + shared / len(words[1])) / 2


def test_over_pairs_both_directions_count_and_keys_are_kept(tmp_path: Path) -> None:
    path = script(tmp_path, "overlap", FIRST)
    metric = Evaluate(path=path, better="lower", view="values")
    texts = ("pain", "pain in the leg", "a cough")
    some = [*records(*texts), *records("fever", "fever", department="surgery")]

    async def run() -> None:
        journal = Journal.open(None)
        found = await paired(metric, context(journal), some)
        score = figure(found.scores[ONE])
        pairs = [overlap(texts[a], texts[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
        assert figure(found.scores[ONE], group="urology").value == pytest.approx(sum(pairs) / 3)
        assert score.value == pytest.approx((sum(pairs) / 3 + 1.0) / 2)
        assert score.signature.endswith("|dir:both|view:values|pairs:department|mean:macro")
        keys = [evaluation.keys for evaluation in found.evaluations[ONE]]
        assert [len(behind) for behind in keys] == [2, 2, 2, 1, 1]
        assert len({key for behind in keys for key in behind}) == 4 == len(journal)
        assert set(keys[0]) & set(keys[1])
        await journal.close()

    asyncio.run(run())


def test_over_records_it_gives_whole_scores(tmp_path: Path) -> None:
    path = script(tmp_path, "lengths", LENGTHS)
    options: Any = {"path": path, "better": "lower", "over": "records", "view": "values"}
    some = records("pain", "pain in the leg", "a cough")

    async def run() -> None:
        journal = Journal.open(None)
        given = context(journal)
        each, total = (Evaluate(result=name, **options) for name in ("lengths", "total"))
        assert method_of(each) == "score"
        (score,), values, keys = whole_scores(
            await each.score(Items(some), given), each.card, Items(some)
        )
        lengths = [len(f"female\n50\nangina\n{text}") for text in ("pain", "pain in the leg",
                                                                   "a cough")]  # fmt: skip
        assert list(values.values()) == lengths
        assert (score.metric, score.n) == ("evaluate:lengths.lengths", 3)
        assert score.value == pytest.approx(sum(lengths) / 3)
        assert score.interval is not None
        (entry,) = {key for behind in keys.values() for key in behind}
        found = journal.get(entry)
        assert found is not None
        assert json.loads(found.body) == lengths
        (whole,), values, _ = whole_scores(
            await total.score(Items(some), given), total.card, Items(some)
        )
        assert (whole.value, whole.interval, values) == (sum(lengths), None, {})
        assert whole.notes == ("one figure for all records: no interval",)
        (nothing,), _, _ = whole_scores(await each.score(Items([]), given), each.card, Items([]))
        assert (nothing.value, nothing.n) == (None, 0)
        await journal.close()

    asyncio.run(run())


def test_a_script_for_single_texts_takes_no_pairs(tmp_path: Path) -> None:
    metric = Evaluate(path=script(tmp_path, "lengths", LENGTHS), better="lower")

    async def run() -> None:
        journal = Journal.open(None)
        try:
            await compared(metric, records("a", "b"), records("a", "b"), context(journal))
        finally:
            await journal.close()

    with pytest.raises(UserError, match="takes data: over='pairs' is for two texts"):
        asyncio.run(run())
