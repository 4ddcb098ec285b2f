"""Chat completions that come in pieces, put together as if they had come whole."""

from collections.abc import Callable
from typing import Any


class StreamedAnswer:
    """The pieces of one streamed completion."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        """`on_text` hears each piece of the answer's text."""
        self._on_text = on_text
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._rest: dict[str, Any] = {}
        self._finish: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the server said why the answer ends."""
        return self._finish is not None

    def add(self, chunk: dict[str, Any]) -> None:
        """Take one chunk."""
        self._rest.update({key: chunk[key] for key in ("model", "usage") if chunk.get(key)})
        for choice in (chunk.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            self._finish = choice.get("finish_reason") or self._finish
            self._refusal.append(text_of(delta.get("refusal")))
            piece = text_of(delta.get("content"))
            if piece:
                self._content.append(piece)
                self._on_text(piece)

    def body(self) -> dict[str, Any]:
        """The completion as an endpoint gives it that does not stream."""
        message = {"content": "".join(self._content), "refusal": "".join(self._refusal) or None}
        return {**self._rest, "choices": [{"message": message, "finish_reason": self._finish}]}


def text_of(content: Any) -> str:
    """The text of a message's content."""
    if isinstance(content, list):  # some servers send parts
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")
