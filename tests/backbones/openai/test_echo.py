"""The tokens of a text, found in whatever way a server prints them."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backbones.openai.echo import NoEcho, values_inside
from bench.backbones.prompt import AskError

Print = Callable[[list[bytes]], list[str]]


def replaced(pieces: list[bytes]) -> list[str]:
    return [piece.decode(errors="replace") for piece in pieces]


def lost(pieces: list[bytes]) -> list[str]:
    return [piece.decode(errors="ignore") for piece in pieces]


def gathered(pieces: list[bytes]) -> list[str]:
    """A character is printed with its last part."""
    printed, held = [], b""
    for piece in pieces:
        held += piece
        whole = held.decode(errors="ignore").encode()
        printed.append(whole.decode() if held.startswith(whole) else "")
        held = held[len(whole) :]
    return printed


def in_hex(pieces: list[bytes]) -> list[str]:
    def shown(piece: bytes) -> str:
        try:
            return piece.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(chr(b) if b < 128 else f"\\x{b:02x}" for b in piece)

    return [shown(piece) for piece in pieces]


def by_pieces(pieces: list[bytes]) -> list[str]:
    """As sentencepiece has it: a byte as <0xC2>, no space before a word."""
    return [
        f"<0x{piece[0]:02X}>" if piece[0] > 127 else re.sub("^ ", "", piece.decode())
        for piece in pieces
    ]


PRINTS: tuple[Print, ...] = (replaced, lost, gathered, in_hex)
TEXTS = st.text(st.sampled_from("ab é µ“”中𝄞\ufffd\n"), min_size=1, max_size=12)


def choice(tokens: list[str], values: list[Any], text: str) -> dict[str, Any]:
    logprobs = {"tokens": tokens, "token_logprobs": values, "text_offset": [0] * len(tokens)}
    return {"text": text, "logprobs": logprobs}


@pytest.mark.parametrize("printed", PRINTS)
@given(context=TEXTS, text=TEXTS, cuts=st.sets(st.integers(1, 60)), begins=st.booleans())
def test_each_token_of_the_text_is_found(
    printed: Print, context: str, text: str, cuts: set[int], begins: bool
) -> None:
    context = f"{context} record:\n"
    whole, first = (context + text).encode(), len(context.encode())
    # Whole characters of the context, then tokens that end anywhere.
    edges = sorted({0, first - 1, first, len(whole)} | {one + first for one in cuts})
    edges = [one for one in edges if one <= len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    inside = sum(edge >= first for edge in edges) - 1
    tokens = [*(["<s>"] if begins else []), *printed(pieces)]
    values = [None, *(-0.5 * place for place in range(1, len(tokens)))]
    found = values_inside(choice(tokens, values, context + text), context, text)
    assert found == tuple(values[-inside:])


def test_words_without_their_space_and_bytes_in_brackets() -> None:
    pieces = [b"Take", b" 5", b" ", b"\xc2", b"\xb5", b"g", b" or", b" a", b"\xc2", b"\xb5"]
    whole = b"".join(pieces).decode()
    said = choice(["<s>", *by_pieces(pieces)], [None, *range(-10, 0)], whole)
    assert values_inside(said, "Take 5 µg", " or aµ") == (-4, -3, -2, -1)


def test_a_token_across_the_beginning_and_the_first_of_all_have_no_value() -> None:
    across = choice(["Ta", "ke 5", " mg"], [None, -1.0, -2.0], "Take 5 mg")
    assert values_inside(across, "Take", " 5 mg") == (-2.0,)
    assert values_inside(choice(["Take", " 5"], [None, -1.0], "Take 5"), "", "Take 5") == (-1.0,)


@pytest.mark.parametrize(
    ("tokens", "values"),
    [
        (["Take", " 6"], [None, -1.0]),
        (["Take", " 5"], [None]),
        (["Take", " 5"], [None, None]),
        (["Take", " 5"], [None, float("nan")]),
        (["Take", " 5"], [None, "-1"]),
        ([" 5"], [-1.0]),
    ],
)
def test_what_does_not_spell_the_text_is_this_texts_failure(
    tokens: list[str], values: list[Any]
) -> None:
    with pytest.raises(AskError, match="do not spell"):
        values_inside(choice(tokens, values, "Take 5"), "T", "ake 5")


@pytest.mark.parametrize(
    "said",
    [
        {"text": "Take 5"},
        {"text": "Take 5", "logprobs": None},
        {"text": "Take 5", "logprobs": {"content": []}},
        choice([], [], "Take 5"),
        choice(["x"], [-1.0], "x"),
        choice(["Take", " 5", " mg"], [None, -1.0, -2.0], "Take 5 mg"),
    ],
)
def test_what_no_prompt_would_get_is_told_apart(said: dict[str, Any]) -> None:
    with pytest.raises(NoEcho):
        values_inside(said, "Take", " 5")
