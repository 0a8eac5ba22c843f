"""Every shipped recipe and launch config loads, says what the report says, and trains a tiny model of its family."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import training.train_lndpo
import training.train_sft
from fusechat.command_line import parse_args, read_yaml

ROOT = Path(__file__).resolve().parent.parent.parent
RECIPES = ROOT / "training" / "recipes"
# The report's tables: SFT learning rate, DPO learning rate, beta, length-normalised.
REPORT: dict[str, tuple[float, float, float, bool]] = {
    "llama-3.1-8b-instruct": (5e-6, 8e-7, 10, True),
    "qwen2.5-7b-instruct": (2e-6, 3e-7, 0.01, False),
    "gemma-2-9b-it": (2e-6, 5e-7, 0.01, False),
    "llama-3.2-3b-instruct": (5e-6, 1e-6, 10, True),
    "llama-3.2-1b-instruct": (5e-6, 1e-6, 10, True),
}
SCRIPTS: dict[str, Any] = {"sft": training.train_sft, "lndpo": training.train_lndpo}
ALL = sorted(path.relative_to(RECIPES) for path in RECIPES.glob("*/*.yaml"))


def load(target: str, stage: str, *flags: str) -> Any:
    return parse_args(SCRIPTS[stage].Args, ["--config", str(RECIPES / target / f"{stage}.yaml"), *flags])


def test_every_target_of_the_report_has_both_stages() -> None:
    assert {str(path) for path in ALL} == {
        f"{t}/{s}.yaml" for t in (*REPORT, "demo-smollm2") for s in SCRIPTS
    }


@pytest.mark.parametrize("target", REPORT)
def test_recipes_hold_the_reports_numbers(target: str) -> None:
    sft_rate, dpo_rate, beta, normalised = REPORT[target]
    sft, lndpo = load(target, "sft"), load(target, "lndpo")
    assert (sft.learning_rate, sft.epochs) == (sft_rate, 3)
    assert (lndpo.learning_rate, lndpo.beta, lndpo.length_normalize) == (dpo_rate, beta, normalised)
    assert (lndpo.epochs, lndpo.checkpoint_every) == (1, 100)
    for args in (sft, lndpo):
        assert (args.batch_size, args.max_length, args.warmup_ratio) == (128, 2048, 0.1)
    assert lndpo.model == str(sft.output_dir)


def test_flags_win_over_the_recipe_and_the_recipe_over_the_defaults() -> None:
    args = load("qwen2.5-7b-instruct", "lndpo", "--beta", "0.5", "--length-normalize", "true")
    assert (args.beta, args.length_normalize, args.learning_rate) == (0.5, True, 3e-7)


@pytest.mark.parametrize("path", ALL, ids=str)
def test_the_commands_in_a_recipes_header_parse_and_name_existing_files(path: Path) -> None:
    text = (RECIPES / path).read_text(encoding="utf-8")
    header = "\n".join(line.removeprefix("#").strip() for line in text.split("\n\n")[0].splitlines())
    commands = [
        " ".join(match.split())
        for match in re.findall(r"accelerate launch (?:.*\\\n)*.*", header.replace("\n\n", "\n"))
    ]
    assert commands
    for command in commands:
        words = shlex.split(command.replace("\\ ", " "))
        assert (ROOT / words[words.index("--config_file") + 1]).is_file()
        script = next(word for word in words if word.endswith(".py"))
        assert script == f"training/train_{path.stem}.py"
        flags = words[words.index(script) + 1 :]
        assert flags[:2] == ["--config", f"training/recipes/{path}"]
        parse_args(SCRIPTS[path.stem].Args, ["--config", str(RECIPES / path), *flags[2:]])


@pytest.mark.parametrize("path", ALL, ids=str)
def test_a_tiny_model_of_the_family_takes_a_step_by_the_recipe(
    path: Path, tiny_folders: dict[str, Path], data_files: dict[str, Path], tmp_path: Path, read_metrics: Any
) -> None:
    target, stage = path.parent.name, path.stem
    family = next(
        (name for name, start in (("qwen2", "qwen"), ("gemma2", "gemma")) if target.startswith(start)),
        "llama",
    )
    args = load(
        target, stage, "--model", str(tiny_folders[family]), "--train-file", str(data_files[stage]),
        "--output-dir", str(tmp_path / "out"), "--max-steps", "2", "--keep-checkpoints", "0", "--report-to", "none",
    )  # fmt: skip
    SCRIPTS[stage].train(args)
    rates = [line["learning_rate"] for line in read_metrics(tmp_path / "out") if "learning_rate" in line]
    # Two steps, one of them warm-up: half the peak, then the peak.
    assert rates == pytest.approx([args.learning_rate / 2, args.learning_rate])


@pytest.mark.parametrize("name", ["fsdp_8xa100", "fsdp_multinode", "qlora_single_gpu", "cpu"])
def test_accelerate_accepts_the_launch_config(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(ROOT / "launch_configs" / f"{name}.yaml"))
    assert config.mixed_precision == "bf16"
    if name.startswith("fsdp"):
        settings = read_yaml(ROOT / "launch_configs" / f"{name}.yaml")["fsdp_config"]
        assert settings["fsdp_version"] == 2
        assert settings["fsdp_state_dict_type"] == "SHARDED_STATE_DICT"
        assert settings["fsdp_reshard_after_forward"] is True
        assert settings["fsdp_activation_checkpointing"] is True


def test_both_fsdp_configs_shard_alike() -> None:
    configs = [
        yaml.safe_load((ROOT / "launch_configs" / f"fsdp_{name}.yaml").read_text())
        for name in ("8xa100", "multinode")
    ]
    assert configs[0]["fsdp_config"] == configs[1]["fsdp_config"]


def test_the_slurm_script_starts_one_launcher_per_node_with_its_own_rank(tmp_path: Path) -> None:
    """Run with stand-ins for scontrol, srun and accelerate: what would be started on node 1 of 2?"""
    stand_ins = {
        "scontrol": "echo node-a; echo node-b",
        "srun": 'SLURM_NODEID=1 exec "$@"',
        "accelerate": 'printf "%s\\n" "$@"',
    }
    for name, body in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    finished = subprocess.run(
        ["bash", str(ROOT / "launch_configs/slurm/train.sbatch"), "training/train_sft.py", "--run-name", "two words"],
        capture_output=True, text=True, check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_NODELIST": "node-[a-b]", "SLURM_JOB_ID": "4711", "SLURM_NNODES": "2"},
    )  # fmt: skip
    words = finished.stdout.splitlines()
    for flag, value in {
        "--num_machines": "2", "--num_processes": "16", "--machine_rank": "1", "--main_process_ip": "node-a",
        "--main_process_port": "24711", "--run-name": "two words",
    }.items():  # fmt: skip
        assert words[words.index(flag) + 1] == value
