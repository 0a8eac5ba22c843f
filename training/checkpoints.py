"""Training state on disk: written under a temporary name and renamed, so that a checkpoint is whole or absent.

    checkpoints/step-000100/state.json           step, held-out figures, world size
    checkpoints/step-000100/model.safetensors    trained parameters, float32      } one process or DDP
    checkpoints/step-000100/optimizer.pt         AdamW's moments                  }
    checkpoints/step-000100/rng-00000.pt         random generators of each rank
    checkpoints/step-000100/pytorch_model_fsdp_0/, optimizer_0/                     FSDP2: sharded, any world size

The learning rate and the order of the rows follow from the step alone (optimisation.py, batch_plan.py).
"""

import json
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fusechat.errors import BadInput
from fusechat.output_file import write_atomically

NAME = re.compile(r"^step-(\d{6,})$")
TEMPORARY = ".unfinished"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint."""

    path: Path
    step: int
    state: dict[str, Any]

    @property
    def eval_loss(self) -> float | None:
        """The held-out loss at this step, where there was a held-out part."""
        return self.state["evaluation"].get("eval/loss")


def list_checkpoints(folder: Path) -> list[Checkpoint]:
    """All whole checkpoints, oldest first."""
    found = []
    if folder.is_dir():
        for path in folder.iterdir():
            match = NAME.match(path.name)
            if match:
                state = json.loads((path / "state.json").read_text(encoding="utf-8"))
                found.append(Checkpoint(path, int(match[1]), state))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def save_checkpoint(
    accelerator: Any, policy: Any, optimizer: Any, folder: Path, step: int, evaluation: Mapping[str, float]
) -> None:
    """Writes checkpoints/step-NNNNNN; all ranks call it. BadInput on a full disk, with older ones untouched."""
    final = folder / f"step-{step:06d}"
    temporary = folder / (final.name + TEMPORARY)
    if accelerator.is_main_process:
        remove_unfinished(folder)
        shutil.rmtree(
            final, ignore_errors=True
        )  # of an earlier, longer life of this run: same step, same content
        try:
            temporary.mkdir(parents=True)
        except OSError as error:
            raise BadInput(f"{temporary}: cannot be written: {error.strerror}") from None
    accelerator.wait_for_everyone()
    try:
        _write_state(accelerator, policy, optimizer, temporary)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            state = {"step": step, "evaluation": dict(evaluation), "world_size": accelerator.num_processes}
            write_atomically(temporary / "state.json", json.dumps(state, indent=2) + "\n")
            temporary.rename(final)
    except Exception as error:
        if not _disk_is_full(error, folder):
            raise
        shutil.rmtree(temporary, ignore_errors=True)
        raise BadInput(
            f"{temporary}: no space left for a checkpoint; older checkpoints are whole. Make room, and the same "
            "command goes on from the newest"
        ) from None
    accelerator.wait_for_everyone()


def _write_state(accelerator: Any, policy: Any, optimizer: Any, folder: Path) -> None:
    if accelerator.is_fsdp2:
        accelerator.save_state(str(folder), safe_serialization=True)
    elif accelerator.is_main_process:
        from safetensors.torch import save_file

        trained = {
            name: value.detach() for name, value in trained_parameters(accelerator.unwrap_model(policy))
        }
        save_file({name: value.contiguous() for name, value in trained.items()}, folder / "model.safetensors")
        torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    torch.save(_rng_state(), folder / f"rng-{accelerator.process_index:05d}.pt")


def load_checkpoint(accelerator: Any, policy: Any, optimizer: Any, checkpoint: Checkpoint) -> None:
    """Puts model, optimizer and random generators back as they were; all ranks call it."""
    if accelerator.is_fsdp2:
        accelerator.load_state(str(checkpoint.path))
    else:
        load_parameters(accelerator.unwrap_model(policy), checkpoint)
        state = torch.load(
            checkpoint.path / "optimizer.pt", map_location=accelerator.device, weights_only=True
        )
        optimizer.load_state_dict(state)
    rng = checkpoint.path / f"rng-{accelerator.process_index:05d}.pt"
    if rng.exists():  # absent for new ranks when the world has grown
        _set_rng_state(torch.load(rng, weights_only=True))


def load_parameters(policy: torch.nn.Module, checkpoint: Checkpoint) -> None:
    """Loads the trained parameters of a checkpoint of one process or DDP."""
    from safetensors.torch import load_file

    saved = load_file(checkpoint.path / "model.safetensors")
    parameters = dict(trained_parameters(policy))
    if set(saved) != set(parameters):
        raise BadInput(
            f"{checkpoint.path}: holds other parameters than this model; it belongs to another run"
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(saved[name])


def trained_parameters(policy: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """Names and parameters that are trained; tied ones once."""
    return [(name, parameter) for name, parameter in policy.named_parameters() if parameter.requires_grad]


def prune_checkpoints(folder: Path, keep: int) -> None:
    """Removes all but the newest `keep` and the one with the lowest held-out loss (none at all for keep = 0)."""
    remove_unfinished(folder)
    checkpoints = list_checkpoints(folder)
    kept = {checkpoint.step for checkpoint in checkpoints[-keep:]} if keep else set()
    measured = [checkpoint for checkpoint in checkpoints if checkpoint.eval_loss is not None]
    if keep and measured:
        kept.add(min(measured, key=lambda checkpoint: (checkpoint.eval_loss, -checkpoint.step)).step)
    for checkpoint in checkpoints:
        if checkpoint.step not in kept:
            # Renamed first: a kill half-way must not leave a torn folder under a whole one's name.
            doomed = checkpoint.path.with_name(checkpoint.path.name + TEMPORARY)
            checkpoint.path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def remove_unfinished(folder: Path) -> None:
    """Removes what a killed run left half-written or half-removed."""
    for path in folder.glob(f"*{TEMPORARY}"):
        shutil.rmtree(path, ignore_errors=True)


def better_of_last_two(checkpoints: list[Checkpoint]) -> Checkpoint:
    """Of the last two checkpoints the one with the lower held-out loss; the last where none was measured."""
    last_two = checkpoints[-2:]
    if any(checkpoint.eval_loss is None for checkpoint in last_two):
        return last_two[-1]
    return min(last_two, key=lambda checkpoint: (checkpoint.eval_loss, -checkpoint.step))


def _rng_state() -> dict[str, Any]:
    numpy_state: Any = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": json.dumps(random.getstate()),
        "numpy": json.dumps([numpy_state[0], numpy_state[1].tolist(), *map(float, numpy_state[2:])]),
    }


def _set_rng_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    version, internal, gauss = json.loads(state["python"])
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = json.loads(state["numpy"])
    np.random.set_state((name, np.array(keys, dtype=np.uint32), int(position), int(has_gauss), cached))


def _disk_is_full(error: Exception, folder: Path) -> bool:
    # safetensors and torch.save raise errors of their own kinds for ENOSPC, some without the errno.
    text = str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in {28, 122}  # ENOSPC, EDQUOT
    return "No space left" in text or "os error 28" in text or shutil.disk_usage(folder).free < 1 << 20
