"""Thinking is no answer, wherever it stands and however it comes."""

import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backbones.thinking import LiveText, thinks_unannounced, without_thinking

ANSWER = '{"reasons": "3 < 5 [see F3], no <b>", "aligned": true}'
DRAFT = '{"reasons": "a draft", "aligned": false}'
TAGS = [
    ("<think>", "</think>"),
    ("<THINKING>", "</Thinking>"),
    ("< think >", "</ think >"),
    ('<thought\nkind="long">', "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<antThinking>", "</antThinking>"),
    ("[REASONING]", "[/REASONING]"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("<|channel>thought\n", "<channel|>"),
]
HARMONY = "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}"

plain = st.text(st.sampled_from("ab {}\"'.\n:,1<"), max_size=20).map(lambda text: text + " ")
"""Words, and no mark."""
inner = st.recursive(
    plain | st.just(DRAFT),
    lambda more: st.builds(
        lambda tag, parts: f"{tag[0]}{''.join(parts)}{tag[1]}",
        st.sampled_from(TAGS),
        st.lists(more, max_size=3),
    ),
    max_leaves=6,
)
thinking = st.builds(lambda tag, text: tag[0] + text + tag[1], st.sampled_from(TAGS), inner)


def heard(text: str, cuts: Iterable[int], *, hold: bool) -> tuple[list[str], bool]:
    """What is heard of a text that comes in pieces."""
    pieces: list[str] = []
    live = LiveText(pieces.append, hold=hold)
    places = [0, *sorted(place % (len(text) + 1) for place in cuts), len(text)]
    for start, end in pairwise(places):
        live.hear(text[start:end])
    live.end()
    return pieces, thinks_unannounced(text)


@given(st.lists(plain), st.lists(thinking), st.data())
def test_thinking_anywhere_leaves_the_answer(
    said: list[str], thought: list[str], data: st.DataObject
) -> None:
    parts = data.draw(
        st.permutations(
            [
                *map(("said",).__add__, zip(said, strict=True)),
                *map(("",).__add__, zip(thought, strict=True)),
            ]
        )
    )
    text = "".join(part for _, part in parts)
    left = "".join(part for kind, part in parts if kind)
    assert without_thinking(text).strip() == left.strip()
    for hold in (True, False):
        pieces, lone = heard(text, data.draw(st.lists(st.integers(0, 500))), hold=hold)
        assert "".join(pieces).strip() == left.strip()
        assert not lone


@given(inner, st.sampled_from(TAGS))
def test_half_a_pair_is_thinking_too(thought: str, tag: tuple[str, str]) -> None:
    assert without_thinking(f"{thought}{tag[1]}\n{ANSWER}") == ANSWER
    assert without_thinking(f"{ANSWER}\n{tag[0]}{thought}") == ANSWER
    assert without_thinking(tag[0] + thought) == without_thinking(thought + tag[1]) == ""
    pieces, lone = heard(f"{thought}{tag[1]}{ANSWER}", [1, 5, 9], hold=True)
    assert (pieces, lone) == ([ANSWER], True)
    assert heard(f"{thought}{tag[1]}{ANSWER}", [1, 5, 9], hold=False)[1]


marks = [mark for tag in TAGS for mark in tag] + [
    "<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>", "final", "analysis",
    "assistant", "<answer>", "</answer>", "<|START_RESPONSE|>", "<think/>", "<", ">", "[", "◁", "/",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(marks) | plain).map("".join),
    st.lists(st.integers(0, 999)),
)
def test_pieces_are_heard_as_the_whole_is_read(text: str, cuts: list[int]) -> None:
    whole = without_thinking(text)
    assert "".join(heard(text, cuts, hold=True)[0]) == whole
    pieces, lone = heard(text, cuts, hold=False)
    assert lone or "".join(pieces).strip() == whole.strip()
    # Nothing is heard letter by letter that is not heard at once.
    assert heard(text, range(len(text)), hold=False)[1] == lone
    for mark in re.findall(r"</?think>|\[/?THINK\]", whole):
        raise AssertionError(mark)


@given(st.text())
def test_a_text_without_a_mark_stays_as_it_is(text: str) -> None:
    if not re.search(r"[<\[◁]|^\s*(analysis|commentary|final)", text):
        assert without_thinking(text) == text


@pytest.mark.parametrize(
    "text",
    [
        HARMONY.format(DRAFT, ANSWER),
        HARMONY.format("<think> and </thought>", ANSWER) + "<|return|>",
        "<|start|>assistant" + HARMONY.format(DRAFT, ANSWER),
        f"{DRAFT}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>{ANSWER}",
        "<|channel|>commentary to=x<|message|>{}<|call|>" + HARMONY.format("b", ANSWER),
        f"<|channel|>final<|message|>{ANSWER}<|return|>",
        f"analysisWe look at {DRAFT}.assistantfinal{ANSWER}",
        f"analysisWe look.assistantcommentary to=x {DRAFT}assistantfinal{ANSWER}",
        f"analysis\nWe look.assistantfinal\n{ANSWER}",
        f"final{ANSWER}",
        f"assistantanalysisWe look.assistantfinal{ANSWER}",
        f"assistantfinal{ANSWER}",
        f"<|begin_of_thought|>{DRAFT}<|end_of_thought|>\n<|begin_of_solution|>{ANSWER}<|end_of_solution|>",
        f"<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
        f"<think>{DRAFT}</think>\n<answer>\n{ANSWER}\n</answer>",
        f"<think>I close <reasoning> later.</think>{ANSWER}",
        f"<think>{DRAFT}</think><think/>{ANSWER}",
    ],
)
def test_the_answer_alone_is_left(text: str) -> None:
    assert without_thinking(text) == ANSWER
    for hold in (True, False):
        pieces, lone = heard(text, range(len(text)), hold=hold)
        assert "".join(pieces).strip() == ANSWER or lone


@pytest.mark.parametrize(
    "text",
    [
        f"<|channel|>analysis<|message|>{DRAFT}",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant",
        f"analysisWe look at {DRAFT}",
        f"<think>{DRAFT}",
        f"<think><think>{DRAFT}</think>",
        f"{DRAFT}</think>",
    ],
)
def test_where_there_is_only_thinking_nothing_is_left(text: str) -> None:
    assert without_thinking(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        " Pain < 5, not > 6 [mild]\n",
        f"<answer>{ANSWER}</answer>",
        "analysis of the blood was final",
        "finally it hurts",
        "<thought that counts> [thought] [reasoning] <b> <i",
        "I think of <thin",
        '{"facts": ["think"], "other": ["/think", <"think">]}',
        "analysis_1 and assistant",
    ],
)
def test_what_only_looks_like_a_mark_is_said(text: str) -> None:
    assert without_thinking(text) == text
    assert "".join(heard(text, range(len(text)), hold=False)[0]).strip() == text.strip()


def test_a_text_is_heard_as_it_comes() -> None:
    pieces: list[str] = []
    live = LiveText(pieces.append, hold=False)
    for piece in ("<th", "ink>I have a disc", "</thi", "nk>\n", "\nMy left ", "leg < arm"):
        live.hear(piece)
    assert pieces == ["My left ", "leg "]
    live.end()
    assert pieces == ["My left ", "leg ", "< arm"]
