"""What the paper's tables share: marks of stand-ins, figures as the paper prints them, notes."""

from collections.abc import Iterator

from bench.report.tables import Result, Results, Value
from bench.scoring.intervals import Interval

STAND_IN = "stand-in: made by the embedded rules, no language model; not comparable with the paper"
PARTLY = "partly a stand-in: * was written or judged by the embedded rules, no language model"


def standing(results: Results) -> str:
    """The end of a title: whether the stand-in made all of it, some, or nothing."""
    if not results.stand_in:
        return ""
    return f" ({STAND_IN if results.all_stand_in else PARTLY})"


def starred(results: Results, *found: Result | None) -> str:
    """A star where the stand-in made some of what was found, but not all of the run."""
    made_up = any(result is not None and result.stand_in for result in found)
    return "*" if made_up and not results.all_stand_in else ""


def number(value: float, *, percent: bool, digits: int) -> str:
    """Per cent with two digits, else so many digits; never "-0"."""
    shown = f"{100 * value:.2f}" if percent else f"{value:.{digits}f}"
    return shown.lstrip("-") if float(shown) == 0 else shown


def signed(value: float, *, percent: bool, digits: int) -> str:
    """A difference, with its sign."""
    shown = number(value, percent=percent, digits=digits)
    return shown if shown.startswith("-") else f"+{shown}"


def bracketed(interval: Interval | None, *, percent: bool, digits: int) -> str:
    """An interval on a line of its own; nothing for none."""
    if interval is None:
        return ""
    low, high = (
        number(end, percent=percent, digits=digits) for end in (interval.low, interval.high)
    )
    return f"\n[{low}, {high}]"


def interval_cells(interval: Interval | None) -> tuple[Value, Value, Value]:
    """Low end, high end and method of an interval for a CSV; empty for none."""
    return (interval.low, interval.high, interval.method) if interval else (None, None, None)


def bound_cells(bounds: tuple[float, float] | None) -> tuple[Value, Value]:
    """Both bounds for a CSV; empty for none."""
    return bounds or (None, None)


def score_notes(results: Results, systems: int) -> Iterator[str]:
    """What the scores' notes say; whose they are is said where not all of `systems` have them."""
    said: dict[str, list[str]] = {}
    for result in results.results:
        for note in result.score.notes:
            if "/" not in result.score.metric:
                whose = f"{result.backbone.label} {result.method.label}"
                said.setdefault(f"{result.score.metric}: {note}", []).append(whose)
    for note, named in said.items():
        yield note if len(named) == systems else f"{note} ({', '.join(named)})"


def failure_words(results: Results) -> str:
    """The failures of a run by stage."""
    counted = results.manifest["failures"].items()
    return ", ".join(f"{stage} {count}" for stage, count in counted) or "none"


def role_notes(results: Results) -> Iterator[str]:
    """Who filled each role."""
    for role in results.manifest["roles"]:
        label, backbone = role["label"], role["backbone"]
        yield f"{role['role']}: {label}" + ("" if label == backbone else f" ({backbone})")
