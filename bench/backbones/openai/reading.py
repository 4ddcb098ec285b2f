"""What an endpoint's completion says: the answer, what was thought beside it, and why it ended.

Promise: whatever JSON stands in whatever place, reading it ends as a `Completion` or as `Broken`;
what a server tells of usage, model or other choices never costs an answer.
"""

import json
from typing import Any, Literal

from bench.backbones.openai.said import said
from bench.backbones.prompt import Completion
from bench.core.text import one_line

Meaning = Literal["answer", "cut", "refusal", "fault"]

_ENDED = "stop eos eos_token end_turn stop_sequence stop_token end_of_text complete completed"
_ENDED += " finish finished done end"
_REFUSED = "content_filter content_filtered safety image_safety prohibited_content recitation"
_REFUSED += " blocklist spii refusal sensitive guardrail_intervened error_toxic"
_FAILED = "error network_error server_error upstream_error internal_error"
_FAILED += " insufficient_system_resource abort aborted cancelled"
MEANINGS: dict[str, Meaning] = {
    **dict.fromkeys(_ENDED.split(), "answer"),
    **dict.fromkeys(_REFUSED.split(), "refusal"),
    **dict.fromkeys(_FAILED.split(), "fault"),
}
"""Why an answer ended, by the endpoint's word for it; every other word is for one that was cut."""

_TEXT = ("text", "output_text")
_THINKING = ("thinking", "redacted_thinking", "reasoning", "reasoning_text", "thought")
_ASIDE = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""Where servers put what was thought; some say the same in two places."""
_WORDS = ("text", "thinking", "reasoning", "summary", "content")
_DEEP = 8
"""Lists and objects within each other in which words are looked for."""
_LONGEST = 200
"""Characters kept of a model's name or a finish reason."""
_MOST_TOKENS = 2**53


class Broken(Exception):
    """What looks like a completion is none: a fault of transport."""


class Heard:
    """A completion as it comes: in one, or in the pieces of a stream."""

    def __init__(self, key: Literal["message", "delta"]) -> None:
        """Say where a choice holds what is said: `message` when whole, `delta` in pieces."""
        self._key = key
        self._text, self._thinking, self._refusal = "", "", ""
        self._finish: str | None = None
        self._model: str | None = None
        self._usage: dict[str, Any] = {}
        self._half = ""
        """The first half of a character, if a piece ended with it."""

    def take(self, body: Any) -> str:
        """Take one body in; the text that it adds to the answer.

        Raises:
            Broken: it is an error; or it is to be whole, and is no completion.
        """
        try:
            return self._take(body)
        except RecursionError:
            raise Broken("broken JSON") from None

    def _take(self, body: Any) -> str:
        if not isinstance(body, dict):
            body = {}
        _no_error(body)
        if isinstance(model := body.get("model"), str) and model.strip():
            self._model = one_line(model)[:_LONGEST]
        if isinstance(usage := body.get("usage"), dict):
            self._usage |= usage
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            if self._key == "message":
                raise Broken("an answer without a choice")
            return ""
        _no_error(choice)
        if (finish := choice.get("finish_reason")) not in (None, ""):
            self._finish = one_line(str(finish))[:_LONGEST]
        message = choice.get(self._key)
        if not isinstance(message, dict):
            if self._key == "message" and self._finish is None:
                raise Broken("an answer without a message")
            return ""
        text, thinking = _content(message.get("content"))
        text = self._joined(text)
        aside = (_words(message.get(name)) for name in _ASIDE)
        self._text += text
        self._thinking += thinking + next(filter(None, aside), "")
        self._refusal += _words(message.get("refusal"))
        return text

    def _joined(self, text: str) -> str:
        """A piece with the halves of characters put together; one at its end waits."""
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = text.removesuffix(self._half)
        if text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text):
            return text
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    def completion(self, *, ended: bool = True) -> Completion:
        """What was said; `ended` if the end was told apart from the reason.

        Raises:
            Broken: it did not come to an end, or to the end of an error.
        """
        if self._finish is None and not ended:
            raise Broken("only the beginning of an answer")
        word = (self._finish or "stop").lower().replace("-", "_").replace(" ", "_")
        word = word.removeprefix("finish_reason_")
        meaning = MEANINGS.get(word, "cut")
        if meaning == "fault":
            raise Broken(f'an answer that ended in "{self._finish}"')
        return Completion(
            text=self._refusal or self._text + self._half,
            outcome="refusal" if self._refusal else meaning,
            finish=self._finish or "",
            thinking=self._thinking,
            model=self._model,
            input_tokens=_count(self._usage.get("prompt_tokens")),
            output_tokens=_count(self._usage.get("completion_tokens")),
        )


def completion(body: Any) -> Completion:
    """What a whole completion says.

    Raises:
        Broken: it is none.
    """
    heard = Heard("message")
    heard.take(body)
    return heard.completion()


def _no_error(holder: dict[str, Any]) -> None:
    """Some gateways tell an error with status 200, beside the choices or in one."""
    if error := holder.get("error"):
        raise Broken(f"an error with status 200: {said(error) or 'without words'}")


def _content(content: Any) -> tuple[str, str]:
    """The answer and the thinking in a message's content: a text, parts of one, or an object."""
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    parts = content if isinstance(content, list) else [content]
    if all(_is_part(part, alone=parts is not content) for part in parts):
        read = [_part(part) for part in parts]
        return "".join(text for text, _ in read), "".join(thinking for _, thinking in read)
    return json.dumps(content, ensure_ascii=False), ""


def _is_part(part: Any, *, alone: bool) -> bool:
    """Whether this is a part of a message, not a JSON value that is the answer."""
    if not isinstance(part, dict):
        return not alone and (part is None or isinstance(part, str))
    kind = part.get("type")
    if alone or "text" not in part:
        return kind in (*_TEXT, *_THINKING) or (not alone and isinstance(kind, str))
    return True


def _part(part: Any) -> tuple[str, str]:
    if not isinstance(part, dict):
        return part or "", ""
    kind = part.get("type")
    if part.get("thought") or kind in _THINKING:
        return "", _words(part)
    text = part.get("text")
    return (text, "") if isinstance(text, str) and kind in (None, *_TEXT) else ("", "")


def _words(value: Any, deep: int = _DEEP) -> str:
    """The words in a text, a list of parts or a part."""
    if isinstance(value, str):
        return value
    if deep and isinstance(value, list):
        return "".join(_words(one, deep - 1) for one in value)
    if deep and isinstance(value, dict):
        found = (_words(value.get(name), deep - 1) for name in _WORDS)
        return next(filter(None, found), "")
    return ""


def _count(value: Any) -> int | None:
    """A number of tokens; none where an endpoint tells something else."""
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else None
