"""Checkpoints: whole or absent, pruned with the best kept, and safe on a full disk."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from fusechat.errors import BadInput
from training import checkpoints
from training.checkpoints import (
    better_of_last_two,
    list_checkpoints,
    load_checkpoint,
    prune_checkpoints,
    save_checkpoint,
)


def fake(folder: Path, step: int, loss: float | None) -> None:
    path = folder / f"step-{step:06d}"
    path.mkdir(parents=True)
    evaluation = {} if loss is None else {"eval/loss": loss}
    (path / "state.json").write_text(json.dumps({"step": step, "evaluation": evaluation}), encoding="utf-8")


def steps(folder: Path) -> list[int]:
    return [checkpoint.step for checkpoint in list_checkpoints(folder)]


def test_pruning_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    for step, loss in ((100, 0.5), (200, 0.3), (300, 0.4), (400, 0.6), (500, 0.55)):
        fake(tmp_path, step, loss)
    prune_checkpoints(tmp_path, 2)
    assert steps(tmp_path) == [200, 400, 500]
    prune_checkpoints(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_checkpoint_is_not_listed_and_is_removed(tmp_path: Path) -> None:
    fake(tmp_path, 100, 0.5)
    (tmp_path / "step-000200.unfinished").mkdir()
    assert steps(tmp_path) == [100]
    prune_checkpoints(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000100"]


def test_of_the_last_two_the_lower_loss_is_chosen_though_an_older_one_is_lower_still(tmp_path: Path) -> None:
    for step, loss in ((100, 0.1), (200, 0.3), (300, 0.4)):
        fake(tmp_path, step, loss)
    assert better_of_last_two(list_checkpoints(tmp_path)).step == 200


def test_without_held_out_losses_the_last_is_chosen(tmp_path: Path) -> None:
    for step in (100, 200):
        fake(tmp_path, step, None)
    assert better_of_last_two(list_checkpoints(tmp_path)).step == 200


def make_state(seed: int) -> tuple[Any, Any, Any]:
    torch.manual_seed(seed)
    accelerator = Accelerator(cpu=True)
    model = torch.nn.Linear(3, 2)
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=0.1))
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return accelerator, model, optimizer


def test_a_loaded_checkpoint_continues_exactly_as_the_saved_state(tmp_path: Path) -> None:
    accelerator, model, optimizer = make_state(0)
    save_checkpoint(accelerator, model, optimizer, tmp_path, 7, {"eval/loss": 0.25})
    expected_noise = torch.rand(3)
    model(torch.full((1, 3), 2.0)).sum().backward()
    optimizer.step()
    accelerator, other, other_optimizer = make_state(1)
    (checkpoint,) = list_checkpoints(tmp_path)
    assert (checkpoint.step, checkpoint.eval_loss) == (7, 0.25)
    other_optimizer.zero_grad()
    load_checkpoint(accelerator, other, other_optimizer, checkpoint)
    assert torch.equal(torch.rand(3), expected_noise)
    # The saved run went on with the gradient of its first step still there; so does this one.
    other(torch.ones(1, 3)).sum().backward()
    other(torch.full((1, 3), 2.0)).sum().backward()
    other_optimizer.step()
    for parameter, expected in zip(other.parameters(), model.parameters(), strict=True):
        assert torch.equal(parameter, expected)


def test_a_full_disk_leaves_older_checkpoints_whole_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator, model, optimizer = make_state(0)
    save_checkpoint(accelerator, model, optimizer, tmp_path, 1, {})
    before = (tmp_path / "step-000001" / "optimizer.pt").read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(BadInput, match="no space left for a checkpoint; older checkpoints are whole"):
        save_checkpoint(accelerator, model, optimizer, tmp_path, 2, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]
    assert (tmp_path / "step-000001" / "optimizer.pt").read_bytes() == before


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    accelerator, model, optimizer = make_state(0)
    save_checkpoint(accelerator, model, optimizer, tmp_path, 1, {})
    with pytest.raises(BadInput, match="holds other parameters than this model"):
        checkpoints.load_parameters(torch.nn.Linear(3, 2, bias=False), list_checkpoints(tmp_path)[0])
