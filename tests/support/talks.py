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

Said = tuple[str, str]
"""A question and its answer."""


def talk(identity: str, *rounds: Sequence[Said | Exchange], **fields: Any) -> Dialogue:
    """A dialogue from the questions and answers of its rounds."""

    def exchange(said: Said | Exchange) -> Exchange:
        return said if isinstance(said, Exchange) else Exchange(question=said[0], answer=said[1])

    made = tuple(Round(exchanges=tuple(map(exchange, part))) for part in rounds)
    return Dialogue(id=identity, rounds=made, **fields)


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
rounds = st.builds(Round, exchanges=st.lists(exchanges, min_size=1, max_size=3).map(tuple))
dialogues = st.builds(
    Dialogue,
    id=words,
    department=texts,
    style=st.sampled_from(["plain", "upset", "of their own"]),
    format=st.sampled_from([None, "json", "text", "atomic"]),
    updating=st.sampled_from(["none", "strict", "algorithm"]),
    rounds=st.lists(rounds, min_size=1, max_size=2).map(tuple),
    record=st.none() | records,
    origin=st.none() | st.builds(DialogueOrigin, patient=words, doctor=words, triplets=texts),
)
