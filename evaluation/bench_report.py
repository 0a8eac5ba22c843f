"""Measures report.py on 100,000 pairs: seconds, memory and size of the page, and how fast a browser opens and searches it.

    python evaluation/bench_report.py --work-dir /tmp/bench_report

Writes pairs of two answers of 2,000 characters (real English and code: pieces of Python's own help texts, so that they
pack about as well as answers do) into WORK_DIR, makes the page with the script itself, opens it in headless Chromium
(./setup_cpu.sh browser installs one), and prints a table; --output writes it as JSON too. WORK_DIR/run is removed.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.output_file import write_json

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DATASETS = ("openbmb/UltraFeedback", "nvidia/HelpSteer2", "greengerong/leetcode")
SOURCES = ("gemma-2-27b-it", "Mistral-Large-Instruct-2407", "Qwen2.5-72B-Instruct", "Llama-3.1-70B-Instruct")
PATIENCE_MS = 600_000


@dataclass(kw_only=True)
class Args:
    """Settings of bench_report.py."""

    work_dir: Path
    """Folder for the made-up run; about 4.5 kB a pair, and the page."""
    pairs: int = 100_000
    """Preference pairs."""
    characters: int = 2000
    """Characters of each answer."""
    output: Path | None = None
    """JSON file for the figures."""


def made_up_pairs(args: Args) -> Iterator[dict[str, Any]]:
    """Pairs whose texts are pieces of Python's help texts, the same for the same numbers."""
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name] for name in sorted(topics))
    dice = random.Random(0)

    def piece(length: int) -> str:
        start = dice.randrange(len(text) - length)
        return text[start : start + length]

    for number in range(args.pairs):
        chosen, rejected = round(dice.uniform(0.1, 0.2), 6), round(dice.uniform(0.0, 0.1), 6)
        yield {
            "prompt": [{"role": "user", "content": piece(300)}],
            "chosen": [{"role": "assistant", "content": piece(args.characters)}],
            "rejected": [{"role": "assistant", "content": piece(args.characters)}],
            "prompt_id": f"prompt-{number}",
            "dataset": DATASETS[number % len(DATASETS)],
            "domain": "instruction",
            "source": SOURCES[number % len(SOURCES)],
            "chosen_rm_score": chosen,
            "rejected_rm_score": rejected,
            "margin": chosen - rejected,
        }


def make_page(run_dir: Path) -> dict[str, Any]:
    """Runs report.py; its wall and peak memory."""
    command = [sys.executable, str(ROOT / "evaluation" / "report.py"), "--run-dir", str(run_dir)]
    start = time.monotonic()
    process = subprocess.Popen(
        [*command, "--report-to", "none"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"report.py ended with status {os.waitstatus_to_exitcode(status)}")
    return {
        "made_s": round(time.monotonic() - start, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
        "page_mb": round((run_dir / "report.html").stat().st_size / 1e6, 1),
    }


def open_page(page_path: Path, pairs: int) -> dict[str, Any]:
    """Seconds until rows are shown, until all is read, and of a filter, a jump, an order and a search through all."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise BadInput("no Chromium is installed; run ./setup_cpu.sh browser")
    from playwright.sync_api import expect, sync_playwright

    seconds: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        start = time.monotonic()

        def lap(name: str) -> None:
            nonlocal start
            seconds[name] = round(time.monotonic() - start, 2)
            start = time.monotonic()

        page.goto(page_path.as_uri(), wait_until="commit", timeout=PATIENCE_MS)
        page.wait_for_selector(".row-card")
        lap("first_rows_s")
        page.wait_for_load_state("load")
        lap("rest_of_page_s")
        status = page.locator("#row-count")
        for name, act, told in (
            (
                "filter_s",
                lambda: page.select_option("select[name=source]", index=1),
                f"of {pairs // 4:,} rows",
            ),
            (
                "last_page_s",
                lambda: page.get_by_label("Last page").first.click(),
                f"{pairs // 4:,} of {pairs // 4:,}",
            ),
            ("order_s", lambda: page.select_option("select[name=order]", "margin-down"), "1–10 of"),
            ("clear_s", lambda: page.click("button[type=reset]"), f"of {pairs:,} rows"),
            ("search_s", lambda: page.fill("input[name=query]", f"prompt-{pairs - 1}"), "of 1 rows"),
        ):
            act()
            expect(status).to_contain_text(told, timeout=PATIENCE_MS)
            lap(name)
        heap = page.evaluate("performance.memory ? performance.memory.usedJSHeapSize : 0")
        seconds["js_heap_mb"] = round(heap / 1e6)
        browser.close()
    return seconds


def main() -> None:
    """Makes the pairs and the page, opens it, prints the figures."""
    args = parse_args(Args)
    run_dir = args.work_dir / "run"
    if run_dir.exists():
        raise BadInput(f"--work-dir {args.work_dir}: holds a folder run already; name another folder")
    pairs_path = run_dir / "pairs" / "dpo.jsonl"
    pairs_path.parent.mkdir(parents=True)
    try:
        with pairs_path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in made_up_pairs(args))
        figures = {
            "pairs": args.pairs,
            "characters": args.characters,
            "pairs_mb": round(pairs_path.stat().st_size / 1e6, 1),
            **make_page(run_dir),
            **open_page(run_dir / "report.html", args.pairs),
        }
    finally:
        shutil.rmtree(run_dir)
    for name, value in figures.items():
        print(f"{name:<16} {value}")
    if args.output is not None:
        write_json(args.output, figures)


if __name__ == "__main__":
    run(main)
