"""Measures select_prompts.py: rows per second and peak memory on synthetic rows in the layouts of all datasets.

    python sampling/bench_select.py --rows 1000000

Reads:  nothing. The rows are made in the datasets' own proportions (two thirds OpenMathInstruct-2), with their
        typical lengths and repetitions, from a seed, in a temporary folder.
Writes: nothing; prints a line per dataset and the totals. Solutions are not run (the sandbox has its own figures).
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusechat.command_line import parse_args, run
from sampling.selection.settings import DEFAULT_SETTINGS

# Rows that the datasets have (OpenMathInstruct-2: its split train_1M).
REAL_ROWS = {
    "openbmb/UltraFeedback": 63_967,
    "Magpie-Align/Magpie-Pro-DPO-100K-v0.1": 98_000,
    "nvidia/HelpSteer2": 20_324,
    "nvidia/OpenMathInstruct-2": 1_000_000,
    "greengerong/leetcode": 2_360,
    "bigcode/self-oss-instruct-sc2-exec-filter-50k": 50_661,
    "llamafactory/alpaca_gpt4_zh": 42_677,
    "Magpie-Align/Magpie-Qwen2-Pro-200K-Chinese": 200_000,
}
CATEGORIES = (
    "Information seeking",
    "Advice seeking",
    "Creative writing",
    "Coding & Debugging",
    "Math",
    "Planning",
)
CHUNK_ROWS = 20_000
SYLLABLES = (
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "ki",
    "lo",
    "mu",
    "ne",
    "pra",
    "que",
    "ri",
    "sto",
    "tu",
    "ven",
)


@dataclass(kw_only=True)
class Args:
    """Flags of the benchmark."""

    rows: int = 100_000
    """Rows over all datasets, in the proportions of the real ones."""
    workers: int = 1
    """Processes that read and filter."""
    preset: str | None = "paper"
    """Preset of the settings; the caps decide how many prompts are compared with each other."""
    seed: int = 0
    """Seed of the synthetic rows."""


def main() -> None:
    """Makes the rows, runs the script, prints its figures."""
    args = parse_args(Args)
    with tempfile.TemporaryDirectory(prefix="bench_select.") as folder:
        root = Path(folder)
        counts = make_all(root / "data", args.rows, args.seed)
        settings = DEFAULT_SETTINGS.read_text(encoding="utf-8").replace("enabled: true", "enabled: false")
        (root / "settings.yaml").write_text(settings, encoding="utf-8")
        command = [
            sys.executable, str(Path(__file__).with_name("select_prompts.py")), "--data-root", str(root / "data"),
            "--output", str(root / "prompts.jsonl"), "--dataset-responses", str(root / "responses.jsonl"),
            "--settings", str(root / "settings.yaml"), "--workers", str(args.workers), "--report-to", "none",
            *(["--preset", args.preset] if args.preset else []),
        ]  # fmt: skip
        start = time.monotonic()
        subprocess.run(command, check=True)
        seconds = time.monotonic() - start
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        kept = sum(1 for _ in (root / "prompts.jsonl").open("rb"))
    total = sum(counts.values())
    cpu_s = usage.ru_utime + usage.ru_stime
    print(f"{total:,} rows, {kept:,} kept: {seconds:.1f} s, {total / seconds:,.0f} rows/s on the clock,")
    print(
        f"{total / cpu_s:,.0f} rows per second of CPU, {usage.ru_maxrss / 1024:,.0f} MiB at the peak (largest process)"
    )


def make_all(root: Path, rows: int, seed: int) -> dict[str, int]:
    """Writes all datasets; returns the rows of each."""
    all_rows = sum(REAL_ROWS.values())
    counts = {name: max(10, round(real * rows / all_rows)) for name, real in REAL_ROWS.items()}
    makers: dict[str, Callable[[random.Random, int], Iterator[dict[str, Any]]]] = {
        "openbmb/UltraFeedback": ultrafeedback,
        "Magpie-Align/Magpie-Pro-DPO-100K-v0.1": magpie,
        "nvidia/HelpSteer2": helpsteer2,
        "nvidia/OpenMathInstruct-2": openmathinstruct2,
        "greengerong/leetcode": leetcode,
        "bigcode/self-oss-instruct-sc2-exec-filter-50k": self_oss,
        "llamafactory/alpaca_gpt4_zh": alpaca_zh,
        "Magpie-Align/Magpie-Qwen2-Pro-200K-Chinese": magpie_zh,
    }
    as_lines = {
        "openbmb/UltraFeedback",
        "nvidia/HelpSteer2",
        "greengerong/leetcode",
        "llamafactory/alpaca_gpt4_zh",
    }
    for name, maker in makers.items():
        source = maker(random.Random(f"{seed}:{name}"), counts[name])
        folder = root / name
        folder.mkdir(parents=True)
        split = "train_1M" if name == "nvidia/OpenMathInstruct-2" else "train"
        if name in as_lines:
            with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in source)
        else:
            write_parquet(folder / f"{split}.parquet", source)
    return counts


def write_parquet(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Writes a parquet file chunk by chunk."""
    from itertools import islice

    import pyarrow
    import pyarrow.parquet

    chunk = list(islice(rows, CHUNK_ROWS))
    table = pyarrow.Table.from_pylist(chunk)
    with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
        while chunk:
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema=table.schema))
            chunk = list(islice(rows, CHUNK_ROWS))


