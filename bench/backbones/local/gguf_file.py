"""GGUF files, the form in which llama.cpp keeps models: settings, then tensors.

Follows https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3. The reader of
the package gguf makes two arrays of every word of the vocabulary (3 s where this takes 0.2) and
reads on past the end of a file that was cut off; its tables of types and its dequantisation are
used.

Imports gguf at once: import this module late.
"""

import math
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize
from numpy.typing import NDArray

from bench.core.errors import UserError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
TEXT, ARRAY = 8, 9
SCALARS = {**dict(enumerate("BbHhIif?")), 10: "Q", 11: "q", 12: "d"}
"""Kinds of numbers, as struct names them, by their codes."""
ALIGNMENT = 32
AT_ONCE = 2**16
"""Values dequantised at once: what stays in a processor's cache is done three times as fast."""

Kind = TypeVar("Kind", str, int, float)


class Tensor(NamedTuple):
    """Where a tensor lies, and in which form."""

    form: GGMLQuantizationType
    shape: tuple[int, ...]
    """As torch and numpy say it: the last dimension is contiguous."""
    start: int
    """First byte in the file."""
    size: int
    """Bytes in the file."""


class GgufFile:
    """A GGUF file with its settings and the places of its tensors."""

    settings: dict[str, Any]
    """Numbers, texts and lists of them by their full names."""
    tensors: dict[str, Tensor]

    def __init__(self, path: Path) -> None:
        """Read what stands before the tensors.

        Raises:
            UserError: there is no such file, it is no GGUF file, or it is damaged.
        """
        self.path = path
        self._at = len(MAGIC)
        try:
            with path.open("rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    raise UserError(f"{path} is no GGUF file: it does not begin with {MAGIC!r}")
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
        version = self._number("I")
        if version not in VERSIONS:
            raise self.unusable(f"it is of version {version} of the format, or of a foreign order")
        tensors, settings = self._number("Q"), self._number("Q")
        self.settings = dict(self._setting() for _ in range(settings))
        places = [self._place() for _ in range(tensors)]
        step = self.settings.get("general.alignment", ALIGNMENT)
        if not isinstance(step, int) or step < 1:
            raise self.damaged("general.alignment is no number above 0")
        start = -(-self._at // step) * step
        self.tensors = {
            name: self._tensor(name, shape, kind, start + offset)
            for name, shape, kind, offset in places
        }

    def unusable(self, why: str) -> UserError:
        """What to raise for a file that is sound and not for us."""
        return UserError(
            f"{self.path} cannot be used in this process: {why}; a server (llama.cpp, Ollama) may "
            "read it: openai/MODEL"
        )

    def damaged(self, why: str) -> UserError:
        """What to raise for a file that no program can read."""
        return UserError(f"{self.path} is damaged or cut off: {why}; get it again")

    def text(self, name: str) -> str:
        """A setting that is a text; "" where it is missing.

        Raises:
            UserError: it is something else.
        """
        value = self.settings.get(name, "")
        if not isinstance(value, str):
            raise self.damaged(f"{name} is no text")
        return value

    def count(self, name: str, default: int | None = None) -> int:
        """A setting that is a whole number above 0.

        Raises:
            UserError: it is missing and has no default, or is something else.
        """
        value = self.settings.get(name, default)
        if type(value) is not int or value < 1:
            raise self.unusable(f"its setting {name} is missing or no whole number above 0")
        return value

    def items(self, name: str, kind: type[Kind]) -> list[Kind]:
        """A setting that is a list, its members all of one kind.

        Raises:
            UserError: it is missing or is something else.
        """
        value = self.settings.get(name)
        if not isinstance(value, list) or not all(isinstance(one, kind) for one in value):
            raise self.unusable(f"its setting {name} is missing or no list of the right kind")
        return value

    def values(self, name: str, heads: int = 0) -> Iterator[NDArray[np.float32]]:
        """All values of a tensor in their order, in pieces, each of shape (n,).

        Args:
            name: The tensor.
            heads: If not 0, the rows are those of so many attention heads, in which llama.cpp has
                put the halves that rotary embeddings pair side by side; the halves are put back.

        Raises:
            UserError: its form cannot be dequantised, or there are values that are no numbers.
        """
        form, shape, start, size = self.tensors[name]
        raw = np.frombuffer(self._data, np.uint8, size, start)
        if heads:
            # Quantised blocks lie within rows, so rows can be moved before they are dequantised.
            raw = raw.reshape(heads, shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(-1)
        block, block_size = GGML_QUANT_SIZES[form]
        step = max(1, AT_ONCE // block) * block_size
        for at in range(0, size, step):
            try:
                piece = dequantize(raw[at : at + step].reshape(1, -1), form).reshape(-1)
            except NotImplementedError as error:
                raise self.unusable(f"its tensor {name} is of the form {form.name}") from error
            if not np.isfinite(piece).all():
                raise self.damaged(f"its tensor {name} holds values that are no numbers")
            yield piece

    def _take(self, size: int) -> int:
        """Where the next so many bytes begin."""
        at = self._at
        if size > len(self._data) - at:
            raise self.damaged("it ends too early")
        self._at += size
        return at

    def _number(self, form: str) -> Any:
        one = struct.Struct(f"<{form}")
        return one.unpack_from(self._data, self._take(one.size))[0]

    def _text(self) -> str:
        size = self._number("Q")
        at = self._take(size)
        try:
            return self._data[at : at + size].decode()
        except UnicodeDecodeError as error:
            raise self.damaged("a text in it is no text") from error

    def _setting(self) -> tuple[str, Any]:
        name, kind = self._text(), self._number("I")
        if kind == TEXT:
            return name, self._text()
        if kind != ARRAY:
            return name, self._number(self._scalar(kind))
        kind, count = self._number("I"), self._number("Q")
        if kind == TEXT:
            return name, [self._text() for _ in range(count)]
        form = self._scalar(kind)
        at = self._take(count * struct.calcsize(f"<{form}"))
        return name, list(struct.unpack_from(f"<{count}{form}", self._data, at))

    def _scalar(self, kind: int) -> str:
        if kind not in SCALARS:
            raise self.damaged(f"a setting is of the unknown kind {kind}")
        return SCALARS[kind]

    def _place(self) -> tuple[str, tuple[int, ...], int, int]:
        """Name, shape, form and offset of a tensor."""
        name, dimensions = self._text(), self._number("I")
        at = self._take(8 * dimensions)
        shape = struct.unpack_from(f"<{dimensions}Q", self._data, at)[::-1]
        return name, shape, self._number("I"), self._number("Q")

    def _tensor(self, name: str, shape: tuple[int, ...], kind: int, start: int) -> Tensor:
        try:
            form = GGMLQuantizationType(kind)
        except ValueError as error:
            raise self.unusable(f"its tensor {name} is of the unknown form {kind}") from error
        block, block_size = GGML_QUANT_SIZES[form]
        size = math.prod(shape) // block * block_size
        if not shape or not size or shape[-1] % block or start + size > len(self._data):
            raise self.damaged(f"it does not hold the whole of its tensor {name}")
        return Tensor(form, shape, start, size)
