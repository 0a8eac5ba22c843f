"""Our trainers beside TRL's on the same rows: examples a second, tokens a second, peak memory, and the ratios.

    python training/bench_training.py --model runs/source_models/smollm2-135m-instruct

Makes its own rows of chat-like lengths from a seed. The sides take turns, each time in a process of its own
(bench_side.py), and the medians of all rounds count. `--scaling` measures ours alone, over prompt share, response
length and vocabulary, on small random models. Prints a table; --output writes it as JSON too.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.model_folder import check_model_folder
from fusechat.output_file import write_json

Work = Literal["lndpo", "sft"]
SIDES: dict[Work, tuple[str, ...]] = {
    "lndpo": ("ours-lndpo", "trl-lndpo"),
    "sft": ("ours-sft", "trl-sft-packed", "trl-sft"),
}
SYLLABLES = ("ba", "ke", "lo", "mi", "nu", "pra", "sto", "ter", "vin", "wes")
LENGTH_SIGMA = 0.5
# Prompt + two responses of a pair, all of one shape: (prompt tokens, response tokens, vocabulary).
SCALING_SHAPES = (
    *(
        (round(2048 * share / 100), round(2048 * (100 - share) / 200), 49152)
        for share in (10, 30, 50, 70, 90)
    ),
    *((256, length, 49152) for length in (64, 256, 1024)),
    *((256, 256, vocabulary) for vocabulary in (32_000, 128_000, 256_000)),
)


@dataclass(kw_only=True)
class Args:
    """Settings of bench_training.py."""

    model: str
    """Folder of the model; with --scaling its tokenizer only."""
    work: list[Work] = field(default_factory=lambda: ["lndpo", "sft"])
    """What to compare."""
    pairs: int = 16
    """Preference pairs of a run."""
    rows: int = 32
    """SFT rows of a run."""
    examples_per_step: int = 8
    """Pairs or rows in one optimizer step, on all sides."""
    prompt_words: int = 40
    """Median length of a prompt."""
    response_words: int = 50
    """Median length of a response."""
    tokens_per_microbatch: int = 1024
    """Ours: tokens packed into one pass."""
    rounds: int = 3
    """Times that each side is run."""
    scaling: bool = False
    """Measure ours over prompt share, response length and vocabulary instead."""
    seed: int = 0
    """Seed of the rows."""
    output: Path | None = None
    """JSON file that gets the figures."""


def words(generator: random.Random, count: int) -> list[str]:
    """Made-up words of one to three syllables; SmolLM2 sees two to three tokens in each."""
    return ["".join(generator.choices(SYLLABLES, k=generator.randint(1, 3))) for _ in range(count)]


def write_rows(folder: Path, args: Args) -> None:
    """dpo.jsonl and sft.jsonl, lengths spread log-normally as those of chats are."""
    generator = random.Random(args.seed)

    def text(median: int) -> str:
        count = round(math.exp(generator.gauss(math.log(median), LENGTH_SIGMA)))
        return " ".join(words(generator, max(5, min(count, 6 * median))))

    def turn(role: str, median: int) -> list[dict[str, str]]:
        return [{"role": role, "content": text(median)}]

    about = {"dataset": "made-up", "domain": "instruction", "source": "made-up"}
    pairs = [
        {
            "prompt": turn("user", args.prompt_words), "chosen": turn("assistant", args.response_words),
            "rejected": turn("assistant", args.response_words), **about, "prompt_id": f"p{number}",
        }
        for number in range(args.pairs)
    ]  # fmt: skip
    rows = [
        {"messages": turn("user", args.prompt_words) + turn("assistant", args.response_words), **about,
         "prompt_id": f"s{number}"}
        for number in range(args.rows)
    ]  # fmt: skip
    for name, content in (("dpo.jsonl", pairs), ("sft.jsonl", rows)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")


def run_side(side: str, model: str, folder: Path, *more: str) -> dict[str, Any]:
    """One measurement in a process of its own."""
    result = folder / "result.json"
    command = [
        sys.executable, str(Path(__file__).with_name("bench_side.py")), "--side", side, "--model", model,
        "--data", str(folder), "--result-file", str(result), *more,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BadInput(f"{side} ended with status {done.returncode}: {done.stderr[-2000:]}")
    return dict(json.loads(result.read_text(encoding="utf-8")))


def compare(args: Args) -> dict[str, Any]:
    """Medians of each side, and ours as a multiple of the others."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder, args)
        for work in args.work:
            runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES[work]}
            for number in range(args.rounds):
                for side in SIDES[work]:
                    more = ["--examples-per-step", str(args.examples_per_step)]
                    if side.startswith("ours"):
                        more += ["--tokens-per-microbatch", str(args.tokens_per_microbatch)]
                    runs[side].append(one := run_side(side, args.model, folder, *more))
                    print(
                        f"round {number + 1} {side}: {one['seconds']:.1f} s, {one['peak_memory_gb']:.2f} GB, "
                        f"loss {one['loss']:.4f}",
                        flush=True,
                    )
            figures[work] = summarise(runs)
    return figures


