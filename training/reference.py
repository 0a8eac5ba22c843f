"""Log-probabilities of whole files of examples; those of the reference model are computed once and kept."""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fusechat.progress import Progress
from training.examples import Example, fingerprint
from training.passes import rank_passes


@dataclass(frozen=True)
class ReferenceKey:
    """What the reference's log-probabilities depend on."""

    model: str  # fingerprint of its content
    examples: str  # fingerprint of all token ids
    precision: str
    attention: str
    qlora: bool

    @property
    def name(self) -> str:
        """A short name of the key, for the file."""
        return hashlib.sha256(json.dumps(vars(self), sort_keys=True).encode()).hexdigest()[:16]


def reference_key(
    model: str, examples: Sequence[Example], precision: str, attention: str, qlora: bool
) -> ReferenceKey:
    """The key for a model's fingerprint and these examples, in this order."""
    return ReferenceKey(model, fingerprint(examples), precision, attention, qlora)


def _cache_path(folder: Path, key: ReferenceKey) -> Path:
    # In a folder of its own: vLLM takes every *.safetensors beside config.json for weights.
    return folder / "reference_logps" / f"{key.name}.safetensors"


def load_reference(folder: Path, key: ReferenceKey) -> tuple[torch.Tensor, str] | None:
    """The cached log-probabilities (n, responses) and how their passes were split, or None."""
    from safetensors import safe_open

    path = _cache_path(folder, key)
    if not path.exists():
        return None
    with safe_open(path, framework="pt") as file:
        return file.get_tensor("logps"), file.metadata()["split"]


def save_reference(folder: Path, key: ReferenceKey, logps: torch.Tensor, split: str) -> None:
    """Writes the cache, under a temporary name first."""
    from safetensors.torch import save_file

    path = _cache_path(folder, key)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".unfinished")
    save_file({"logps": logps}, temporary, metadata={"split": split, "key": json.dumps(vars(key))})
    temporary.rename(path)


def compute_logps(
    accelerator: Any,
    policy: Any,
    examples: Sequence[Example],
    batches: Sequence[Sequence[int]],
    tokens_per_microbatch: int,
    description: str,
) -> torch.Tensor:
    """Log-probabilities of all responses, (n, responses per example) on the CPU; all ranks get all of them.

    For the reference `batches` should be those that training (or the evaluation) makes, so that each example
    is computed in the same company both times and the first log-ratios are exactly 0, in bf16 too.
    """
    logps = torch.zeros(len(examples), len(examples[0].responses))
    progress = (
        Progress(len(batches), unit="batches", description=description)
        if accelerator.is_main_process
        else None
    )
    with torch.no_grad(), progress or contextlib.nullcontext():
        for indices in batches:
            for members, batch in rank_passes(accelerator, examples, indices, tokens_per_microbatch):
                computed = policy(**vars(batch))  # (responses of all members,)
                if members:
                    logps[members] = computed.view(len(members), -1).cpu()
            if progress is not None:
                progress.update(1)
    # Every example was computed on one rank and is 0 on all others: the sum is exact.
    total: torch.Tensor = accelerator.reduce(logps.to(accelerator.device), reduction="sum")
    return total.cpu()
