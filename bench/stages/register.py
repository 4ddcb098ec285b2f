"""What a generator yields, held against the cases it was given."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

from bench.api.adapters import Line
from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.generator import Generator
from bench.knowledge.cases import Case

_END = object()


async def yielded(
    generator: Generator, cases: Iterable[Case], context: Context
) -> AsyncIterator[object]:
    """Everything a generator yields; what it raises is its last item, a failure.

    Raises:
        UserError: if the run cannot go on.
    """

    async def start() -> Any:
        return generator.generate(cases, context)

    stage = generator.card.name
    made = await guarded(start(), "*", stage)
    if isinstance(made, Failure):
        yield made
        return
    async with aclosing(made):
        while (given := await guarded(anext(made, _END), "*", stage)) is not _END:
            yield given
            if isinstance(given, Failure) and given.item == "*":
                return


class Register:
    """Hands out the cases, and knows which of them are still without a record.

    A paired generator holds no more cases than it works on at once; of an unpaired one every id
    is kept, to find one that stands twice.
    """

    def __init__(self, cases: Iterable[Case], *, paired: bool) -> None:
        """Nothing is handed out yet."""
        self.written = self.rewritten = 0
        self._cases = cases
        self._paired = paired
        self._open: set[str] = set()
        self._seen: set[str] = set()

    def __iter__(self) -> Iterator[Case]:
        """The cases, for the generator."""
        for case in self._cases:
            self._open.add(case.id)
            yield case

    def checked(self, line: Line | Failure, stage: str) -> Line | Failure:
        """The line, or the failure that its id makes of it."""
        if isinstance(line, Failure):
            self._open.discard(line.item)
            return line
        if self._paired and line.id not in self._open:
            reason = f"no planned case is waiting for a record {line.id!r}"
            return Failure(item=line.id, stage=stage, outcome="invalid", reason=reason)
        if not self._paired and line.id in self._seen:
            reason = f"a second record {line.id!r}"
            return Failure(item=line.id, stage=stage, outcome="invalid", reason=reason)
        self._open.discard(line.id)
        if not self._paired:
            self._seen.add(line.id)
        self.written += 1
        self.rewritten += line.rewritten
        return line
