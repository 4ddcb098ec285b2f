"""Dialogues for tests: made by hand, and Hypothesis strategies."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from strategies import characters, records, words

from bench.records.dialogue import (
    Attempt,
    Dialogue,
    DialogueOrigin,
    Exchange,
    Fact,
    Learned,
    Round,
)

Turns = tuple[str, str | None]
"""A question and its answer; none for a closing turn of the doctor."""


def dialogue(identity: str, *rounds: Sequence[Turns | Exchange], **fields: Any) -> Dialogue:
    """A dialogue from the questions and answers of its rounds."""

    def exchange(turns: Turns | Exchange) -> Exchange:
        if isinstance(turns, Exchange):
            return turns
        return Exchange(question=turns[0], answer=turns[1])

    sittings = tuple(Round(exchanges=tuple(map(exchange, sitting))) for sitting in rounds)
    return Dialogue(id=identity, rounds=sittings, **fields)


texts = st.text(characters, max_size=40)
labels = st.dictionaries(
    st.sampled_from(["F1", "F2", "F3"]), st.sampled_from(["entail", "contradict"])
)
facts = st.builds(
    Fact,
    id=st.sampled_from(["F1", "F27"]),
    text=words,
    field=texts,
    round=st.none() | st.integers(1, 2),
    turn=st.none() | st.integers(1, 13),
)
exchanges = st.builds(
    Exchange,
    question=texts,
    answer=texts,
    attempts=st.lists(st.builds(Attempt, reply=texts, labels=labels), max_size=2).map(tuple),
    flagged=st.booleans(),
    learned=st.lists(st.builds(Learned, fact=facts, reply=texts, labels=labels), max_size=1).map(
        tuple
    ),
    calls=st.integers(0, 9),
    keys=st.just(("ab",)),
)
closing = st.builds(Exchange, question=texts)
rounds = st.builds(
    lambda answered, closed: Round(exchanges=(*answered, *closed)),
    st.lists(exchanges, min_size=1, max_size=3),
    st.lists(closing, max_size=1),
)
dialogues = st.builds(
    Dialogue,
    id=words,
    department=texts,
    manner=st.fixed_dictionaries(
        {"style": st.sampled_from(["plain", "upset", "of their own"])},
        optional={"recall": st.sampled_from(["high", "low"])},
    ),
    format=st.sampled_from([None, "json", "text", "atomic", "of their own"]),
    updating=st.sampled_from(["none", "strict", "algorithm"]),
    rounds=st.lists(rounds, min_size=1, max_size=3).map(tuple),
    record=st.none() | records,
    origin=st.none() | st.builds(DialogueOrigin, patient=words, doctor=words, triplets=texts),
)
