"""Input flags and shards: which files a step reads, and which part of the work is this process's.

An input flag takes files, folders (all *.jsonl in them) and globs. Sharded steps write
`X-00003-of-00016.jsonl`; naming `X.jsonl` finds the whole set, and a set with a hole is refused.
"""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fusechat.errors import BadInput

SHARD_NAME = re.compile(r"^(?P<stem>.*)-(?P<index>\d{5})-of-(?P<count>\d{5})\.jsonl$")
# What an output has beside it while it is made, and its sidecar: never an input.
BESIDE_OUTPUTS = (".partial", ".run.json", ".ordered", ".tmp")


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 0) of `count` parts."""

    index: int
    count: int

    def owns(self, position: int) -> bool:
        """Whether the item at this position of the input is this shard's (round robin: even loads)."""
        return position % self.count == self.index

    def size(self, items: int) -> int:
        """How many of that many items are this shard's."""
        return len(range(self.index, items, self.count))

    def path(self, output: Path) -> Path:
        """`X.jsonl` alone, `X-00003-of-00016.jsonl` among several."""
        if self.count == 1:
            return output
        if output.suffix != ".jsonl":
            raise BadInput(f"{output}: the name of a sharded output ends in .jsonl; give another one")
        return output.with_name(f"{output.stem}-{self.index:05d}-of-{self.count:05d}{output.suffix}")


def resolve_shard(num_shards: int | None, shard_index: int | None) -> Shard:
    """The shard of this process: from the flags, else a Slurm array, else accelerate's ranks, else all.

    A Slurm array counts from SLURM_ARRAY_TASK_MIN, whatever that is. Raises BadInput for half-given or
    impossible numbers.
    """
    if (num_shards is None) != (shard_index is None):
        raise BadInput("--num-shards and --shard-index go together: give both or neither")
    if num_shards is not None and shard_index is not None:
        source = "--num-shards / --shard-index"
    elif "SLURM_ARRAY_TASK_ID" in os.environ:
        source = "SLURM_ARRAY_TASK_COUNT / SLURM_ARRAY_TASK_ID"
        num_shards, shard_index = _slurm_shard()
    elif "WORLD_SIZE" in os.environ and "RANK" in os.environ:
        source = "WORLD_SIZE / RANK"
        num_shards, shard_index = _integer("WORLD_SIZE"), _integer("RANK")
    else:
        return Shard(0, 1)
    if num_shards < 1 or not 0 <= shard_index < num_shards:
        raise BadInput(f"{source}: shard {shard_index} of {num_shards} does not exist; shards count from 0")
    return Shard(shard_index, num_shards)


def _slurm_shard() -> tuple[int, int]:
    """(number of shards, index) of a Slurm array's task."""
    step = max(_integer("SLURM_ARRAY_TASK_STEP", 1), 1)
    first = _integer("SLURM_ARRAY_TASK_MIN", 0)
    index = (_integer("SLURM_ARRAY_TASK_ID") - first) // step
    if "SLURM_ARRAY_TASK_COUNT" in os.environ:
        return _integer("SLURM_ARRAY_TASK_COUNT"), index
    if "SLURM_ARRAY_TASK_MAX" in os.environ:
        return (_integer("SLURM_ARRAY_TASK_MAX") - first) // step + 1, index
    raise BadInput(
        "SLURM_ARRAY_TASK_ID is set, but neither SLURM_ARRAY_TASK_COUNT nor SLURM_ARRAY_TASK_MAX; "
        "give --num-shards and --shard-index"
    )


def _integer(variable: str, default: int | None = None) -> int:
    if default is not None and variable not in os.environ:
        return default
    try:
        return int(os.environ[variable])
    except ValueError:
        raise BadInput(
            f"environment variable {variable}: {os.environ[variable]!r} is not a whole number"
        ) from None


def expand_inputs(inputs: Sequence[str | Path]) -> list[Path]:
    """Files, folders and globs as a sorted list of existing files, each once, shard sets complete.

    Raises BadInput where nothing is found, a shard of a set is missing, or a file is still unfinished.
    """
    found: dict[Path, None] = {}
    for name in inputs:
        for path in _expand_one(str(name)):
            found.setdefault(path, None)
    paths = list(found)
    if not paths:
        raise BadInput("no input files were given")
    _check_shard_sets(paths)
    return paths


def _expand_one(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        names = sorted(os.listdir(path))  # an unreadable folder is an error, not an empty one
        paths = [path / one for one in names if one.endswith(".jsonl")]
        _refuse_unfinished(path, [path / one for one in names if one.endswith(".jsonl.partial")])
        if not paths:
            raise BadInput(f"{name}: the folder holds no .jsonl file; run the step that writes it first")
        return paths
    if path.is_file():
        return [path]
    shards = sorted(path.parent.glob(f"{glob.escape(path.stem)}-[0-9]*-of-[0-9]*{path.suffix}"))
    if shards:
        return shards
    if any(character in name for character in "*?["):
        matches = {*glob.glob(name, recursive=True), *glob.glob(f"{name}.partial", recursive=True)}
        files = sorted(Path(match) for match in matches if Path(match).is_file())
        _refuse_unfinished(name, [match for match in files if match.name.endswith(".partial")])
        paths = [match for match in files if not match.name.endswith(BESIDE_OUTPUTS)]
        if not paths:
            raise BadInput(f"{name}: no file matches")
        return paths
    if Path(f"{name}.partial").exists():
        raise BadInput(
            f"{name}: is not finished ({name}.partial is there); end that step first by its same command"
        )
    raise BadInput(f"{name}: no such file or folder; run the step that writes it first, or mend the path")


def _refuse_unfinished(given: str | Path, partials: list[Path]) -> None:
    # A partial beside its finished file is an --overwrite run under way; the finished one still holds.
    open_ones = [partial for partial in partials if not partial.with_suffix("").exists()]
    if open_ones:
        raise BadInput(
            f"{given}: {open_ones[0].name} is not finished; end that step first by its same command, "
            "or name the files you want one by one"
        )


def _check_shard_sets(paths: list[Path]) -> None:
    sets: dict[tuple[Path, str, int], set[int]] = {}
    for path in paths:
        match = SHARD_NAME.match(path.name)
        if match:
            key = (path.parent, match["stem"], int(match["count"]))
            sets.setdefault(key, set()).add(int(match["index"]))
    for (folder, stem, count), indexes in sets.items():
        missing = sorted(set(range(count)) - indexes)
        if missing:
            name = folder / f"{stem}-{missing[0]:05d}-of-{count:05d}.jsonl"
            more = f" (and {len(missing) - 1} more of this set)" if len(missing) > 1 else ""
            raise BadInput(f"{name}: this shard is missing{more}; run it, or finish it by its same command")
