"""What a model thought, told from what it answered.

Promise: nothing that stands between marks of thinking is an answer, wherever they stand, however
often and in whatever letter case; what stands around them is. Where it cannot be told, it is
thinking: behind an opening mark without an end, before a closing mark without a beginning (chat
templates open the tag in the prompt), and in a harmony text outside its final channel. The time is
linear. Its limit: a mark that an answer only speaks of counts, too.

A mark is a name in brackets, and its words say what it is: `<think>`, `</seed:think>`, `[THINK]`,
`◁/think▷`, `<|begin_of_thought|>`, `<|END_THINKING|>`, `<reasoning type="x">`.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Literal

THOUGHT = frozenset(
    (
        *("think", "thinking", "thought", "thoughts", "reason", "reasoning", "rationale"),
        *("reflection", "analysis", "scratchpad", "scratch", "monologue", "antthinking"),
    )
)
"""Names of thinking; a mark's name may hold more words than one of these."""
RESPONSE = frozenset(("answer", "response", "solution", "output", "final", "box"))
"""Names of what is put around an answer."""
BEGIN, END = frozenset(("begin", "start", "of")), frozenset(("end",))
"""Words of special tokens, `<|begin_of_thought|>`, that say which of the two a mark is."""
PAIRS = {
    "<|channel>": "<channel|>",  # Gemma 4
    "<unused94>": "<unused95>",  # MedGemma
}
"""Marks of thinking whose names do not say so."""
HARMONY = frozenset(("<|start|>", "<|channel|>", "<|message|>"))
"""Heads of messages, https://github.com/openai/harmony: `<|channel|>final<|message|>`."""
HARMONY_ENDS = frozenset(("<|end|>", "<|return|>", "<|call|>"))
FINAL = "final"
HEADS = ("analysis", "commentary", FINAL, "assistant")
"""What a harmony text may begin with where a server left out the marks."""
LONGEST = 80
"""Most characters of a mark between its brackets."""

_BODY = rf"[^<>\[\]◁▷]{{0,{LONGEST}}}"
# A body holds no bracket: so each character is looked at once, and only the last bracket of a
# piece can be the beginning of a mark that goes on in the next.
_BRACKETED = re.compile(rf"<{_BODY}>|\[{_BODY}\]|◁{_BODY}▷")
_BEGUN = re.compile(rf"[<\[◁]{_BODY}\Z")
_NAME = re.compile(r"/?[a-z][\w:.|-]*+/?")
_WORD = re.compile(r"[a-z]+")
# Harmony where a server left out the marks: "analysisWe need ...assistantfinalIt hurts."
_HEADED = re.compile(r"(?:assistant)?(?:(?:analysis|commentary)(?=[^\W_])|final(?=[A-Z{\[\"]))")
_HEAD = re.compile(r"assistant(analysis|commentary|final)")

Role = Literal["open", "close", "wrap", "head", "end", "drop"]


def without_thinking(text: str) -> str:
    """The answer in a text; the text itself if it holds no mark, else without blanks around it."""
    return _Separator().whole(text)


def thinks_unannounced(text: str) -> bool:
    """Whether a text begins with thinking that no mark announces."""
    reader = _Separator()
    reader.whole(text)
    return reader.lone


def is_mark(token: str) -> bool:
    """Whether a special token of a model is a mark that tells thinking from answers."""
    return _BRACKETED.fullmatch(token) is not None and _role(token)[0] is not None


class LiveText:
    """Hears a text piece by piece and passes on what is answer.

    A closing mark without a beginning cannot be foreseen: whoever must not let the thinking before
    it be heard holds everything until the end.
    """

    def __init__(self, on_text: Callable[[str], None], *, hold: bool) -> None:
        """Pass on to `on_text` as soon as may be, or all at the end (`hold`)."""
        self._on_text = on_text
        self._hold = hold
        self._held: list[str] = []
        self._reader: _Separator | None = None
        self._heard = False

    def hear(self, piece: str) -> None:
        """The next piece of the text."""
        if self._reader is not None:
            self._reader.read(piece)
            self._pass_on(self._reader)
            return
        self._held.append(piece)
        if self._hold:
            return
        start = "".join(self._held).lstrip()
        self._held = [start]
        if start.startswith(HEADS):
            self._hold = True  # what it is only the whole text says
        elif not any(head.startswith(start) for head in HEADS):
            self._reader = _Separator()
            self._reader.read(start)
            self._pass_on(self._reader)

    def end(self) -> None:
        """Pass on what was held."""
        if self._reader is None:
            self._tell(without_thinking("".join(self._held)))
        else:
            self._reader.end()
            self._pass_on(self._reader)

    def _pass_on(self, reader: "_Separator") -> None:
        said = "".join(reader.said)
        reader.said.clear()
        self._tell(said if self._heard else said.lstrip())

    def _tell(self, text: str) -> None:
        if text:
            self._heard = True
            self._on_text(text)


