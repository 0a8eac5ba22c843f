r"""Measure how much longer run_evals.py takes than the engine alone for the same requests.

    python evaluation/bench_overhead.py --model runs/source_models/smollm2-135m-instruct

Asks made-up word problems in GSM8K's layout, whole commands by turns, and prints the medians' difference. Writes nothing
but temporary files, and with --output the figures as JSON.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.output_file import write_json

RUN_EVALS = Path(__file__).resolve().parent / "run_evals.py"


@dataclass(kw_only=True)
class Args:
    """Settings of bench_overhead.py."""

    model: Path
    """Model folder."""
    items: int = 400
    """Questions of each run."""
    max_tokens: int = 128
    """Longest answer in tokens."""
    rounds: int = 3
    """Pairs of runs."""
    seed: int = 0
    """Seed of the made-up questions."""
    output: Path | None = None
    """JSON file for the figures."""
    only_generate: Path | None = None
    """Only generate the requests of this file, as the bare runs do."""


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as a JSONL file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def word_problems(count: int, seed: int) -> list[dict[str, str]]:
    """Rows in GSM8K's layout."""
    dice = random.Random(seed)
    rows = []
    for _ in range(count):
        first, second, price = dice.randint(5, 90), dice.randint(5, 90), dice.randint(2, 9)
        question = f"Ann sells {first} pens in May and {second} pens in June, each for {price} dollars. What does she earn?"
        rows.append({"question": question, "answer": f"#### {price * (first + second)}"})
    return rows


def write_requests(path: Path, args: Args, data_root: Path) -> None:
    """The very requests of run_evals.py on these problems, as token ids."""
    from evaluation.benchmarks import gsm8k
    from evaluation.dataset_files import Sources
    from evaluation.generating import model_family
    from evaluation.prompting import Prompter
    from fusechat.chat import load_tokenizer

    prompter = Prompter(load_tokenizer(str(args.model)))
    family, _ = model_family(str(args.model))
    requests = [
        {
            "request_id": item.item_id, "prompt_token_ids": prompter.token_ids(item, gsm8k.generating(item, family)),
            "max_tokens": args.max_tokens, "temperature": 0.0, "stop_token_ids": list(prompter.stop_token_ids),
        }
        for item in gsm8k.load(Sources(data_root))
    ]  # fmt: skip
    write_json(path, requests)


def only_generate(requests: Path, model: Path | None) -> None:
    """The bare run: an engine, the requests, and nothing kept."""
    from fusechat.generation import GenerationRequest
    from fusechat.vllm_engine import VLLMEngine

    rows = json.loads(requests.read_text(encoding="utf-8"))
    with VLLMEngine(str(model), max_model_len=4096) as engine:
        tokens = sum(one.num_tokens for one in engine.generate(GenerationRequest(**row) for row in rows))
    print(f"{tokens} tokens")


def wall_seconds(arguments: Sequence[object]) -> float:
    """Seconds of a whole command; RuntimeError where it fails."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]} ended with status {done.returncode}: {done.stderr[-2000:]}")
    return seconds


def measure_overhead(args: Args) -> dict[str, Any]:
    """Whole commands, bare and by run_evals.py in turns: seconds of each, and how much longer the latter's median is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "hub" / "openai" / "gsm8k" / "main" / "test.jsonl"
        write_lines(data, word_problems(args.items, args.seed))
        requests = folder / "requests.json"
        write_requests(requests, args, folder / "hub")
        bare, whole = [], []
        for number in range(args.rounds):
            bare.append(wall_seconds([__file__, "--only-generate", requests, "--model", args.model]))
            whole.append(
                wall_seconds(
                    [
                        RUN_EVALS, "--model", f"m={args.model}", "--benchmarks", "gsm8k", "--data-root", folder / "hub",
                        "--output-dir", folder / f"out{number}", "--max-tokens", args.max_tokens, "--report-to", "none",
                    ]
                )
            )  # fmt: skip
            print(f"bare {bare[-1]:.1f} s, run_evals.py {whole[-1]:.1f} s", flush=True)
    percent = 100 * (statistics.median(whole) / statistics.median(bare) - 1)
    return {"bare_s": bare, "run_evals_s": whole, "overhead_percent": percent}


def main() -> None:
    """Command line."""
    args = parse_args(Args)
    if min(args.items, args.rounds, args.max_tokens) < 1:
        raise BadInput("--items, --rounds and --max-tokens must be 1 or more")
    if args.only_generate is not None:
        only_generate(args.only_generate, args.model)
        return
    figures = measure_overhead(args)
    print(f"run_evals.py over bare generation: {figures['overhead_percent']:+.1f} %")
    if args.output is not None:
        write_json(args.output, figures)


if __name__ == "__main__":
    run(main)
