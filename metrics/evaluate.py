"""Any `evaluate` metric on a local path as one of ours.

Over pairs, a metric of two texts (predictions and references) gives a similarity: the mean of both
directions, for all pairs that every diversity metric takes. It costs n (n - 1) computes of 4 to
8 ms for each group of n records, held whole; the journal keeps each pair. Over records, a metric
of single texts is computed once on all of them.

The path is a script, or a folder that holds a script of its own name. It is code, and is run.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from importlib.metadata import packages_distributions
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bench.api.metric import MetricCard
from bench.api.pair_metric import (
    Grouping,
    Kernel,
    MatrixKernel,
    Texts,
    View,
    signature_of,
    view_text,
)
from bench.api.score import Direction
from bench.core.errors import UserError
from bench.scoring.intervals import mean_interval

if TYPE_CHECKING:
    from bench.api.context import Context
    from bench.api.item import Items

Over = Literal["pairs", "records"]
MOST = 100_000
"""Computes for one group of records above which a score is refused: some ten minutes."""


class Evaluate:
    """What a local `evaluate` metric gives: its mean over pairs of records, or over records."""

    card: MetricCard = MetricCard(
        name="evaluate",
        summary="A metric of Hugging Face evaluate on a local path, over pairs or single records",
        unit="value",
        better="higher",
        extra="hf",
    )

    def __init__(
        self,
        *,
        path: str,
        better: Direction,
        over: Over = "pairs",
        config: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        result: str | None = None,
        view: View = "full",
        pairs: Grouping = "department",
    ) -> None:
        """Choose the script, its configuration, and what is given to it; nothing is loaded yet.

        `kwargs` go to its `compute`; `result` is the key of its answer where that has several.

        Raises:
            UserError: if there is no such script.
        """
        self.view = view
        self.pairs = pairs
        self._script = _script(path)
        self._over = over
        self._config = config
        self._kwargs = dict(kwargs or {})
        self._result = result
        name = f"evaluate:{self._script.stem}" + (f".{result}" if result else "")
        self.card = replace(type(self).card, name=name, better=better)
        self._busy = Lock()

    @cached_property
    def _module(self) -> Any:
        """The evaluation module.

        Raises:
            UserError: if the extra is missing, or the script cannot be loaded offline.
        """
        try:
            import evaluate
        except ImportError as error:
            raise UserError(
                "evaluate metrics need the extra: pip install 'patient-zero-bench[hf]'"
            ) from error
        try:
            return evaluate.load(str(self._script), self._config, keep_in_memory=True)
        except (OSError, ImportError, SyntaxError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"the evaluate script {self._script} cannot be loaded ({reason})"
            ) from error

    def _inputs(self) -> list[str]:
        """The names of the module's inputs: one for each text of a pair, or one.

        Raises:
            UserError: if it takes another number of texts than it is to be given.
        """
        features = self._module.features
        names = list(features[0] if isinstance(features, list) else features)
        if len(names) != (2 if self._over == "pairs" else 1):
            raise UserError(
                f"the evaluate script {self._script} takes {', '.join(names)}: over='pairs' is "
                "for two texts, over='records' for one"
            )
        return names

    def _compute(self, *columns: Sequence[str]) -> list[float]:
        """What the module gives for some columns of texts: one number, or one for each row.

        Raises:
            UserError: if the answer lacks the key, has several and none is chosen, or holds
                something else than finite numbers, one or as many as rows.
        """
        given = dict(zip(self._inputs(), columns, strict=True))
        with self._busy:
            answer = self._module.compute(**given, **self._kwargs)
        key = next(iter(answer)) if self._result is None and len(answer) == 1 else self._result
        if key not in answer:
            raise UserError(
                f"the evaluate script {self._script} gives {', '.join(answer)}: "
                "name one of them as `result`"
            )
        numbers = np.atleast_1d(np.asarray(answer[key]))
        fits = numbers.shape in ((1,), (len(columns[0]),))
        if not fits or numbers.dtype.kind not in "biuf" or not np.isfinite(numbers).all():
            raise UserError(f"the evaluate script {self._script} gives {key}={answer[key]!r}")
        return [float(number) for number in numbers]

    def _request(self, *texts: str) -> dict[str, Any]:
        digests = [sha256(text.encode()).hexdigest() for text in texts]
        settings = {"kwargs": self._kwargs, "result": self._result}
        return {"kind": "evaluate", "module": self._method, **settings, "texts": digests}

    @cached_property
    def _method(self) -> str:
        """The script's hash, what is given to it, and versions of the libraries it names."""
        from evaluate.loading import get_imports

        known = packages_distributions()
        imported = (entry[1] for entry in get_imports(str(self._script)))
        named = {known[module][0] for module in imported if module in known}
        return signature_of(
            self.card.name,
            f"script:{self._module._hash[:12]}",
            f"config:{self._config or 'none'}",
            f"kwargs:{json.dumps(self._kwargs, sort_keys=True)}",
            packages=sorted(named | {"evaluate"}),
        )

    def signature(self, context: "Context") -> str:
        """What pins the meaning of the score."""
        shown = f"view:{self.view}"
        if self._over == "records":
            return signature_of(self._method, shown, "over:records")
        return signature_of(self._method, "dir:both", shown, f"pairs:{self.pairs}", "mean:macro")

    @property
    def kernel(self) -> "Callable[[Texts, Context], Awaitable[Kernel]] | None":
        """Both directions of each pair; none over records, which are scored as a whole."""
        return self._kernel if self._over == "pairs" else None

    async def _kernel(self, texts: Texts, context: "Context") -> Kernel:
        """Both directions of each pair, stored in the journal row by row.

        Raises:
            UserError: for more pairs than `MOST` computes allow; as `_compute`.
        """
        n = len(texts)
        if n * (n - 1) > MOST:
            raise UserError(
                f"{self.card.name} takes {n * (n - 1):,} computes for a group of {n} records, "
                f"more than {MOST:,}: score fewer records, or compare within a disease"
            )
        await asyncio.to_thread(self._inputs)
        matrix = np.zeros((n, n))
        keys: list[list[str]] = [[] for _ in texts]
        for i in range(n - 1):
            others = range(i + 1, n)

            async def row(missing: Sequence[int], i: int = i) -> list[bytes]:
                return await asyncio.to_thread(
                    lambda: [self._pair(texts[i], texts[i + 1 + index]) for index in missing]
                )

            requests = [self._request(texts[i], texts[j]) for j in others]
            for j, entry in zip(others, await context.journal.many(requests, row), strict=True):
                matrix[i, j] = matrix[j, i] = json.loads(entry.body)
                keys[i].append(entry.key)
                keys[j].append(entry.key)
        return MatrixKernel(matrix, [tuple(behind) for behind in keys])

    def _pair(self, one: str, other: str) -> bytes:
        both = self._compute([one], [other]) + self._compute([other], [one])
        return json.dumps(math.fsum(both) / len(both)).encode()

    async def score(self, items: "Items", context: "Context") -> dict[str, Any]:
        """The mean over records with a Student t interval.

        A module that gives one figure for all records has no interval.
        """
        await asyncio.to_thread(self._inputs)
        records = list(items)
        ids = [record.id for record in records]
        texts = [view_text(record, self.view) for record in records]

        async def compute(_: str) -> bytes:
            return json.dumps(await asyncio.to_thread(self._compute, texts)).encode()

        numbers: list[float] = []
        keys: tuple[str, ...] = ()
        if texts:
            entry = await context.journal.once(self._request(*texts), compute)
            numbers, keys = json.loads(entry.body), (entry.key,)
        each = len(numbers) == len(records)
        value, interval = mean_interval(numbers) if numbers else (None, None)
        return {
            "value": value,
            "n": len(records),
            "interval": interval if each else None,
            "items": dict(zip(ids, numbers, strict=True)) if each else {},
            "keys": dict.fromkeys(ids, keys),
            "signature": self.signature(context),
            "notes": () if each else ("one figure for all records: no interval",),
        }


def _script(path: str) -> Path:
    """The script that a path means.

    Raises:
        UserError: if there is none; the hub is not asked.
    """
    given = Path(path).expanduser().resolve()
    script = given if given.suffix == ".py" else given / f"{given.name}.py"
    if not script.is_file():
        raise UserError(
            f"there is no evaluate script {script}: give the path of a local script or its folder; "
            "the hub is not asked"
        )
    return script
