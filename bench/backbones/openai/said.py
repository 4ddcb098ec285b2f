"""A server's own words, whatever it wraps them in; without keys and inner hosts."""

import re
from typing import Any

from bench.core.text import one_line

_TELLING = (
    *("message", "msg", "error", "detail", "details", "errors", "error_description", "title"),
    *("reason", "metadata", "raw"),
)
_CODES = ("code", "type", "param", "status", "error_type", "innererror", "error")
_MARK = re.compile(r"<(style|script)\b[^<]*</\1>|<[^<>]*>", re.I)
_FILTERS = (
    *("content_filter", "contentfilter", "responsibleai", "content_policy"),
    "content_management_policy",
)
_DEEP = 6
_READ = 20_000
"""Characters read of what a server said: more is no message."""
LEAST_SECRET = 8
"""Characters of a key worth hiding; "x", which servers of one's own are given, is in every word."""


def said(body: Any) -> str:
    """The sentences in an error's body, in one line; empty if it holds none."""
    return "; ".join(dict.fromkeys(_sentences(body, _DEEP)))[:_READ]


def _sentences(body: Any, deep: int) -> list[str]:
    if isinstance(body, str):
        text = body[:_READ]
        return [told] if (told := one_line(_MARK.sub(" ", text) if "<" in text else text)) else []
    if not deep:
        return []
    if isinstance(body, list):
        return [told for one in body[:8] for told in _sentences(one, deep - 1)]
    if not isinstance(body, dict):
        return []
    found = [told for name in _TELLING for told in _sentences(body.get(name), deep - 1)]
    place = body.get("loc")  # a validator's way of naming a field
    if isinstance(place, list) and found:
        found[0] = f"{'.'.join(str(one) for one in place[:8])}: {found[0]}"
    return found


def codes(body: Any, deep: int = _DEEP) -> str:
    """The codes in an error's body, lower case."""
    if isinstance(body, list):
        return " ".join(codes(one, deep - 1) for one in body[:8]) if deep else ""
    if not isinstance(body, dict) or not deep:
        return ""
    values = (body.get(name) for name in _CODES)
    found = ((one,) if isinstance(one, str) else codes(one, deep - 1).split() for one in values)
    # Some put the sentence where others have the code.
    return " ".join(one for part in found for one in part if not one.count(" ")).lower()[:_READ]


def parameter(body: Any) -> str:
    """The parameter that an error's body names; empty if it names none."""
    for one in body[:8] if isinstance(body, list) else [body]:
        for holder in (one, one.get("error")) if isinstance(one, dict) else ():
            if isinstance(holder, dict) and isinstance(holder.get("param"), str):
                return str(holder["param"])
    return ""


_INNER = re.compile(
    r"\b(?:10|127|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}(?::\d+)?"
    r"|\b[\w.-]{1,200}\.(?:internal|local|lan|intranet|corp)\b(?::\d+)?"
    r"|\[?\bf[cd][\da-f]{2}:[\da-f:]{1,40}\]?(?::\d+)?|(?<=//)[^/\s@]{1,200}@",
    re.I,
)
"""Hosts that only a network of somebody's own knows."""


def struck(text: str, secret: str, host: str) -> str:
    """A text without the key, and without hosts that must not be told."""
    if len(secret) >= LEAST_SECRET:
        text = text.replace(secret, "***")
    if host:
        text = re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])(?::\d+)?", "***", text, flags=re.I)
    return _INNER.sub("***", text)


def filtered(code: str, told: str) -> bool:
    """Whether an error says that a filter refused the words, not the request.

    Of its sentence only whole names of filters tell: "moderation" is a word of medicine, too.
    """
    plain = f"{code} {told}".lower().replace(" ", "_").replace("-", "_")
    return "moderation" in code or any(name in plain for name in _FILTERS)
