"""Model folders: is this a model that can be loaded, is it the same one as before, and how one is written."""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from fusechat.errors import BadInput

WEIGHT_PATTERNS = ("*.safetensors", "*.bin")
SMALL_FILE = 1 << 20  # bytes; larger files are fingerprinted by size, first and last MiB
LAST_FILES = {"config.json", "adapter_config.json"}  # by which loaders know a model
HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")


def check_model_folder(model: str | Path, *, weights: bool = True) -> None:
    """Raises BadInput unless `model` is a local Hugging Face folder with config and weights, or a Hub id."""
    folder = Path(model)
    if not folder.exists():
        if HUB_ID.match(str(model)) and not str(model).startswith("."):
            return
        raise BadInput(f"{model}: is neither an existing folder nor a Hub id (org/name); mend the path")
    if not folder.is_dir():
        raise BadInput(f"{model}: is a file; give the folder that holds config.json and the weights")
    if not (folder / "config.json").is_file():
        raise BadInput(f"{model}: holds no config.json; give a Hugging Face model folder")
    if weights and not any(any(folder.glob(pattern)) for pattern in WEIGHT_PATTERNS):
        raise BadInput(
            f"{model}: holds no weights (*.safetensors); the download or the training is not finished"
        )


def model_fingerprint(model: str | Path) -> str:
    """An identity of the model's content: `sha256:…` for a folder, `hub:<id>@<commit>` where one is cached.

    For a folder: names, sizes, and the content of its files (of weights over 1 MiB the first and the last
    MiB, so that 140 GB do not have to be read). A model card or training state does not count.
    """
    folder = Path(model)
    if not folder.is_dir():
        return f"hub:{model}@{_cached_commit(str(model)) or 'unknown'}"
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.suffix not in {
            ".json",
            ".safetensors",
            ".bin",
            ".model",
            ".jinja",
            ".txt",
        }:
            continue
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(SMALL_FILE))
            if size > SMALL_FILE:
                file.seek(max(size - SMALL_FILE, SMALL_FILE))
                digest.update(file.read())
    return f"sha256:{digest.hexdigest()[:32]}"


def _cached_commit(model_id: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(model_id, "config.json")
    if isinstance(config, str):
        return Path(config).parent.name  # …/snapshots/<commit>/config.json
    return None


@contextlib.contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A temporary folder for a model's files; at the end of the block they are moved up into `folder`, config last.

    Whoever sees a config.json sees the weights that belong to it. Nothing is moved, and nothing left over, where the
    block fails; a full disk is an OSError (see `os_errors`).
    """
    temporary = folder / ".model.unfinished"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        with os_errors(temporary):
            yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for name in LAST_FILES:
        (folder / name).unlink(missing_ok=True)
    for path in sorted(temporary.iterdir(), key=lambda path: (path.name in LAST_FILES, path.name)):
        path.replace(folder / path.name)
    temporary.rmdir()


@contextlib.contextmanager
def os_errors(folder: Path) -> Iterator[None]:
    """Makes OSErrors of what safetensors and tokenizers raise where the system refuses to write.

    They are written in Rust, and name the system's error in their texts alone.
    """
    try:
        yield
    except Exception as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if isinstance(error, OSError) or number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(folder)) from error
