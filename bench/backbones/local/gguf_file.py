"""GGUF files, the form in which llama.cpp keeps models: settings, then tensors.

They are described at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, and read with the
package gguf. It trusts a file; what is damaged or made to harm is found out here.

Imports gguf at once: import this module late.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.core.errors import UserError
from bench.core.schema import faults
from bench.core.text import one_line

PARTS = 2**22
"""Numbers and texts before the tensors: thrice those of the largest vocabularies, 0.7 GB."""
AT_ONCE = 2**16
"""Values dequantised at once: what stays in a processor's cache is done three times as fast."""


class _Reader(GGUFReader):  # type: ignore[misc]  # gguf is Any to mypy
    """The package's reader, but for how it takes a part out of a file.

    Its own way gives less than was asked for where the file ends, so that a wrong count keeps it
    busy for ever; and it takes three times as long and four times the memory.
    """

    parts = 0

    def _get(
        self, offset: int, dtype: Any, count: int = 1, override_order: str | None = None
    ) -> NDArray[Any]:
        self.parts += 1
        if self.parts > PARTS:
            raise ValueError("there is no end to its settings")
        return np.frombuffer(self.data, dtype, int(count), int(offset))


class GgufFile:
    """A GGUF file with its settings and tensors."""

    settings: dict[str, Any]
    """Numbers, texts and lists of them by their full names."""
    asked: set[str]
    """Names of the settings that somebody wanted to know."""
    shapes: dict[str, tuple[int, ...]]
    """Of all tensors, as torch and numpy say it: the last dimension is contiguous."""

    def __init__(self, path: Path) -> None:
        """Read what stands before the tensors, and see that these are there.

        Raises:
            UserError: there is no such file, it is no GGUF file, or it is damaged.
        """
        self.path, self.asked = path, set()
        try:
            with np.errstate(over="raise"):
                reader = _Reader(path)
            self.settings = {name: field.contents() for name, field in reader.fields.items()}
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
        # Whatever damage leads to: parts that are not there, names that occur twice or are no
        # text, codes that mean nothing, numbers beyond any range, lists of lists without end.
        except (ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise UserError(
                f"{path} is no GGUF file, damaged or cut off, or too new for the package gguf: "
                f"{one_line(str(error))[:200]}; get it again"
            ) from error
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.shapes = {one.name: tuple(one.shape.tolist()[::-1]) for one in reader.tensors}

    def unusable(self, why: str) -> UserError:
        """What to raise for a file that is sound and not for us."""
        return UserError(
            f"{self.path} cannot be used in this process: {why}; a server (llama.cpp, Ollama) may "
            "read it: openai/MODEL"
        )

    def damaged(self, why: str) -> UserError:
        """What to raise for a file that no program can read."""
        return UserError(f"{self.path} is damaged or cut off: {why}; get it again")

    def get(self, name: str, kind: Any, default: Any = None) -> Any:
        """A setting of a kind that pydantic knows, as PositiveInt or list[str].

        Raises:
            UserError: it is missing and has no default, or is something else.
        """
        self.asked.add(name)
        value = self.settings.get(name, default)
        exact = TypeAdapter(kind, config=ConfigDict(strict=True, allow_inf_nan=False))
        try:
            return exact.validate_python(value)
        except ValidationError as error:
            found = "missing" if value is None else faults(error, most=1).partition(": ")[2]
            raise self.unusable(f"its setting {name} cannot be used ({found})") from error

    def values(self, name: str, heads: int = 0) -> Iterator[NDArray[np.float32]]:
        """All values of a tensor in their order, in pieces, each of shape (n,).

        Args:
            name: The tensor.
            heads: If not 0, the rows are those of so many attention heads, in which llama.cpp has
                put the halves that rotary embeddings pair side by side; the halves are put back.

        Raises:
            UserError: its form cannot be dequantised, or there are values that are no numbers.
        """
        tensor = self._tensors[name]
        rows = np.atleast_2d(tensor.data)
        if heads:
            # Quantised blocks lie within rows, so rows can be moved before they are dequantised.
            halves = rows.reshape(heads, len(rows) // heads // 2, 2, -1)
            rows = halves.swapaxes(1, 2).reshape(rows.shape)
        pieces = -(-tensor.n_elements // AT_ONCE)
        for some in np.array_split(rows, min(pieces, len(rows))):
            try:
                with np.errstate(all="ignore"):
                    piece = dequantize(some.reshape(1, -1), tensor.tensor_type).reshape(-1)
            except NotImplementedError as error:
                raise self.unusable(f"its tensor {name} cannot be dequantised ({error})") from error
            if not np.isfinite(piece).all():
                raise self.damaged(f"its tensor {name} holds values that are no numbers")
            yield piece