def summarise(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Rates of each side; the first is ours, whose tokens are those of the rows without padding."""
    ours, *_ = runs
    tokens = runs[ours][0]["processed_tokens"]
    sides = {
        side: {
            "seconds": (seconds := statistics.median(one["seconds"] for one in measured)),
            "examples_per_s": measured[0]["examples"] / seconds,
            "tokens_per_s": tokens / seconds,
            "peak_memory_gb": statistics.median(one["peak_memory_gb"] for one in measured),
            "tokens_with_padding": measured[0]["processed_tokens"],
        }
        for side, measured in runs.items()
    }
    for other in list(sides)[1:]:
        sides[other]["ours_speed_ratio"] = sides[other]["seconds"] / sides[ours]["seconds"]
        sides[other]["ours_memory_ratio"] = sides[ours]["peak_memory_gb"] / sides[other]["peak_memory_gb"]
    return sides


def print_comparison(figures: dict[str, Any]) -> None:
    """The table."""
    print("side                 examples/s   tokens/s   peak GB   tokens with padding   ours: speed   memory")
    for sides in figures.values():
        for side, one in sides.items():
            ratios = ""
            if "ours_speed_ratio" in one:
                ratios = f"{one['ours_speed_ratio']:11.2f} x   {one['ours_memory_ratio']:.2f} x"
            print(
                f"{side:<20}{one['examples_per_s']:11.3f}{one['tokens_per_s']:11.0f}{one['peak_memory_gb']:10.2f}"
                f"{one['tokens_with_padding']:22,}{ratios}"
            )


def scaling(args: Args) -> list[dict[str, Any]]:
    """Seconds and memory of an LN-DPO step of 8 equal pairs on a small random Llama, one shape after the other."""
    table: list[dict[str, Any]] = []
    print("prompt   response   vocabulary   s/step   peak GB", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder, args)
        for prompt, response, vocabulary in SCALING_SHAPES:
            model = small_llama(folder / f"llama-{vocabulary}", Path(args.model), vocabulary)
            shape = ("--random-ids", "16", str(prompt), str(response))
            budget = str(max(args.tokens_per_microbatch, prompt + 2 * response))
            one = run_side("ours-lndpo", str(model), folder, *shape, "--tokens-per-microbatch", budget)
            step_s = (one["seconds"] - one["reference_s"]) / one["steps"]
            table.append({
                "prompt_tokens": prompt, "response_tokens": response, "vocabulary": vocabulary,
                "seconds_per_step": step_s, "peak_memory_gb": one["peak_memory_gb"],
            })  # fmt: skip
            print(
                f"{prompt:6}{response:11}{vocabulary:13,}{step_s:9.2f}{one['peak_memory_gb']:10.2f}",
                flush=True,
            )
    return table


def small_llama(folder: Path, tokenizer_of: Path, vocabulary: int) -> Path:
    """A random Llama of 4 layers with a head of this size, and another model's tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    if not folder.exists():
        config = LlamaConfig(
            vocab_size=vocabulary, hidden_size=512, intermediate_size=1536, num_hidden_layers=4,
            num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=4096, tie_word_embeddings=True,
        )  # fmt: skip
        LlamaForCausalLM(config).save_pretrained(folder)
        for path in tokenizer_files(tokenizer_of):
            shutil.copy(path, folder)
    return folder


def tokenizer_files(folder: Path) -> Sequence[Path]:
    """All that is neither weights nor the model's own settings."""
    skipped = {"config.json", "generation_config.json", "model.safetensors.index.json"}
    return [
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix != ".safetensors" and path.name not in skipped
    ]


def main() -> None:
    """Command line."""
    args = parse_args(Args)
    check_model_folder(args.model)
    figures: Any
    if args.scaling:
        figures = scaling(args)
    else:
        print_comparison(figures := compare(args))
    if args.output is not None:
        write_json(args.output, figures)


if __name__ == "__main__":
    run(main)
