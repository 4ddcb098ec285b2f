"""Any `evaluate` metric on a local path as one of ours.

Over pairs, a metric of two texts (predictions and references) gives a similarity: the mean of both
directions, for all pairs that every diversity metric takes. It costs n (n - 1) computes of 4 to
8 ms for each group of n records, held whole. Over records, a metric of single texts is computed
for each of them. The journal keeps what was computed.

The path is a script, or a folder that holds a script of its own name. It is code, and is run.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from importlib.metadata import packages_distributions
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api.evaluation import Evaluation
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
from bench.core.text import one_line
from bench.records.record import PatientRecord

if TYPE_CHECKING:
    from bench.api.context import Context


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
        config: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        result: str | None = None,
        view: View = "full",
        pairs: Grouping = "department",
    ) -> None:
        """Load the script with its configuration, and choose what is given to it.

        `kwargs` go to its `compute`; `result` is the key of its answer where that has several.
        One that takes two texts is scored over pairs, one that takes one over records.

        Raises:
            UserError: if there is no such script, it cannot be loaded, or takes more texts.
        """
        self.view = view
        self.pairs = pairs
        self._script = _script(path)
        self._config = config
        self._kwargs = dict(kwargs or {})
        self._result = result
        name = f"evaluate:{self._script.stem}" + (f".{result}" if result else "")
        self.card = replace(type(self).card, name=name, better=better)
        self._module = _module(self._script, config)
        features = self._module.features
        self._inputs = list(features[0] if isinstance(features, list) else features)
        if len(self._inputs) == 2:
            self.kernel = self._kernel
        elif len(self._inputs) == 1:
            self.evaluate = self._record
        else:
            raise UserError(
                f"the evaluate script {self._script} takes {', '.join(self._inputs)}: it can be "
                "given one text, or two"
            )
        self._busy = Lock()

    def _compute(self, *texts: str) -> float:
        """What the module gives for one text, or for two.

        Raises:
            UserError: if the answer lacks the key, has several and none is chosen, or holds
                something else than one finite number.
        """
        given = {name: [text] for name, text in zip(self._inputs, texts, strict=True)}
        with self._busy:
            answer = self._module.compute(**given, **self._kwargs)
        key = next(iter(answer)) if self._result is None and len(answer) == 1 else self._result
        if key not in answer:
            raise UserError(
                f"the evaluate script {self._script} gives {', '.join(answer)}: "
                "name one of them as `result`"
            )
        number = np.atleast_1d(np.asarray(answer[key]))
        if number.shape != (1,) or number.dtype.kind not in "biuf" or not np.isfinite(number[0]):
            raise UserError(f"the evaluate script {self._script} gives {key}={answer[key]!r}")
        return float(number[0])

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
        if len(self._inputs) == 1:
            return signature_of(self._method, shown, "over:records")
        return signature_of(self._method, "dir:both", shown, f"pairs:{self.pairs}", "mean:macro")

    async def _kernel(self, texts: Texts, context: "Context") -> Kernel:
        """Both directions of each pair, stored in the journal row by row."""
        n = len(texts)
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
        return json.dumps((self._compute(one, other) + self._compute(other, one)) / 2).encode()

    async def _record(self, record: PatientRecord, context: "Context") -> Evaluation:
        """What the module gives for one record's text."""
        text = view_text(record, self.view)

        async def compute(_: str) -> bytes:
            return json.dumps(await asyncio.to_thread(self._compute, text)).encode()

        entry = await context.journal.once(self._request(text), compute)
        return Evaluation(values={"": (json.loads(entry.body),)}, keys=(entry.key,))


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


def _module(script: Path, config: str | None) -> Any:
    """The evaluation module of a script.

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
        return evaluate.load(str(script), config, keep_in_memory=True)
    except (OSError, ImportError, SyntaxError, TypeError, ValueError) as error:
        reason = one_line(str(error))
        raise UserError(f"the evaluate script {script} cannot be loaded ({reason})") from error
