"""Scores of different reward models, number formats or lengths are never mixed: their sidecars must agree."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fusechat.errors import BadInput
from fusechat.inputs import expand_inputs
from fusechat.run_manifest import differing_settings

# What may differ between the runs that scored one data set: which part of it, and how it was cut into batches.
FREE_SETTINGS = frozenset(
    {
        "prompts", "responses", "shard", "num_shards", "shard_index", "objectives", "tokens_per_batch",
        "batch_size", "prefix_shared", "workers", "device",
    }
)  # fmt: skip


def agreed_rm_settings(inputs: Sequence[str]) -> dict[str, Any]:
    """The settings that all score files were made with; empty where no file has a sidecar.

    Raises BadInput that names two files and every setting in which they differ.
    """
    agreed: dict[str, Any] | None = None
    first: Path | None = None
    without_sidecar = []
    for path in expand_inputs(inputs) if inputs else []:
        settings = _rm_settings(path)
        if settings is None:
            without_sidecar.append(path)
        elif agreed is None:
            agreed, first = settings, path
        elif differences := differing_settings(agreed, settings):
            raise BadInput(
                f"{path}: was scored with other settings than {first}: {'; '.join(differences)}. "
                "Scores of different settings cannot be compared; score all answers in one way"
            )
    if without_sidecar:
        print(
            f"note: {without_sidecar[0]}: has no {without_sidecar[0].name}.run.json beside it, so nobody can "
            f"check what scored it ({len(without_sidecar)} such file(s))",
            flush=True,
        )
    return agreed or {}


def _rm_settings(path: Path) -> dict[str, Any] | None:
    sidecar = path.with_name(path.name + ".run.json")
    if not sidecar.exists():
        return None
    try:
        settings = json.loads(sidecar.read_text(encoding="utf-8"))["settings"]
        return {name: value for name, value in settings.items() if name not in FREE_SETTINGS}
    except (ValueError, KeyError, AttributeError):
        raise BadInput(f"{sidecar}: is damaged; score the answers again, or remove the sidecar") from None