def _without_heads(text: str) -> str:
    """The final channel of a harmony text without marks; any other text as it is."""
    start = text.lstrip()
    thought = start.removeprefix("assistant").startswith(HEADS[:2]) and "assistantfinal" in text
    if not thought and not _HEADED.match(start):
        return text
    parts = _HEAD.split(f"assistant{start}")
    return "".join(
        part for head, part in zip(parts[1::2], parts[2::2], strict=True) if head == FINAL
    )


class _Separator:
    """Reads a text piece by piece and keeps what is answer."""

    def __init__(self) -> None:
        self.said: list[str] = []
        """Parts of the answer; who passes them on takes them away."""
        self.lone = False
        """Whether what came before a mark was made thinking by it: no mark had begun it."""
        self._spoken = False
        """Whether there ever was more than blanks among them."""
        self._rest = ""
        """What may be the beginning of a mark."""
        self._open: list[str] = []
        """Names of the thinking that has no end by now, the innermost last."""
        self._opened = Counter[str]()
        """How often each name is among them."""
        self._harmony: Literal["", "head", "final", "other"] = ""
        """Where in a harmony text; empty in any other."""
        self._head = ""
        self._behind = False
        """Whether nothing but blanks stands since some thinking."""
        self._wrapped = ""
        """Name of what is put around the answer."""

    def read(self, piece: str) -> None:
        """The next piece."""
        text = self._rest + piece
        place = 0
        for match in _BRACKETED.finditer(text):
            self._say(text[place : match.start()])
            self._meet(match[0])
            place = match.end()
        last = max(text.rfind(bracket, place) for bracket in "<[◁")
        begun = last >= 0 and _BEGUN.match(text, last)
        end = last if begun else len(text)
        self._say(text[place:end])
        self._rest = text[end:]

    def end(self) -> None:
        """No piece comes any more: what was no mark by now is none."""
        self._say(self._rest)
        self._rest = ""

    def whole(self, text: str) -> str:
        """The answer in a text that is read in one."""
        self.read(_without_heads(text))
        self.end()
        said = "".join(self.said)
        return said if said == text else said.strip()

    def _say(self, text: str) -> None:
        if not text or self._open:
            return
        if self._harmony == "head":
            self._head = (self._head + text)[: 2 * LONGEST]
        elif self._harmony != "other":
            self.said.append(text)
            if text.strip():
                self._spoken, self._behind = True, False

    def _meet(self, mark: str) -> None:
        role, name = _role(mark)
        if role == "open":
            self._open.append(name)
            self._opened[name] += 1
        elif role == "close":
            self._close(name)
        elif role == "head":
            self._begin_head(name)
        elif role == "end":
            self._harmony = "other" if self._harmony else ""
        elif role == "wrap" and not self._open and (self._behind or name == "/" + self._wrapped):
            self._wrapped = name
        elif role != "drop":
            self._say(mark)

    def _close(self, name: str) -> None:
        """End the innermost thinking of a name, and all that began within it."""
        if not self._open:
            self.lone = True
            self.said.clear()
        while self._opened[name]:
            last = self._open.pop()
            self._opened[last] -= 1
            if last == name:
                break
        self._behind = not self._open

    def _begin_head(self, name: str) -> None:
        if not self._harmony:
            self.lone = self.lone or self._spoken
            self.said.clear()
        self._open.clear()
        self._opened.clear()
        if name == "<|message|>":
            self._harmony = "final" if self._head.split()[:1] == [FINAL] else "other"
            self._behind = True
        else:
            self._harmony, self._head = "head", ""


def _role(mark: str) -> tuple[Role | None, str]:
    """What a name in brackets is, and its name; none if it is a part of the text."""
    bare = "".join(mark.lower().split())
    if bare in HARMONY:
        return "head", bare
    if bare in HARMONY_ENDS:
        return "end", bare
    for opening, closing in PAIRS.items():
        if bare in (opening, closing):
            return ("open" if bare == opening else "close"), opening
    inside = " ".join(mark[1:-1].lower().split()).strip("| ").replace("/ ", "/")
    name, _, more = inside.partition(" ")
    if not _NAME.fullmatch(name) or (more and "=" not in more and more != "/"):
        return None, ""
    words = _WORD.findall(name)
    own = [word for word in words if word not in BEGIN | END]
    kind = " ".join(own)
    ends = name.startswith("/") or not END.isdisjoint(words)
    if not THOUGHT.isdisjoint(own) and (mark[0] != "[" or kind == "think" or mark.isupper()):
        if name.endswith("/") or more.endswith("/"):
            return "drop", kind
        return ("close" if ends else "open"), kind
    if mark[0] == "<" and not RESPONSE.isdisjoint(own):
        special = len(own) < len(words)
        return ("drop", kind) if special else ("wrap", "/" * ends + kind)
    return None, ""
