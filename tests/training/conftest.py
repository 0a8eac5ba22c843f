"""What the training tests share: random examples, tiny model folders, small data files, running the trainers."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_models import Family, make_tiny_model, random_model

from training.examples import Example

ROOT = Path(__file__).resolve().parent.parent.parent
FAMILIES: tuple[Family, ...] = ("llama", "qwen2", "gemma2")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The models are tiny: more threads would only wait for each other."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny random model of each family, as a folder."""
    base = tmp_path_factory.mktemp("tiny")
    return {family: make_tiny_model(base / family, family, seed=1) for family in FAMILIES}


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Any]:
    """Builds a tiny model of a family with large random weights, so that faults show in its outputs."""
    import torch

    def make(family: str, *, seed: int = 0, std: float = 0.3, **changes: Any) -> Any:
        shape: dict[str, Any] = {
            "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0,
            **changes,
        }  # fmt: skip
        torch.manual_seed(seed)
        if family == "qwen2-sliding":
            family = "qwen2"
            shape |= {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}
        elif family == "gemma2":
            # Small caps and a small window: leaving any of them out changes the result by far more than rounding.
            shape |= {"sliding_window": 5, "attn_logit_softcapping": 1.0, "final_logit_softcapping": 3.0}
            shape |= {"head_dim": 8, "query_pre_attn_scalar": 8}
        model = random_model(family, shape)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=std)
        model.set_attn_implementation("eager")
        return model.eval()

    return make


@pytest.fixture(scope="session")
def make_examples() -> Callable[..., list[Example]]:
    """Random examples: `responses` per prompt, token ids below `vocabulary`."""

    def make(
        count: int, responses: int, *, seed: int = 0, vocabulary: int = 97, longest: int = 14
    ) -> list[Example]:
        generator = random.Random(seed)

        def ids() -> tuple[int, ...]:
            return tuple(generator.randrange(1, vocabulary) for _ in range(generator.randrange(1, longest)))

        return [
            Example(
                f"line {number}", f"p{number}", "math", "demo", ids(), tuple(ids() for _ in range(responses))
            )
            for number in range(count)
        ]

    return make


def word_problem_rows(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(SFT rows, preference pairs) of `count` small addition problems."""
    generator = random.Random(0)
    sft_rows, pairs = [], []
    for number in range(count):
        first, second = generator.randrange(2, 90), generator.randrange(2, 90)
        prompt = [{"role": "user", "content": f"Sam has {first} apples and buys {second} more. How many?"}]
        padding = "He counts them. " * generator.randrange(4)
        chosen = {"role": "assistant", "content": f"{padding}The answer is {first + second}."}
        rejected = {
            "role": "assistant",
            "content": f"The answer is {first + second + generator.randrange(1, 9)}. {padding}",
        }
        about = {"prompt_id": f"p{number}", "dataset": "demo/words", "domain": "math", "source": "tiny"}
        sft_rows.append({"messages": [*prompt, chosen], "rm_score": 0.1, **about})
        pairs.append({
            "prompt": prompt, "chosen": [chosen], "rejected": [rejected],
            "chosen_rm_score": 0.1, "rejected_rm_score": 0.0, **about,
        })  # fmt: skip
    return sft_rows, pairs


@pytest.fixture(scope="session")
def data_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`sft` and `lndpo`: files of 21 rows."""
    folder = tmp_path_factory.mktemp("data")
    files = {}
    for stage, rows in zip(("sft", "lndpo"), word_problem_rows(21), strict=True):
        files[stage] = folder / f"{stage}.jsonl"
        files[stage].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return files


Trainer = Callable[..., subprocess.CompletedProcess[str]]


def trainer_command(stage: str, *flags: object, processes: int = 1, precision: str = "no") -> list[str]:
    """The command that runs a trainer: directly, or through accelerate and the shipped CPU config."""
    script = [str(ROOT / "training" / f"train_{stage}.py"), "--report-to", "none", *map(str, flags)]
    if processes == 1 and precision == "no":
        return [sys.executable, *script]
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        str(ROOT / "launch_configs/cpu.yaml"),
    ]
    return [*launch, "--num_processes", str(processes), "--mixed_precision", precision, *script]


def trainer_environment() -> dict[str, str]:
    """One thread per process: the tests' models are tiny, and several processes share two cores."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def run_trainer() -> Trainer:
    """Runs train_<stage>.py in a process of its own (or several) from another folder."""

    def run(stage: str, *flags: object, processes: int = 1, precision: str = "no") -> Any:
        return subprocess.run(
            trainer_command(stage, *flags, processes=processes, precision=precision),
            capture_output=True, text=True, timeout=300, cwd="/", env=trainer_environment(),
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def read_metrics() -> Callable[[Path], list[dict[str, Any]]]:
    """The lines of a run's metrics.jsonl."""

    def read(folder: Path) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        ]

    return read
