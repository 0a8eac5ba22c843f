"""FSDP2 over CPU processes, with the settings of launch_configs/fsdp_8xa100.yaml, against one plain process."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fusechat.command_line import parse_args

DRIVER = Path(__file__).parent / "fsdp_driver.py"
Reader = Callable[[Path], list[dict[str, Any]]]


def run_sharded(processes: int, stage: str, *flags: object, precision: str = "no") -> None:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        str(processes),
    ]
    finished = subprocess.run(
        [*command, str(DRIVER), stage, *map(str, flags)],
        capture_output=True, text=True, timeout=300, cwd="/",
        env={**os.environ, "OMP_NUM_THREADS": "1", "TEST_PRECISION": precision},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-3000:]


def figures(lines: list[dict[str, Any]]) -> list[tuple[int, str, float]]:
    names = ("loss", "eval/loss", "grad_norm", "rewards/margins")
    return [(line["step"], name, line[name]) for line in lines for name in names if name in line]


@pytest.mark.slow
def test_sharded_training_equals_one_process_and_resumes_on_another_number_of_processes(
    tiny_folders: dict[str, Path], data_files: dict[str, Path], read_metrics: Reader, tmp_path: Path
) -> None:
    """17 pairs in batches of 4: the last batch is one pair, fewer than the ranks."""
    import training.train_lndpo as trainer

    flags = [
        "--report-to", "none", "--model", tiny_folders["llama"], "--train-file", data_files["lndpo"], "--batch-size", 4,
        "--eval-size", 4, "--learning-rate", 1e-3, "--epochs", 2, "--checkpoint-every", 6,
        "--tokens-per-microbatch", 200,
    ]  # fmt: skip
    plain, sharded = tmp_path / "plain", tmp_path / "sharded"
    trainer.train(parse_args(trainer.Args, [str(flag) for flag in (*flags, "--output-dir", plain)]))
    run_sharded(2, "lndpo", *flags, "--output-dir", sharded)
    expected = figures(read_metrics(plain))
    for found, wanted in zip(figures(read_metrics(sharded)), expected, strict=True):
        assert found[:2] == wanted[:2]
        assert found[2] == pytest.approx(wanted[2], abs=1e-4, rel=1e-3), wanted
    check_exports_agree(plain, sharded)

    # As if killed after the first checkpoint: two ranks' shards are taken up by three.
    shutil.rmtree(sharded / "checkpoints" / "step-000010")
    record = json.loads((sharded / "run.json").read_text(encoding="utf-8"))
    (sharded / "run.json").write_text(json.dumps({**record, "status": "running"}), encoding="utf-8")
    (sharded / "config.json").unlink()
    run_sharded(3, "lndpo", *flags, "--output-dir", sharded)
    for found, wanted in zip(figures(read_metrics(sharded)), expected, strict=True):
        assert found[2] == pytest.approx(wanted[2], abs=1e-4, rel=1e-3), wanted
    check_exports_agree(plain, sharded)


def check_exports_agree(plain: Path, sharded: Path) -> None:
    from transformers import AutoModelForCausalLM

    models = [AutoModelForCausalLM.from_pretrained(folder, dtype="auto") for folder in (plain, sharded)]
    assert models[1].dtype == torch.bfloat16
    for (name, expected), (_, found) in zip(
        models[0].named_parameters(), models[1].named_parameters(), strict=True
    ):
        torch.testing.assert_close(found.float(), expected.float(), rtol=1e-2, atol=1e-4, msg=name)


@pytest.mark.slow
def test_sharded_bf16_training_of_tied_embeddings_starts_at_ln_2(
    tiny_folders: dict[str, Path], data_files: dict[str, Path], read_metrics: Reader, tmp_path: Path
) -> None:
    """Gemma-2 (tied embeddings, soft-capping) in bf16 on two ranks: the reference pass runs through the sharded model."""
    run_sharded(
        2, "lndpo", "--report-to", "none", "--model", tiny_folders["gemma2"], "--train-file", data_files["lndpo"],
        "--batch-size", 8, "--eval-size", 4, "--learning-rate", 1e-3, "--epochs", 1, "--output-dir", tmp_path / "out",
        "--length-normalize", "false", "--beta", 0.01, precision="bf16",
    )  # fmt: skip
    lines = read_metrics(tmp_path / "out")
    assert lines[0]["loss"] == pytest.approx(0.693147, abs=1e-3)
    from transformers import AutoModelForCausalLM

    model, loading = AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", dtype="auto", output_loading_info=True
    )
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
