"""Scores of an exam, and what two students' answers to the same questions say of each other.

The figure is right answers over all questions that were put to the student: one that was refused or
stayed invalid is not right, is missing, and is counted by its kind. A question that never reached
the student, for a dead line or a training that failed, says nothing of it: it is missing, too, and
counts in the bounds alone. The share among the questions that were answered stands beside it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.api.metric import Difference, Score
from bench.experiments.experiment import MEDQA
from bench.scoring.intervals import mcnemar, paired_share_difference, wilson
from bench.students.answer import OUTCOMES, PUT, Answered

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
    counts = outcomes(every).items()
    never = [f"{count} {name}" for name, count in counts if name not in PUT and count]
    lost = [f"{count} {name}" for name, count in counts if name in PUT and _lost(name) and count]
    told = [f"not right, for want of an answer: {', '.join(lost)}"] if lost else []
    told += [f"never put to the student: {', '.join(never)}"] if never else []
    made = _Made(signature, tuple(notes))
    pooled = made.score(MEDQA, every)
    departments = {name: made.score(f"{MEDQA}/{name}", found) for name, found in sheet.items()}
    shares = {name: one.value for name, one in departments.items() if one.value is not None}
    pooled = pooled.model_copy(
        update={
            "departments": shares,
            "keys": {one.question: one.keys for one in every if one.keys},
            "notes": (*notes, *told),
        }
    )
    given = [one for one in every if not _lost(one.outcome)]
    answered = made.score(f"{MEDQA}/answered", given)
    answered = answered.model_copy(update={"n_missing": len(every) - len(given), "bounds": None})
    curve = (made.score(f"{MEDQA}/after-{cases}", _flat(one)) for cases, one in points.items())
    return (pooled, *departments.values(), answered, *curve)


@dataclass(frozen=True)
class _Made:
    """What all scores of a student have in common."""

    signature: str
    notes: tuple[str, ...]

    def score(self, metric: str, answers: Sequence[Answered]) -> Score:
        """The share of right answers; none where no question was put."""
        put = [one for one in answers if one.outcome in PUT]
        right, n = _right(put), len(put)
        missing = sum(_lost(one.outcome) for one in answers)
        every = len(answers)
        return Score(
            metric=metric,
            value=right / n if n else None,
            unit="share",
            better="higher",
            n=n,
            n_missing=missing,
            interval=wilson(right, n),
            roles=(ROLE,),
            signature=self.signature,
            notes=self.notes,
            bounds=(right / every, (right + missing) / every) if every else None,
            items={one.question: float(one.outcome == "right") for one in put},
        )


def differences(first: tuple[str, Sheet], second: tuple[str, Sheet]) -> Iterator[Difference]:
    """First minus second on the questions put to both, over all departments and in each.

    Exact McNemar, Bonett and Price's interval. A question without an answer is not right, as in
    the figures themselves; one that never reached a student leaves both.
    """
    (name, ours), (other, theirs) = first, second
    parts: dict[str, tuple[Sequence[Answered], Sequence[Answered]]] = {
        MEDQA: (_flat(ours), _flat(theirs))
    }
    parts |= {f"{MEDQA}/{one}": (ours[one], theirs[one]) for one in ours if one in theirs}
    for metric, (left, right) in parts.items():
        known = {one.question: one.outcome == "right" for one in right if one.outcome in PUT}
        pairs = [
            (one.outcome == "right", known[one.question])
            for one in left
            if one.outcome in PUT and one.question in known
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
                discordant=(pairs.count((True, False)), pairs.count((False, True))),
            )


def _flat(sheet: Sheet) -> list[Answered]:
    return [one for answers in sheet.values() for one in answers]


def _right(answers: Sequence[Answered]) -> int:
    return sum(one.outcome == "right" for one in answers)


def _lost(outcome: str) -> bool:
    return outcome not in ("right", "wrong")
