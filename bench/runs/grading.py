"""Scores of an exam, and what two students' answers to the same questions say of each other.

The figure is right answers over all questions: one that was refused, stayed invalid or could not be
asked is not right, is missing, and is counted by its kind. The share among the questions that were
answered stands beside it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bench.runs.experiment import MEDQA
from bench.scoring import Difference, Score
from bench.stats import mcnemar, paired_share_difference, wilson
from bench.training.answering import OUTCOMES, Answered

ROLE = "student"
Sheet = Mapping[str, Sequence[Answered]]
"""A student's answers by department."""


def outcomes(answers: Sequence[Answered]) -> dict[str, int]:
    """How often each outcome came, in a fixed order."""
    counted = Counter(one.outcome for one in answers)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def grade(
    sheet: Sheet, points: Mapping[int, Sheet], signature: str, notes: Sequence[str]
) -> tuple[Score, ...]:
    """The scores of a student: of all questions, of each department, and along the curve.

    `points` are the answers after so many patients.
    """
    every = _flat(sheet)
    lost = [f"{count} {name}" for name, count in outcomes(every).items() if _lost(name) and count]
    told = (f"not right, for want of an answer: {', '.join(lost)}",) if lost else ()
    shares = {name: _right(answers) / len(answers) for name, answers in sheet.items()}
    pooled = _score(MEDQA, every, signature).model_copy(
        update={
            "departments": shares,
            "keys": {one.question: one.keys for one in every if one.keys},
            "notes": (*notes, *told),
        }
    )
    departments = (_score(f"{MEDQA}/{name}", answers, signature) for name, answers in sheet.items())
    curve = (
        _score(f"{MEDQA}/after-{cases}", _flat(found), signature) for cases, found in points.items()
    )
    return (pooled, *departments, _answered(every, signature), *curve)


def _score(metric: str, answers: Sequence[Answered], signature: str) -> Score:
    right, n = _right(answers), len(answers)
    missing = sum(_lost(one.outcome) for one in answers)
    return Score(
        metric=metric,
        value=right / n if n else None,
        unit="share",
        better="higher",
        n=n,
        n_missing=missing,
        interval=wilson(right, n),
        roles=(ROLE,),
        signature=signature,
        bounds=(right / n, (right + missing) / n) if n else None,
        items={one.question: float(one.outcome == "right") for one in answers},
    )


def _answered(answers: Sequence[Answered], signature: str) -> Score:
    """The share among the questions that were answered at all."""
    given = [one for one in answers if not _lost(one.outcome)]
    found = _score(f"{MEDQA}/answered", given, signature)
    return found.model_copy(update={"n_missing": len(answers) - len(given), "bounds": None})


def differences(first: tuple[str, Sheet], second: tuple[str, Sheet]) -> Iterator[Difference]:
    """First minus second on the same questions, over all departments and in each.

    Exact McNemar, Bonett and Price's interval. A question without an answer is not right, as in
    the figures themselves.
    """
    (name, ours), (other, theirs) = first, second
    parts: dict[str, tuple[Sequence[Answered], Sequence[Answered]]] = {
        MEDQA: (_flat(ours), _flat(theirs))
    }
    parts |= {f"{MEDQA}/{one}": (ours[one], theirs[one]) for one in ours if one in theirs}
    for metric, (left, right) in parts.items():
        known = {one.question: one.outcome == "right" for one in right}
        pairs = [
            (one.outcome == "right", known[one.question]) for one in left if one.question in known
        ]
        if pairs:
            yes, also = [a for a, _ in pairs], [b for _, b in pairs]
            value, interval = paired_share_difference(yes, also)
            yield Difference(
                metric=metric,
                first=name,
                second=other,
                value=value,
                interval=interval,
                n=len(pairs),
                p_value=mcnemar(yes, also),
            )


def _flat(sheet: Sheet) -> list[Answered]:
    return [one for answers in sheet.values() for one in answers]


def _right(answers: Sequence[Answered]) -> int:
    return sum(one.outcome == "right" for one in answers)


def _lost(outcome: str) -> bool:
    return outcome not in ("right", "wrong")
