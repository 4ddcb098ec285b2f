"""What a run holds of one item, and its failures, in lines for the screen."""

from collections.abc import Iterator, Mapping, Sequence

from bench.api.evaluation import Evaluation, Reason
from bench.api.failure import Failure
from bench.experiments.run_reader import ItemEvaluation, ItemReport, ItemView
from bench.runs.exchanges import JournalExchange

KEY = 12
"""Characters of a journal key beside a reason; `--exchanges` shows the whole key."""
EXAMPLES = 3
"""Ids shown of a group of failures."""


def report_lines(report: ItemReport) -> Iterator[str]:
    """Everything but the exchanges."""
    yield f"# {report.id}"
    if report.plan:
        yield f"planned: {_named(report.plan)}"
    for view in report.items:
        yield ""
        yield from _view_lines(view)
    if report.remarks:
        yield ""
        yield from (f"missing: {remark}" for remark in report.remarks)


def _view_lines(view: ItemView) -> Iterator[str]:
    yield f"## {view.stage}: {_named(view.cell)}"
    if view.text:
        yield view.text.rstrip()
    for failure in view.failures:
        yield _failure_line(failure)
    for evaluation in view.evaluations:
        yield ""
        yield from _evaluation_lines(evaluation, view)


def _evaluation_lines(evaluation: ItemEvaluation, view: ItemView) -> Iterator[str]:
    asked = _named({name: who for name, who in evaluation.cell.items() if name not in view.cell})
    title = f"### {evaluation.metric}{f' ({asked})' if asked else ''}"
    if evaluation.lacking:
        yield f"{title}: {evaluation.lacking}"
        return
    yield f"{title}: {_values(evaluation) or 'no value'}"
    for reason in evaluation.reasons:
        yield from _reason_lines(reason)
    for part, why in evaluation.left_out.items():
        yield f"  {part or evaluation.metric} is left out: {why}"
    for name, counts in (("missing", evaluation.missing), ("assumed", evaluation.assumed)):
        for part, count in counts.items():
            yield f"  {name}: {count} of {part or evaluation.metric}"
    for failure in evaluation.failures:
        yield f"  {_failure_line(failure)}"
    yield from (f"  note: {note}" for note in evaluation.notes)
    linked = {key for reason in evaluation.reasons for key in reason.keys}
    if others := [key for key in evaluation.keys if key not in linked]:
        yield f"  {_keys(others)}"


def _values(evaluation: Evaluation) -> str:
    """Each part with its value, or its values where each answer has one."""
    return ", ".join(
        f"{part} {shown}".strip()
        for part, values in evaluation.values.items()
        if (shown := " ".join(f"{value:.4g}" for value in values))
    )


def _reason_lines(reason: Reason) -> Iterator[str]:
    value = "" if reason.value is None else f"{reason.value:.4g}"
    head = " ".join(part for part in (reason.where, value) if part)
    text = " ".join(reason.text.split()) or "no reason given"
    yield f"  {head}: {text}  {_keys(reason.keys)}".rstrip()
    for fact, words in reason.contradicted.items():
        yield f"    contradicts {fact} ({words})"


def _failure_line(failure: Failure) -> str:
    of = f"{failure.metric}: " if failure.metric else ""
    heals = "the same command tries again" if failure.heals else "--retry-failed asks again"
    shown = f"failed: {of}{failure.item}: {failure.outcome}: {failure.reason} ({heals})"
    return f"{shown}  {_keys(failure.keys)}".rstrip()


def _keys(keys: Sequence[str]) -> str:
    """The beginnings of journal keys."""
    return f"[{', '.join(key[:KEY] for key in keys)}]" if keys else ""


def _named(factors: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in factors.items())


def exchange_lines(exchange: JournalExchange) -> Iterator[str]:
    """One exchange: what was asked, message by message, and the answer."""
    yield f"## exchange {exchange.key}"
    if exchange.lacking:
        yield f"missing: {exchange.lacking}"
        return
    for message in exchange.messages:
        yield f"{message['role']}: {message['content']}"
    by = exchange.model or exchange.backbone
    how = f", {exchange.outcome}" if exchange.outcome not in ("", "answer") else ""
    yield f"answer by {by}{how}: {exchange.answer}"


def failure_lines(groups: Sequence[Sequence[Failure]], run: str) -> Iterator[str]:
    """Groups of failures that are alike, and what is to be done about them."""
    for group in groups:
        first = group[0]
        what = f"{first.metric} of {first.stage}" if first.metric else first.stage
        yield f"{len(group)} x {what}: {_named(first.cell)}"
        yield f"  {first.outcome}: {first.reason}"
        more = f" and {len(group) - EXAMPLES} more" if len(group) > EXAMPLES else ""
        yield f"  {', '.join(failure.item for failure in group[:EXAMPLES])}{more}"
    heal = sum(failure.heals for group in groups for failure in group)
    stay = sum(map(len, groups)) - heal
    yield f"{heal + stay} failures" if groups else "no failures"
    if heal:
        yield f"{heal} of them: `pzbench run {run}` tries again"
    if stay:
        yield f"{stay} of them: `pzbench run {run} --retry-failed` asks again"
