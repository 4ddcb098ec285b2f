"""The audit of the paper's figures as grids, CSV and plain data."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from bench.api.table import Grid
from bench.report.text import Value, csv_text
from leaderboards import paper_audit as audit
from leaderboards.denominators import Rounding, rating, share_of_values
from leaderboards.paper_audit import Fit, Group

NEVER = "no"
CSV_COLUMNS = (
    "table",
    "group",
    "figure",
    "printed",
    "rounding",
    "smallest_k",
    "smallest_n",
    "limit_n",
    "group_n",
)
HOW = {
    "half-up": "rounded half up",
    "half-even": "rounded half to even",
    "cut": "further digits cut off",
}
SHOWN = 5
"""Numbers of a list that are shown."""


class PaperAudit:
    """What the paper's figures imply: which N can stand behind them and what follows."""

    name: ClassVar[str] = "paper-audit"

    def __init__(
        self, *, rounding: Rounding = "half-up", triples: int = 10_000, seed: int = 0
    ) -> None:
        """`rounding` is how the paper is taken to print; `triples` and `seed` are the control's.

        Raises:
            ValueError: for no triples.
        """
        if triples < 1:
            raise ValueError(f"triples is {triples}: at least one is needed")
        self._rounding = rounding
        self._triples = triples
        self._seed = seed

    def grids(self) -> tuple[Grid, ...]:
        """One or more for each table, the control and the sentences."""
        how = self._rounding
        return (
            _table1(how),
            _table2(how),
            _table3(how),
            _consistency(how),
            _ratings(how),
            _table5(how),
            _pairs(how),
            _spreads(how),
            self._chance(),
            _claims(),
        )

    def data(self) -> dict[str, Any]:
        """Everything as plain data, for JSON."""
        how = self._rounding
        right, pooled = audit.all_right(how), audit.pooled(how)
        pairs = [{**asdict(pair), "difference": pair.difference} for pair in audit.pairs(how)]
        return {
            "rounding": how,
            "table1": asdict(audit.table1(how)),
            "table2": [asdict(judged) for judged in audit.table2(how)],
            "table1_beside_table2": right and asdict(right),
            "table3": [asdict(group) for group in audit.table3(how)],
            "table3_below_500": audit.below_500(how),
            "table4": {
                "consistency": asdict(audit.consistency(how)),
                "ratings": asdict(audit.ratings(how)),
            },
            "table5": {
                "departments": [asdict(group) for group in audit.table5(how)],
                "pairs": pairs,
                "pooled": pooled and asdict(pooled),
                "intervals": [asdict(spread) for spread in audit.spreads(how)],
            },
            "chance": {
                "seed": self._seed,
                "controls": [asdict(one) for one in audit.chance(self._triples, self._seed)],
            },
            "text": [asdict(claim) for claim in audit.claims()],
        }

    def csv(self) -> str:
        """One line for each figure that is a share or a mean rating."""
        return csv_text(CSV_COLUMNS, self._csv_rows())

    def _csv_rows(self) -> Iterator[list[Value]]:
        how = self._rounding
        tables: dict[int, Sequence[Group]] = {
            1: [audit.table1(how)],
            2: [judged.departments for judged in audit.table2(how)],
            3: audit.table3(how),
            4: [audit.consistency(how), audit.ratings(how)],
            5: audit.table5(how),
        }
        for table, groups in tables.items():
            for group in groups:
                first = group.common[0] if group.common else None
                for fit in group.fits:
                    own = [fit.smallest_k, fit.smallest_n]
                    named = [group.name, fit.label, fit.printed]
                    yield [table, *named, how, *own, group.up_to, first]

    def _chance(self) -> Grid:
        found = audit.chance(self._triples, self._seed)
        limits = tuple(found[0].found)
        rows = tuple(
            (
                one.drawn,
                *(f"{one.found[n]} ({100 * one.found[n] / one.triples:.2f} %)" for n in limits),
            )
            for one in found
        )
        fitting = [group for group in audit.table5(self._rounding) if group.common]
        notes = (
            f"{self._triples} triples of each kind, seed {self._seed}, rounded half up",
            f"Table 5: {len(fitting)} of {len(audit.rows(5))} departments have one up to "
            f"{audit.SMALL}",
        )
        heads = ("Random triples", *(f"with a common N up to {n}" for n in limits))
        return Grid("Chance: would any three percentages share an N?", heads, rows, notes)


def counted(fit: Fit) -> str:
    """The smallest counts behind a figure: "47/58"."""
    return NEVER if fit.smallest_n is None else f"{fit.smallest_k}/{fit.smallest_n}"


