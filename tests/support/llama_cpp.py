"""llama.cpp itself on a GGUF file: the tokens and the chances it sees."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from xllamacpp import CommonParams, Server, llama_flash_attn_type


class LlamaCpp:
    """A server in this process, on a free port, for one file."""

    def __init__(self, path: Path) -> None:
        wanted = CommonParams()
        wanted.model.path = str(path)
        wanted.n_ctx = 256
        wanted.n_parallel = 1
        wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
        wanted.warmup = False
        wanted.flash_attn_type = llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        wanted.verbosity = -1
        self._server: Any = Server(wanted)

    def tokens(self, text: str, *, begin: bool = False) -> list[int]:
        """Tokens of a text, special tokens read as such."""
        asked = {"content": text, "add_special": begin, "parse_special": True}
        return list(self._asked("/tokenize", asked)["tokens"])

    def chances(self, tokens: list[int], size: int) -> list[float]:
        """Log-probability of each token of a vocabulary to come next."""
        # It keeps back what is no whole letter or ends the text; the bias is not in the chances.
        say = [[self.tokens("a")[0], 1000]]
        asked = {"prompt": tokens, "n_predict": 1, "n_probs": size, "logit_bias": say}
        (place,) = self._asked("/completion", asked)["completion_probabilities"]
        found = {one["id"]: one["logprob"] for one in place["top_logprobs"]}
        return [found[token] for token in range(size)]

    def _asked(self, path: str, what: Any) -> Any:
        request = urllib.request.Request(
            self._server.listening_address + path,
            json.dumps(what).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
