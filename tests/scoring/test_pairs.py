import asyncio
from itertools import combinations

import numpy as np
import pytest
from patients import context, patient

from bench.api.context import Context
from bench.api.metric import Items, Score
from bench.journal.journal import Journal
from bench.records.record import PatientRecord
from bench.scoring.intervals import Interval
from bench.scoring.pairs import KernelDifference, Matrix, MatrixKernel, moments, view_text
from benchmarks.corpus import notes
from metrics.rouge_l import RougeL, rouge_l_kernel


def symmetric(n: int, seed: int) -> Matrix:
    matrix = np.random.default_rng(seed).random((n, n))
    return (matrix + matrix.T) / 2


def similarity(one: PatientRecord, other: PatientRecord) -> float:
    texts = [view_text(record, "full") for record in (one, other)]
    return float(rouge_l_kernel(texts).block(slice(0, 1), slice(1, 2))[0, 0])


def pair_mean(records: list[PatientRecord]) -> float:
    return float(np.mean([similarity(a, b) for a, b in combinations(records, 2)]))


def patients(seed: int, departments: tuple[str, ...], n: int = 5) -> list[PatientRecord]:
    texts = notes(n * len(departments), seed, shortest=10, longest=40)
    return [
        patient(f"{department}-{i}", department, texts[n * number + i])
        for number, department in enumerate(departments)
        for i in range(n)
    ]


def score(records: list[PatientRecord], metric: RougeL | None = None, missing: int = 0) -> Score:
    async def run() -> Score:
        given = context_of()
        (found,) = await (metric or RougeL()).score(Items(records, missing), given)
        await given.journal.close()
        return found

    return asyncio.run(run())


def compare(
    first: list[PatientRecord], second: list[PatientRecord]
) -> tuple[float, Interval | None, int] | None:
    async def run() -> tuple[float, Interval | None, int] | None:
        given = context_of()
        found = await RougeL().compare(Items(first), Items(second), given)
        await given.journal.close()
        return found

    return asyncio.run(run())


def context_of() -> Context:
    return context(Journal.open(None))


def test_moments_are_the_sums_whatever_the_blocks() -> None:
    matrix = symmetric(1100, 1)
    found = moments(MatrixKernel(matrix))
    np.fill_diagonal(matrix, 0)
    assert found.row_sums == pytest.approx(matrix.sum(axis=1))
    assert found.sum_of_squares == pytest.approx(float((matrix**2).sum()))


def test_moments_ignore_the_diagonal() -> None:
    matrix = symmetric(6, 2)
    other = matrix.copy()
    np.fill_diagonal(other, np.nan)
    assert moments(MatrixKernel(other)).mean == moments(MatrixKernel(matrix)).mean


def test_difference_of_kernels_is_the_difference_of_brute_forces() -> None:
    a, b = symmetric(600, 3), symmetric(600, 4)
    found = moments(KernelDifference(MatrixKernel(a), MatrixKernel(b)))
    upper = np.triu_indices(600, 1)
    assert found.mean == pytest.approx(a[upper].mean() - b[upper].mean(), abs=1e-12)
    assert found.sum_of_squares == pytest.approx(2 * float(((a - b)[upper] ** 2).sum()))


def test_score_is_the_macro_mean_of_departments() -> None:
    records = patients(1, ("cardiology", "urology"))
    found = score(records, missing=2)
    parts = [pair_mean(records[:5]), pair_mean(records[5:])]
    assert found.value == pytest.approx(np.mean(parts))
    assert found.departments == pytest.approx({"cardiology": parts[0], "urology": parts[1]})
    assert found.interval is not None
    assert (found.n, found.n_missing) == (10, 2)
    assert found.notes == ("a group has fewer than 10 records: the interval may be too narrow",)
    first = np.mean([similarity(records[0], other) for other in records[1:5]])
    assert found.items["cardiology-0"] == pytest.approx(first)
    assert found.signature.endswith("|view:full|pairs:department|mean:macro")


def test_a_lone_record_is_missing_and_said() -> None:
    records = [*patients(2, ("cardiology",)), patient("lone", "urology", "a dry cough")]
    found = score(records)
    assert (found.n, found.n_missing) == (5, 1)
    assert found.notes[0] == "1 group(s) of one record left out"
    assert score(records[-1:]).value is None
    assert score([]).notes == ("no two records to compare",)


def test_order_of_departments_and_records_keeps_the_value() -> None:
    records = patients(3, ("cardiology", "urology"))
    assert score(records[::-1]).value == pytest.approx(score(records).value, abs=1e-15)


def test_names_and_ids_are_not_compared() -> None:
    twins = [patient(f"p{i}", "cardiology", "chest pain") for i in range(2)]
    assert score(twins).value == 1


def test_values_view_leaves_out_headings() -> None:
    record = patient("p", "cardiology", "chest pain")
    assert "Symptoms" in view_text(record, "full")
    assert view_text(record, "values").split("\n") == ["female", "50", "angina", "chest pain"]


@pytest.mark.parametrize(("pairs", "groups"), [("corpus", 1), ("disease", 2)])
def test_other_groupings(pairs: str, groups: int) -> None:
    texts = notes(6, 4, shortest=10, longest=20)
    records = [
        patient(f"p{i}", f"d{i % 3}", text, disease=("Gout", "gout", "Asthma")[i // 2])
        for i, text in enumerate(texts)
    ]
    found = score(records, RougeL(pairs=pairs))  # type: ignore[arg-type]
    assert len(found.departments) == groups


def test_comparison_is_on_the_cases_both_have() -> None:
    first, second = (patients(seed, ("cardiology", "urology")) for seed in (5, 6))
    del first[1], second[7]
    found = compare(first, second)
    assert found is not None
    value, interval, n = found
    shared = {record.id for record in first} & {record.id for record in second}
    expected = []
    for department in ("cardiology", "urology"):
        means = [
            pair_mean([r for r in side if r.id in shared and r.department == department])
            for side in (first, second)
        ]
        expected.append(means[0] - means[1])
    assert value == pytest.approx(np.mean(expected))
    assert n == 8
    assert interval is not None
    assert interval.low < value < interval.high


def test_comparison_with_itself_is_nothing() -> None:
    records = patients(7, ("cardiology",))
    found = compare(records, records)
    assert found is not None
    assert found[0] == 0
    assert found[1] is not None
    assert (found[1].low, found[1].high) == (0, 0)


def test_too_few_shared_cases_compare_to_none() -> None:
    assert compare(patients(8, ("cardiology",)), patients(8, ("urology",))) is None