def listed(numbers: Sequence[int]) -> str:
    """The first of some numbers."""
    more = ", ..." if len(numbers) > SHOWN else ""
    return ", ".join(map(str, numbers[:SHOWN])) + more if numbers else "none"


def _at(fit: Fit) -> Iterator[str]:
    return (NEVER if k is None else f"{k}/{n}" for n, k in fit.at.items())


def _together(groups: Iterable[Group]) -> Iterator[str]:
    for group in groups:
        note = f"{group.name}: common N up to {group.up_to}: {listed(group.common)}"
        yield note if group.common or group.first is None else f"{note} (first: {group.first})"


def _titled(title: str, how: Rounding) -> str:
    return f"{title} ({HOW[how]})"


def _table1(how: Rounding) -> Grid:
    found = audit.table1(how)
    rows = tuple((fit.label, fit.printed, counted(fit), *_at(fit)) for fit in found.fits)
    heads = ("Method", "Printed", "Smallest k/N", "At N = 100")
    return Grid(_titled("Table 1, accuracy", how), heads, rows, tuple(_together([found])))


def _table2(how: Rounding) -> Grid:
    found = audit.table2(how)
    rows = tuple(
        (
            judged.departments.name,
            listed(judged.departments.common),
            ", ".join(NEVER if fit.at[100] is None else f"{fit.at[100]}" for fit in fits),
            NEVER if judged.right is None else f"{judged.right}/{100 * len(fits)}",
            judged.mean or NEVER,
            judged.printed_mean,
        )
        for judged in found
        for fits in [judged.departments.fits]
    )
    notes = [f"departments: {', '.join(fit.label for fit in found[0].departments.fits)}"]
    notes.append(
        "accuracy of Patient-Zero: "
        + "; ".join(f"{where} {value}" for where, value in accuracies().items())
    )
    right = audit.all_right(how)
    if right is not None:
        notes.append(
            f"{right.wrong} wrong of {right.records} by the judge of Table 1: none wrong in "
            f"{right.sample} has probability {right.within:.3f} if they are among the "
            f"{right.records}, {right.beside:.3f} if they are others like them"
        )
    heads = ("Judge", "Common N", "k of 100", "Sum", "Mean", "Printed mean")
    return Grid(_titled("Table 2, accuracy by judge", how), heads, rows, tuple(notes))


def accuracies() -> dict[str, str]:
    """The accuracies of Patient-Zero as a whole, by table."""
    average = list(audit.rows(2)[-1].values())[1:]
    table1 = [row["accuracy_pct"] for row in audit.rows(1) if row["method"] == "Patient-Zero"]
    table3 = [row["accuracy_pct"] for row in audit.rows(3) if row["method"] == "Patient-Zero"]
    return {
        f"Table {table}": f"{min(values, key=float)} to {max(values, key=float)}"
        if len(values) > 1
        else values[0]
        for table, values in ((1, table1), (2, average), (3, table3))
    }


def _table3(how: Rounding) -> Grid:
    groups, below = audit.table3(how), audit.below_500(how)
    rows = tuple(
        (group.name, fit.label, fit.printed, counted(fit), *_at(fit), listed(below[fit.printed]))
        for group in groups
        for fit in group.fits
    )
    heads = (
        "Method",
        "Backbone",
        "Printed",
        "Smallest k/N",
        *(f"At N = {n}" for n in (100, 500, 600)),
        "N from 470 to 499",
    )
    chance = 100 * float(share_of_values(500, 10_000))
    notes = (*_together(groups), f"{chance:.0f} % of all such percentages are k/500")
    return Grid(_titled("Table 3, accuracy", how), heads, rows, notes)


def _consistency(how: Rounding) -> Grid:
    found = audit.consistency(how)
    ns = tuple(found.fits[0].at)
    rows = tuple((fit.label, fit.printed, counted(fit), *_at(fit)) for fit in found.fits)
    notes = list(_together([found]))
    for other in audit.ROUNDINGS:
        if other != how:
            fits = audit.consistency(other).fits
            given = [f"{fit.printed} = {k}/{n}" for fit in fits for n, k in fit.at.items() if k]
            notes.append(f"{HOW[other]}: {', '.join(given) or 'none of them either'}")
    heads = ("Dialogues", "Printed", "Smallest k/N", *(f"At N = {n}" for n in ns))
    return Grid(_titled("Table 4, dialogue consistency", how), heads, rows, tuple(notes))


