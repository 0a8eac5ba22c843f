"""Measures make_pairs.py on made-up data: seconds, CPU seconds and peak memory at 125k, 250k, 500k, 1M and 2M answers.

    python scoring/bench_make_pairs.py --work-dir /tmp/bench_make_pairs

Makes prompts, answers of 2 kB from four sources, scores and verdicts under --work-dir (4 GB at 2M answers;
removed after each size), runs make_pairs.py on them, and prints a table; --output writes it as JSON too.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.output_file import write_json

SOURCES = (
    "gemma-2-27b-it",
    "Mistral-Large-Instruct-2407",
    "Qwen2.5-72B-Instruct",
    "Llama-3.1-70B-Instruct",
)
SAMPLES = 5
DATASETS = (
    ("openbmb/UltraFeedback", "instruction"),
    ("nvidia/OpenMathInstruct-2", "math"),
    ("bigcode/self-oss-instruct-sc2-exec-filter-50k", "code"),
)
WORDS = (
    "the",
    "model",
    "answers",
    "a",
    "question",
    "with",
    "words",
    "that",
    "can",
    "follow",
    "from",
    "start",
    "to",
    "end",
)
MAKE_PAIRS = Path(__file__).resolve().parent / "make_pairs.py"


@dataclass(kw_only=True)
class Args:
    """Settings of the benchmark."""

    work_dir: Path
    """Folder for the made-up data and the results; needs 5 GB at 2M answers."""
    sizes: list[int] = field(default_factory=lambda: [125_000, 250_000, 500_000, 1_000_000, 2_000_000])
    """Numbers of answers."""
    text_bytes: int = 2000
    """Length of one answer's text, bytes."""
    seed: int = 0
    """Seed of the data."""
    output: Path | None = None
    """JSON file for the figures."""


@dataclass
class Measurement:
    """One run of make_pairs.py."""

    answers: int
    megabytes: float
    seconds: float
    cpu_seconds: float
    peak_mb: float
    sft: int
    dpo: int

    @property
    def row(self) -> str:
        """One line of the table."""
        rate = self.answers / self.seconds
        return (
            f"| {self.answers:>9,} | {self.megabytes:>7,.0f} | {self.seconds:>7.1f} | {self.cpu_seconds:>7.1f} | {rate:>9,.0f} "
            f"| {self.peak_mb:>7,.0f} | {self.sft:>7,} | {self.dpo:>7,} |"
        )


HEADER = (
    "|   answers | data MB | seconds |   CPU s | answers/s | peak MB |     SFT |     DPO |\n"
    "| --------- | ------- | ------- | ------- | --------- | ------- | ------- | ------- |"
)


def make_data(folder: Path, answers: int, text_bytes: int, seed: int) -> float:
    """Writes prompts, one response file per source, scores and verdicts; returns their size in MB."""
    (folder / "responses").mkdir(parents=True)
    per_prompt = len(SOURCES) * SAMPLES
    prompt_count = max(1, answers // per_prompt)
    with (folder / "prompts.jsonl").open("w", encoding="utf-8") as file:
        for number in range(prompt_count):
            dataset, domain = DATASETS[number % len(DATASETS)]
            messages = [{"role": "user", "content": f"Question {number}: {' '.join(WORDS)}?"}]
            file.write(
                _line({"prompt_id": _id(number), "dataset": dataset, "domain": domain, "messages": messages})
            )
    for source in SOURCES:
        _write_source(folder, source, prompt_count, text_bytes, random.Random(f"{seed}:{source}"))
    return sum(path.stat().st_size for path in folder.rglob("*.jsonl")) / 1e6


def _write_source(folder: Path, source: str, prompt_count: int, text_bytes: int, rng: random.Random) -> None:
    filler = " ".join(rng.choice(WORDS) for _ in range(text_bytes))
    with (
        (folder / "responses" / f"{source}.jsonl").open("w", encoding="utf-8") as responses,
        (folder / f"scores-{source}.jsonl").open("w", encoding="utf-8") as scores,
        (folder / f"code-{source}.jsonl").open("w", encoding="utf-8") as code,
        (folder / f"math-{source}.jsonl").open("w", encoding="utf-8") as maths,
    ):
        for number, sample, response in _responses(source, prompt_count, filler, text_bytes, rng):
            response_id = response["response_id"]
            responses.write(_line(response))
            scores.write(
                _line({"response_id": response_id, "rm_score": rng.gauss(0.13, 0.02), "rm_truncated": False})
            )
            domain = DATASETS[number % len(DATASETS)][1]
            right = rng.random() < 0.6
            if domain == "math":
                maths.write(_line({"response_id": response_id, "correct": right, "extracted": str(sample)}))
            elif domain == "code":
                verdict = "pass" if right else "fail"
                code.write(
                    _line({"response_id": response_id, "verdict": verdict, "static": {"undefined": []}})
                )


def _responses(
    source: str, prompt_count: int, filler: str, text_bytes: int, rng: random.Random
) -> Iterator[tuple[int, int, dict[str, object]]]:
    for number in range(prompt_count):
        for sample in range(SAMPLES):
            start = rng.randrange(len(filler) - text_bytes)
            head = f"{number}-{sample} "
            yield (
                number,
                sample,
                {
                    "response_id": f"{_id(number)}:{source}:{sample}",
                    "prompt_id": _id(number),
                    "source": source,
                    "sample_index": sample,
                    "text": head + filler[start : start + text_bytes - len(head)],
                    "finish_reason": "stop" if rng.random() < 0.97 else "length",
                    "num_tokens": text_bytes // 4,
                    "seed": 0,
                },
            )


def _id(number: int) -> str:
    return f"made-up-{number:016x}"


def _line(record: dict[str, object]) -> str:
    return json.dumps(record) + "\n"


def measure(folder: Path, answers: int, megabytes: float) -> Measurement:
    """Runs make_pairs.py in a process of its own; wall time, CPU time, peak resident memory."""
    command = [
        sys.executable, str(MAKE_PAIRS), "--prompts", f"{folder}/prompts.jsonl",
        "--responses", f"{folder}/responses", "--rm-scores", f"{folder}/scores-*.jsonl",
        "--code-tests", f"{folder}/code-*.jsonl", "--math-checks", f"{folder}/math-*.jsonl",
        "--output-dir", f"{folder}/pairs", "--report-to", "none", "--overwrite",
    ]  # fmt: skip
    with (folder / "log.txt").open("w") as log:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BadInput(f"make_pairs.py ended with status {process.returncode}; see {folder}/log.txt")
    total = json.loads((folder / "pairs" / "composition.json").read_text(encoding="utf-8"))["total"]
    cpu_seconds = usage.ru_utime + usage.ru_stime
    peak_mb = usage.ru_maxrss / 1024
    return Measurement(answers, megabytes, seconds, cpu_seconds, peak_mb, total["sft"], total["dpo"])


def main() -> None:
    """Measures each size and prints the table."""
    args = parse_args(Args)
    measurements = []
    print(HEADER, flush=True)
    for answers in args.sizes:
        folder = args.work_dir / f"{answers}-answers"
        shutil.rmtree(folder, ignore_errors=True)
        megabytes = make_data(folder, answers, args.text_bytes, args.seed)
        measurement = measure(folder, answers, megabytes)
        print(measurement.row, flush=True)
        measurements.append(vars(measurement))
        shutil.rmtree(folder)
    if args.output is not None:
        write_json(args.output, {"text_bytes": args.text_bytes, "measurements": measurements})


if __name__ == "__main__":
    run(main)
