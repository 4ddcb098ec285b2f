"""Saved models: where their files lie, and what tells one from another."""

import hashlib
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from bench.core.errors import UserError

SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
)
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
"""The first kind that is there is the one that is loaded."""
WHOLE = 512 * 2**20
"""Bytes of a file up to which its hash reads it whole: half a second."""
HEAD = 2**26
"""Bytes read whole of the beginning of a larger file, where a model's settings stand."""
BLOCK = 4096
BLOCKS = 256
"""Blocks read of a larger one, evenly spread: gigabytes stay cheap."""


class SavedModel(NamedTuple):
    """A saved model that was found."""

    name: str
    """What a person calls it: its folder's name, or its name on the hub."""
    folder: Path
    identity: str
    """sha256 of settings, tokenizer and weights; the same wherever the files lie."""


def find_model(model: str, user: str, *packages: str, extra: str = "neural") -> SavedModel:
    """The model in a folder or, by its name, of the hub.

    Args:
        model: Folder, or name on the hub.
        user: Who needs the model and the packages.
        packages: What must be installed.
        extra: Our extra that brings the packages.

    Raises:
        UserError: a package is not installed, there is no such model, or no way to reach the hub.
    """
    need(user, *packages, extra=extra)
    here = Path(model).is_dir()
    folder = Path(model) if here else _from_hub(model, user)
    return SavedModel(folder.resolve().name if here else model, folder, identity(folder))


def need(user: str, *packages: str, extra: str = "neural") -> None:
    """See that packages are installed; one of our extras brings them.

    Raises:
        UserError: one is not.
    """
    for package in packages:
        if find_spec(package) is None:
            raise UserError(
                f"{user} needs the package {package}: pip install 'patient-zero-bench[{extra}]'"
            )


def versions(*packages: str) -> str:
    """Packages with their versions, builds (+cpu, +cu128) left out: part of journal keys."""
    return " ".join(f"{package} {version(package).split('+')[0]}" for package in packages)


def _from_hub(model: str, user: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    folder = Path()
    try:
        for weights in WEIGHTS:
            wanted = [*SETTINGS, weights, f"{weights}.index.json"]
            # Other folders hold the same weights for other libraries.
            got = snapshot_download(model, allow_patterns=wanted, ignore_patterns=["*/*"])
            folder = Path(got)
            if any(folder.glob(weights)):
                break
    # Connection errors, missing repositories and an empty offline cache are all OSError.
    except (OSError, HFValidationError) as error:
        raise UserError(
            f"{user}: {model!r} is neither a folder nor found on the Hugging Face hub "
            f"({type(error).__name__}): give a path or a model id"
        ) from error
    return folder


def identity(folder: Path) -> str:
    """sha256 over settings, tokenizer and weights; the same wherever the files lie.

    Of large weights it reads size, beginning and blocks spread over the file: another training of
    the same model is told apart, a change of a few bytes may not be.

    Raises:
        UserError: the folder holds no model.
    """
    weights = next((found for one in WEIGHTS if (found := sorted(folder.glob(one)))), [])
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} holds no model: config.json is missing")
    if not weights:
        raise UserError(f"{folder} holds no model: there are neither {' nor '.join(WEIGHTS)}")
    whole = hashlib.sha256()
    for path in [*(path for name in SETTINGS if (path := folder / name).is_file()), *weights]:
        whole.update(f"{path.name} {content_hash(path)}\n".encode())
    return whole.hexdigest()


def content_hash(path: Path) -> str:
    """sha256 of a file; of one above WHOLE bytes, of its size, its beginning and some blocks of it.

    Raises:
        OSError: the file cannot be read.
    """
    now = path.stat()
    return _digest(path.resolve(), now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=1024)
def _digest(path: Path, size: int, changed: int) -> str:
    """Hash of a file, read once for as long as it does not change."""
    with path.open("rb") as file:
        if size <= WHOLE:
            return hashlib.file_digest(file, "sha256").hexdigest()
        read = hashlib.sha256(f"{size}\n".encode())
        read.update(file.read(HEAD))
        for place in range(BLOCKS):
            file.seek((size - BLOCK) * place // (BLOCKS - 1))
            read.update(file.read(BLOCK))
    return read.hexdigest()