def _ratings(how: Rounding) -> Grid:
    found = audit.ratings(how)
    width = len(audit.FORMATS_4)
    rows = []
    for start in range(0, len(found.fits), width):
        fits = found.fits[start : start + width]
        ks = ((fit.printed, fit.at[60]) for fit in fits)
        cells = (f"{said} = {NEVER if k is None else f'{k}/60'}" for said, k in ks)
        rows.append((fits[0].label.rpartition(", ")[0], *cells))
    scale = rating(found.fits[0].printed).scale
    share = share_of_values(60, scale)
    fitting = [n for n in found.common if n < scale]
    notes = (
        f"common N below {scale}: {', '.join(map(str, fitting)) or 'none'}; every N from {scale} "
        "fits any mean",
        f"{100 * float(share):.0f} % of all such means are k/60: all {len(found.fits)} by chance "
        f"{float(share) ** len(found.fits):.1e}",
    )
    heads = ("Mean rating", *audit.FORMATS_4.values())
    return Grid(_titled("Table 4, ratings", how), heads, tuple(rows), notes)


def _table5(how: Rounding) -> Grid:
    groups = audit.table5(how)
    trained = {
        pair.department: "none" if pair.n is None else str(pair.n)
        for pair in audit.pairs(how)
        if audit.COLUMNS_5[audit.BASELINE] not in (pair.first, pair.second)
    }
    rows = tuple(
        (
            group.name,
            *(f"{fit.printed} = {counted(fit)}" for fit in group.fits),
            listed(group.common),
            str(group.first or "none"),
            trained[group.name],
        )
        for group in groups
    )
    notes = []
    for other in audit.ROUNDINGS:
        if other != how:
            without = [group.name for group in audit.table5(other) if not group.common]
            notes.append(f"{HOW[other]}: no common N in {', '.join(without) or 'no department'}")
    heads = (
        "Department",
        *audit.COLUMNS_5.values(),
        f"N of all three up to {audit.SMALL}",
        "First N of all three",
        "First N of the trained two",
    )
    return Grid(_titled("Table 5, which N", how), heads, rows, tuple(notes))


def _pairs(how: Rounding) -> Grid:
    rows = tuple(
        (
            pair.department,
            f"{pair.first} - {pair.second}",
            *(
                ("none", "", "", "")
                if pair.p is None
                else (
                    str(pair.n),
                    f"{pair.first_k} - {pair.second_k} = {pair.difference}",
                    f"{pair.p:.3g}",
                    str(pair.n_for_5_percent or "none"),
                )
            ),
        )
        for pair in audit.pairs(how)
    )
    notes = [
        "best case: exact two-sided McNemar if no question went the other way",
        "a multiple of N fits too, and multiplies the difference",
    ]
    whole = audit.pooled(how)
    if whole is not None:
        notes.append(
            f"Patient-Zero - Generated, all departments: {whole.difference} of {whole.n} "
            f"questions, best case p = {whole.p:.3f}"
        )
    heads = ("Department", "Columns", "Smallest N", "Questions", "Best case p", "N with p < 0.05")
    return Grid(_titled("Table 5, differences at the smallest N", how), heads, rows, tuple(notes))


def _spreads(how: Rounding) -> Grid:
    cells: dict[str, dict[str, str]] = {}
    for spread in audit.spreads(how):
        shown = f"{spread.k}/{spread.n} [{100 * spread.low:.1f}, {100 * spread.high:.1f}]"
        cells.setdefault(spread.department, {})[spread.column] = shown
    rows = tuple(
        (department, *(found.get(column, "none") for column in audit.COLUMNS_5.values()))
        for department, found in cells.items()
    )
    notes = [
        "GPT-4o at its own smallest N, the trained columns at their smallest common one: "
        "the widest intervals there can be if these two share their questions",
    ]
    smaller = [
        f"{spread.department} {spread.column} {spread.alone}"
        for spread in audit.spreads(how)
        if spread.alone
    ]
    if smaller:
        notes.append(f"if they do not, a smaller N and a wider interval: {', '.join(smaller)}")
    heads = ("Department", *audit.COLUMNS_5.values())
    return Grid(_titled("Table 5, Wilson 95 % intervals in %", how), heads, rows, tuple(notes))


def _claims() -> Grid:
    rows = tuple(
        (
            f"Table {claim.table}",
            claim.said,
            f"{claim.agree} of {claim.comparisons}",
            "; ".join(claim.otherwise),
        )
        for claim in audit.claims()
    )
    heads = ("Table", "The text says", "Comparisons that agree", "Otherwise")
    return Grid("What the text says of the tables", heads, rows)
