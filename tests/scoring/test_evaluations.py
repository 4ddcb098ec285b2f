"""From items to evaluations: whatever a metric gives or raises for one item concerns that item."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_dialogues import dialogue
from patients import evaluated, patient

from bench.api.context import Context
from bench.api.evaluation import Evaluation, Reason
from bench.api.failure import Failure
from bench.api.item import PlainItem
from bench.api.metric import MetricCard, PartCard
from bench.backbones.prompt import Refused
from bench.core.errors import UserError
from bench.scoring.evaluations import EvaluationFile, as_line

CARD = MetricCard(
    "m", "", "points", "higher", per="answer", parts=(PartCard("by-answer", per="answer"),
                                                      PartCard("by-item"))
)  # fmt: skip
numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3).map(tuple)
names = st.sampled_from(["", "part"])
counts = st.dictionaries(names, st.integers(1, 9))
reasons = st.builds(
    Reason,
    where=st.text(max_size=5),
    value=st.none() | st.floats(0, 1),
    text=st.text(max_size=9),
    contradicted=st.dictionaries(st.sampled_from(["F1", "S1.2"]), st.text(max_size=5)),
    keys=st.just(("ab",)),
)
evaluations = st.builds(
    Evaluation,
    item=st.text(min_size=1, max_size=5),
    cluster=st.text(max_size=5),
    department=st.sampled_from(["", "Urology"]),
    answers=st.integers(1, 26),
    values=st.dictionaries(names, numbers),
    missing=counts,
    assumed=counts,
    left_out=st.dictionaries(names, st.text(max_size=9)),
    reasons=st.lists(reasons, max_size=2).map(tuple),
    notes=st.just(("a note",)) | st.just(()),
    failures=st.just(()) | st.just((Failure(item="x", stage="y", outcome="refusal", reason="z"),)),
)


class Given:
    """A metric that gives, or raises, what a test says of each item."""

    def __init__(self, answers: dict[str, Any], card: MetricCard = CARD) -> None:
        self.answers = answers
        self.card = card

    async def evaluate(self, item: Any, context: Any) -> Any:
        found = self.answers[item.id]
        if isinstance(found, Exception):
            raise found
        return found


class Slow:
    at_once = 2


def found(answers: dict[str, Any], items: list[Any] | None = None) -> list[Evaluation]:
    given_items = items or [PlainItem(id=name) for name in answers]
    return asyncio.run(evaluated(Given(answers), given_items, cast(Context, Slow())))


@given(st.lists(evaluations, max_size=4))
def test_a_file_of_evaluations_gives_them_back(
    tmp_path_factory: pytest.TempPathFactory, some: list[Evaluation]
) -> None:
    path = tmp_path_factory.mktemp("evaluations") / "cell.jsonl"
    path.write_text("".join(map(as_line, some)), encoding="utf-8")
    file = EvaluationFile(path)
    assert list(file) == some
    assert list(file) == some  # read anew


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cell.jsonl"
    path.write_text('{"item": "a"}\n{"item"')
    with pytest.raises(UserError, match=r"cell\.jsonl"):
        list(EvaluationFile(path))
    with pytest.raises(UserError, match=r"none\.jsonl"):
        list(EvaluationFile(tmp_path / "none.jsonl"))


def test_numbers_and_mappings_are_evaluations() -> None:
    made = found(
        {
            "a": 0.5,
            "b": True,
            "c": {"value": 2, "notes": ["mind"], "reasons": [{"text": "why"}]},
            "d": {"values": {"by-item": 1, "by-answer": [1, 0]}, "keys": ["k"]},
            "e": Evaluation(values={"": (3.0,)}),
        }
    )
    assert [one.item for one in made] == ["a", "b", "c", "d", "e"]
    assert [one.values for one in made] == [
        {"": (0.5,)},
        {"": (1.0,)},
        {"": (2.0,)},
        {"by-item": (1.0,), "by-answer": (1.0, 0.0)},
        {"": (3.0,)},
    ]
    assert (made[2].notes, made[2].reasons[0].text, made[3].keys) == (("mind",), "why", ("k",))


@pytest.mark.parametrize("bad", [None, "0.5", float("nan"), {"value": "x"}, {"grade": 1}, ["x"]])
def test_what_is_no_evaluation_costs_its_item(bad: object) -> None:
    first, second = found({"a": bad, "b": 1})
    assert second.values == {"": (1.0,)}
    (failure,) = first.failures
    assert (failure.item, failure.outcome, failure.metric) == ("a", "error", "m")
    assert "the metric gave no evaluation" in failure.reason
    assert first.values == {}


def test_what_a_metric_raises_costs_its_item_every_value() -> None:
    talk = dialogue("a", [("?", "x"), ("?", "y"), ("bye", None)])
    first, second = found({"a": Refused("no", ("k",)), "b": 1}, [talk, PlainItem(id="b")])
    assert first.missing == {"": 2, "by-answer": 2, "by-item": 1}
    (failure,) = first.failures
    assert (failure.outcome, failure.reason, failure.keys) == ("refusal", "no", ("k",))
    assert second.values == {"": (1.0,)}


def test_a_users_error_ends_the_run() -> None:
    with pytest.raises(UserError, match="nobody"):
        found({"a": UserError("nobody is named"), "b": 1})


def test_an_evaluation_says_of_which_item_it_is() -> None:
    record = patient("p", "Urology", "pain")
    visit = dialogue("visit-2", [("?", "x")], record=record)
    plain = PlainItem(id="q", department="Surgery")
    own = PlainItem(id="s", cluster="household")
    made = found({"p": 1, "visit-2": 1, "q": 1, "s": 1}, [record, visit, plain, own])
    # A record is a patient alone; the answers of a dialogue depend on each other.
    assert [one.cluster for one in made] == ["", "p", "", "household"]
    assert [one.department for one in made] == ["Urology", "Urology", "Surgery", ""]
    assert [(one.sex, one.age) for one in made[:3]] == [("female", "18-59")] * 2 + [("", "")]
