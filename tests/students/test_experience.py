"""What is nearest to a question, however much is held."""

import asyncio
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.students.experience import (
    DECIMALS,
    Experience,
    ExperienceEntry,
    Limits,
    count_words,
)

WIDTH = 8


class Encoder:
    """Gives every text the same direction; what is held brings its own."""

    async def embed(self, texts: list[str]) -> np.ndarray:
        return np.eye(1, WIDTH, dtype=np.float32).repeat(len(texts), axis=0)


LOAD: Any = Encoder


def entry(at: int) -> ExperienceEntry:
    kind = "case" if at % 2 else "rule"
    return ExperienceEntry(
        id=f"{kind} {at}", kind=kind, after=at // 3 + 1, record=f"P{at}", text="word", about="x"
    )


@settings(deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.just(WIDTH)),
        elements=st.floats(-1, 1, width=16),
    ),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 15),
)
def test_the_nearest_are_those_found_one_by_one(
    vectors: np.ndarray, k_cases: int, k_rules: int, cases: int
) -> None:
    entries = tuple(map(entry, range(len(vectors))))
    experience = Experience(entries, vectors).after(cases)
    held = [(one, row) for one, row in zip(entries, vectors, strict=True) if one.after <= cases]
    assert experience.entries == tuple(one for one, _ in held)
    ranked = [one for one, _ in sorted(held, key=lambda pair: -round(float(pair[1][0]), DECIMALS))]
    wanted = {
        kind: [one.id for one in ranked if one.kind == kind][:k]
        for kind, k in (("case", k_cases), ("rule", k_rules))
    }
    limits = Limits(k_cases, k_rules, budget=100)
    recalled = asyncio.run(experience.recall("?", limits, LOAD))
    for kind, ids in wanted.items():
        assert [one.id for one in recalled if one.kind == kind] == ids


def test_what_is_added_stands_behind_what_was_held() -> None:
    async def scene() -> tuple[Experience, Experience]:
        first = await Experience().plus([entry(0), entry(1)], LOAD)
        return first, await first.plus([entry(2)], LOAD)

    first, second = asyncio.run(scene())
    assert [one.record for one in second.entries] == ["P0", "P1", "P2"]
    assert second.vectors is not None
    assert len(first.entries) == 2
    assert second.vectors.shape == (3, WIDTH)


def test_long_words_count_more_than_once() -> None:
    assert count_words("a patient of seventy") == 4
    assert count_words("x" * 12) == 1
    assert count_words("x" * 13) == 2
    assert count_words("病" * 5000) == 417
