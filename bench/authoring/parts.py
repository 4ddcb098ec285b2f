"""The parts of an outline as a model is asked for them: every statement with its quotation.

They are the outline's own classes, made so that a model can fill them in: each item of a list has
the words of the source beside it, and a mapping by severity or age group has its keys as fields,
which schemas of endpoints want. What holds nothing beside its quotation but a `text` or a `value`
stands for that alone.
"""

import re
from collections.abc import Callable, Set
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Field, create_model

from bench.core.schema import Model
from bench.knowledge.outline import Course, History, Outline, Probability, Sex, Text, check_people


class Quoted(Model):
    """Something that a source says."""

    quote: str
    """The words of the source it rests on, copied letter by letter; empty if it does not say it."""

    def is_said(self, words: str, numbers: Set[float]) -> bool:
        """Whether words that a source has say it; `numbers` are those that stand in them."""
        return True


class Statement(Quoted):
    """A statement and nothing more."""

    text: Text
    """In your own words, short."""


class Code(Quoted):
    """A code of a classification; the words hold it whole."""

    text: Text
    """The code alone, for instance "N40.1"."""

    def is_said(self, words: str, numbers: Set[float]) -> bool:
        code = re.compile(rf"(?<!\w){re.escape(self.text)}(?!\.?\w)", re.IGNORECASE)
        return code.search(words) is not None


class QuotedCodes(Model):
    """Where the disease stands in the classifications."""

    icd10: Code
    """WHO ICD-10 code."""
    icd10cm: Code
    """US ICD-10-CM code."""


class QuotedSex(Quoted):
    """Who gets the disease."""

    value: Sex


class Share(Quoted):
    """A share of patients; the words hold it, or it as a percentage."""

    value: Probability

    def is_said(self, words: str, numbers: Set[float]) -> bool:
        return not share_figures(self.value).isdisjoint(numbers)


ODD: dict[str, Any] = {"codes": QuotedCodes, "sex": QuotedSex, "female_share": Share | None}
"""Single values of an outline that have a quotation."""


def share_figures(share: float) -> set[float]:
    """The figures that would say a share: it may be quoted as a percentage."""
    return {share, round(100 * share, 4)}


def _quoted(kind: Any) -> Any:
    """A class of an outline with a quotation; a text becomes a statement."""
    if not _is_model(kind):
        return Statement
    return create_model(f"Quoted{kind.__name__}", __base__=(Quoted, kind), **_spelt_fields(kind))


def _spelt(kind: Any) -> Any:
    """A type with the keys of its mappings spelt out as fields, null where there is nothing."""
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return _by_key(kind, lambda value: (value | None, None))
    if get_origin(kind) in (Union, UnionType):
        return Union[tuple(map(_spelt, arguments))]  # noqa: UP007 (made at run time)
    if _is_model(kind) and (changed := _spelt_fields(kind)):
        return create_model(kind.__name__, __base__=kind, **changed)
    return kind


def _spelt_fields(kind: type[Model]) -> dict[str, Any]:
    fields = {name: (field, _spelt(field.annotation)) for name, field in kind.model_fields.items()}
    return {
        name: (spelt, Field(field.get_default(), description=field.description))
        for name, (field, spelt) in fields.items()
        if spelt != field.annotation
    }


def _by_key(kind: Any, field: Callable[[Any], Any]) -> Any:
    """A class with a field for each key of a mapping."""
    keys, value = map(get_args, (get_args(kind)[0], kind))
    name = "".join(key.capitalize() for key in keys)
    return create_model(name, __base__=Model, **{key: field(value[1]) for key in keys})


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _asked(kind: Any) -> Any:
    """The type of a field of a part."""
    if get_origin(kind) is tuple:
        return list[_quoted(get_args(kind)[0])]  # type: ignore[misc]
    if get_origin(kind) is dict:
        return _by_key(kind, lambda value: (_quoted(value), ...))
    if get_origin(kind) in (Union, UnionType):
        return _quoted(get_args(kind)[0]) | None
    return kind


def _part(kind: type[Model], *names: str) -> type[Model]:
    """The part that asks for some fields of an outline, or of a class of it."""
    fields: dict[str, Any] = {}
    for name in names:
        field = kind.model_fields[name]
        asked = ODD.get(name) or _asked(field.annotation)
        limited = Annotated[(asked, *field.metadata)] if field.metadata else asked
        fields[name] = (limited, Field(field.get_default(), description=field.description))
    return create_model(f"{names[0].capitalize()}Part", __base__=Model, **fields)


PARTS: dict[str, type[Model]] = {
    "identity": _part(
        Outline,
        *("synonyms", "codes", "sex", "female_share", "ages", "frequency"),
        *("risk_factors", "causes"),
    ),
    "complaints": _part(Outline, "symptoms", "pertinent_negatives"),
    "course": _part(Course, *Course.model_fields),
    "history": _part(History, *History.model_fields),
    "examinations": _part(Outline, "examinations"),
    "assessment": _part(
        Outline, "complications", "differentials", "red_flags", "never_together", "sources"
    ),
}
"""What is asked for, one exchange each; of `course` and `history` the whole is one field."""


def check_part(part: Any) -> None:
    """See what an outline wants of the fields of a part together.

    Raises:
        ValueError: in words for the model that gave the part.
    """
    if "ages" in type(part).model_fields:
        check_people(part.sex.value, part.female_share, part.ages)