def vocabulary(count: int) -> list[str]:
    """Made-up words of two to four syllables."""
    chooser = random.Random(count)
    return ["".join(chooser.choices(SYLLABLES, k=chooser.randint(2, 4))) for _ in range(count)]


WORDS = vocabulary(20_000)
CHARACTERS = [chr(point) for point in range(0x4E00, 0x4E00 + 2500)]


def english(chooser: random.Random, mean_words: int) -> str:
    """A text of made-up words, its length spread as prompts' lengths are."""
    words = max(4, int(chooser.expovariate(1 / mean_words)))
    return " ".join(chooser.choices(WORDS, k=min(words, 900))).capitalize() + "."


def chinese(chooser: random.Random, mean_characters: int) -> str:
    """A text of Chinese characters."""
    count = max(8, int(chooser.expovariate(1 / mean_characters)))
    return "".join(chooser.choices(CHARACTERS, k=min(count, 1500))) + "。"


def ultrafeedback(chooser: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Rows of openbmb/UltraFeedback."""
    for _ in range(count):
        completion = {"model": "m", "response": english(chooser, 80), "annotations": {}, "principle": "p"}
        yield {"source": "flan", "instruction": english(chooser, 110), "completions": [completion] * 4}


def magpie(chooser: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Rows of Magpie-Pro-DPO."""
    for number in range(count):
        yield {
            "uuid": str(number), "instruction": english(chooser, 30), "task_category": chooser.choice(CATEGORIES),
            "input_quality": chooser.choice(("good", "excellent", "average")), "difficulty": "easy",
            "responses": [english(chooser, 40)],
        }  # fmt: skip


def helpsteer2(chooser: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Rows of HelpSteer2: every prompt twice, some with several turns."""
    for _ in range(count // 2):
        prompt = english(chooser, 80)
        if chooser.random() < 0.3:
            prompt += (
                f"\n<extra_id_1>Assistant\n{english(chooser, 60)}\n<extra_id_1>User\n{english(chooser, 20)}"
            )
        for _ in range(2):
            yield {"prompt": prompt, "response": english(chooser, 80), "helpfulness": 3}


def openmathinstruct2(chooser: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Rows of OpenMathInstruct-2: about two solutions to each problem, in no order."""
    problems = [
        f"{english(chooser, 35)} How many are {chooser.randint(2, 999)}?" for _ in range(max(1, count // 2))
    ]
    for _ in range(count):
        number = chooser.randrange(len(problems))
        yield {
            "problem": problems[number], "generated_solution": english(chooser, 60) + f" \\boxed{{{number}}}",
            "expected_answer": str(number), "problem_source": "augmented_math",
        }  # fmt: skip


def leetcode(chooser: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Rows of greengerong/leetcode."""
    for number in range(count):
        example = f"**Input:** nums = \\[{number},1\\], k = 2\n**Output:** {number}\n"
        yield {
            "id": number, "slug": f"p-{number}", "title": "P", "difficulty": "Easy",
            "content": f"{english(chooser, 120)}\n\n**Example 1:**\n\n{example}",
            "python": "```python\ndef first(nums, k):\n    return nums[0]\n```\n",
        }  # fmt: skip


def self_oss(chooser: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Rows of self-oss-instruct: about a quarter has asserts in its instruction."""
    for number in range(count):
        instruction = english(chooser, 50)
        if chooser.random() < 0.27:
            instruction += f"\n\nYour code should pass the following assertion:\n```python\nassert f({number}) == {number}\n```"
        yield {
            "sha1": str(number),
            "instruction": instruction,
            "response": "```python\ndef f(x):\n    return x\n```",
        }


def alpaca_zh(chooser: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Rows of alpaca_gpt4_zh."""
    for _ in range(count):
        yield {
            "instruction": chinese(chooser, 25),
            "input": chinese(chooser, 20),
            "output": chinese(chooser, 100),
        }


def magpie_zh(chooser: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Rows of Magpie-Qwen2-Pro-200K-Chinese."""
    for number in range(count):
        yield {
            "uuid": str(number), "instruction": chinese(chooser, 40), "task_category": chooser.choice(CATEGORIES),
            "input_quality": chooser.choice(("good", "excellent")), "difficulty": "easy",
        }  # fmt: skip


if __name__ == "__main__":
    run(main)
