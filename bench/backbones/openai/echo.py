"""Log-probabilities of a given text, read from a server's echo of the prompt.

The printed tokens are laid along the bytes of the prompt, from the end, for a server may put a
token of its own ("<s>") in front. A token that holds part of a character is printed as "\\ufffd",
as its bytes or as nothing; some servers drop the space before a word. `text_offset` is no help: it
counts characters, bytes or the lengths of what was printed, each server its own.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.backbones.prompt import AskError

_BYTE = re.compile(rb"<0x([0-9A-Fa-f]{2})>|\\x([0-9A-Fa-f]{2})")
_PARTS = re.compile("\ufffd+")


class NoEcho(Exception):
    """The server does not score a prompt; true of every prompt."""


def values_inside(choice: Mapping[str, Any], context: str, text: str) -> tuple[float, ...]:
    """The values of the tokens of `text`; a token that begins before it is left out.

    Raises:
        NoEcho: the answer holds none, for this prompt or any.
        AskError: it holds some that cannot be laid along this prompt.
    """
    found = choice.get("logprobs")
    tokens = found.get("tokens") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(tokens, list) or not tokens:
        raise NoEcho("the answer holds no log-probabilities")
    prompt, heard = context + text, str(choice.get("text") or "")
    printed = [str(token) for token in tokens]
    if 2 * max(len(heard), len("".join(printed))) < len(prompt):
        raise NoEcho("the answer does not repeat the prompt")
    if heard.startswith(prompt) and heard != prompt:
        raise NoEcho("the answer goes on after the prompt")
    values = found.get("token_logprobs") or []
    known = [isinstance(value, int | float) and not math.isnan(value) for value in values]
    whole = prompt.encode(errors="surrogatepass")
    size = len(text.encode(errors="surrogatepass"))
    first = _first_inside(whole, size, printed) if len(known) == len(printed) else None
    if first == 0 and values[0] is None:
        first = 1  # the very first token of all has no probability
    if first is None or not all(known[first:]):
        raise AskError("the server's tokens do not spell the text that it was given")
    return tuple(min(0.0, float(value)) for value in values[first:])


def _first_inside(whole: bytes, size: int, tokens: Sequence[str]) -> int | None:
    """Index of the first token that begins in the last `size` bytes; none if they do not fit."""
    begin = len(whole) - size
    ends = {len(whole)}
    for index in range(len(tokens) - 1, -1, -1):
        starts = {start for end in ends for start in _starts(whole, end, tokens[index])}
        inside = {start for start in starts if start >= begin}
        if not inside:
            return index + 1 if starts or begin in ends else None
        ends = inside
    return 0 if begin in ends else None


def _starts(whole: bytes, end: int, token: str) -> Iterator[int]:
    """The bytes at which a printed token that ends before byte `end` may begin."""
    plain = token.encode(errors="surrogatepass")
    hidden = _BYTE.sub(lambda found: bytes.fromhex((found[1] or found[2]).decode()), plain)
    for raw in {plain, hidden.removeprefix(b"bytes:")}:
        start = end - len(raw)
        if whole.endswith(raw, 0, end):
            yield start
            # One that shows a space has not lost it.
            if raw.strip() == raw != b"" and whole[start - 1 : start] == b" ":
                yield start - 1
    least, most = len(plain) - 2 * token.count("\ufffd"), min(end, len(plain) + 6)
    if whole[end - most : end].isascii():
        return
    # Parts of characters are among them: one to three bytes each, at either end if not shown.
    for length in range(least, most + 1):
        piece = whole[end - length : end]
        shown = _PARTS.sub("\ufffd", piece.decode(errors="replace"))
        if shown == _PARTS.sub("\ufffd", token) or piece.decode(errors="ignore") == token:
            yield end - length
