"""What a user sets of how answers are drawn."""

from typing import Any

import pytest

from bench.api.choice import Choice
from bench.backbones.drawing import Drawing
from bench.backbones.prompt import GENERATING, JUDGING, Message, Prompt, Sampling
from bench.backbones.requests import Ask, Judge, Rate, Write
from bench.core.errors import UserError
from bench.runs.roles import make_drawing


def test_nothing_set_is_as_asked() -> None:
    assert Drawing().of(Rate(rubric="r", dialogue=(), low=1, high=7), JUDGING) is JUDGING


def test_what_is_set_wins_and_the_rest_stays() -> None:
    asked = Sampling(temperature=1.0, max_tokens=4096)
    task = Ask(department="Urology", history=(), left=1)
    set_by_kind = Drawing(max_tokens={"judge": 9}, temperature=0.25, top_p=0.5, seed=4)
    assert set_by_kind.of(task, asked) == Sampling(0.25, 4096, 0.5, 4)
    assert Drawing(max_tokens=77).of(task, asked) == Sampling(1.0, 77)
    assert Drawing(max_tokens={"ask": 78}).of(task, asked).max_tokens == 78


def test_a_kind_of_request_says_how_long_its_answers_may_be() -> None:
    task = Ask(department="Urology", history=(), left=1)
    prompt = Prompt(task, (Message("user", "x"),), str, GENERATING, "r")
    assert prompt.sampling.max_tokens == Ask.tokens < Judge.tokens < Write.tokens == 4096


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": {"juge": 10}}, "judge"),
        ({"seed": 2**40}, "seed"),
    ],
)
def test_what_has_no_sense_is_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        make_drawing(Choice(name="openai/m", options=options))


def test_the_rules_draw_nothing() -> None:
    with pytest.raises(UserError, match="temperature"):
        make_drawing(Choice(name="rules", options={"temperature": 1}))
