"""What the demo prints at its end: rows made, scores of the three models, times, and where every file is.

All figures come from the files that the steps wrote; nothing is computed anew.
"""

import json
from pathlib import Path
from typing import Any

from demo.steps import Demo

PLACES = {
    "prompts.jsonl": "prompts to train on",
    "heldout.jsonl": "word problems that no step trains on",
    "responses": "answers of each source model",
    "code_tests.jsonl": "verdicts on code answers",
    "math_checks.jsonl": "verdicts on maths answers",
    "rm_training": "rated answers and pairs that the reward model is fitted on",
    "models/armorm": "reward model and fit_report.json",
    "rm_scores.jsonl": "RM scores",
    "pairs": "sft.jsonl, dpo.jsonl, composition.md",
    "models/sft": "model after SFT",
    "models/lndpo": "model after LN-DPO: the result",
    "evaluation": "scores.json, scores.md, generations and scored items",
    "report.html": "all of it as one page: funnel, rows, curves, scores",
}


def score_text(entry: dict[str, Any]) -> str:
    error = entry.get("standard_error")
    spread = "" if error is None else f" ± {error:.1f}"
    return f"{entry['score']:.1f} %{spread}"


def difference_text(entry: dict[str, Any]) -> str:
    """Paired difference to the base model with its 95 % interval."""
    difference = entry.get("difference_to_first")
    if not difference:
        return "-"
    low, high = difference["interval_95"]
    verdict = "" if difference["more_than_noise"] else " (may be noise)"
    return f"{difference['difference']:+.1f} [{low:+.1f}, {high:+.1f}]{verdict}"


def score_lines(scores: dict[str, Any]) -> list[str]:
    """A table per benchmark: model, score, difference to the base."""
    lines = []
    for name, benchmark in scores["benchmarks"].items():
        title = f"{benchmark['title']} (pass@1)" if name == "humaneval" else benchmark["title"]
        count = next(iter(benchmark["models"].values()))["n"]
        lines += ["", f"{title}, {count} problems, greedy"]
        lines.append(f"  {'model':<8}{'right':<18}difference to base, points [95 % interval]")
        for model, entry in benchmark["models"].items():
            lines.append(f"  {model:<8}{score_text(entry):<18}{difference_text(entry)}")
    return lines


def time_lines(seconds: dict[str, float]) -> list[str]:
    width = max(map(len, seconds))
    lines = [f"  {title:<{width}}  {spent:7.0f} s" for title, spent in seconds.items()]
    return ["", "Time", *lines, f"  {'all':<{width}}  {sum(seconds.values()):7.0f} s"]


def summary_lines(demo: Demo, seconds: dict[str, float]) -> list[str]:
    run_dir = Path(demo.run_dir)
    scores = json.loads((run_dir / "evaluation" / "scores.json").read_text(encoding="utf-8"))
    report = json.loads((run_dir / "models" / "armorm" / "fit_report.json").read_text(encoding="utf-8"))
    margin, accuracy = report["margin"], report["pair_accuracy"]["held_out"]
    lines = ["", "=" * 100, "Rows made from the answers", ""]
    lines += (run_dir / "pairs" / "composition.md").read_text(encoding="utf-8").strip().split("\n")
    lines += ["", f"Margin window, 30th to 99th percentile: {margin['low']:.4g} to {margin['high']:.4g}"]
    if accuracy is not None:
        lines.append(f"Reward model, pairs of unseen prompts ranked right: {100 * accuracy:.1f} %")
    lines += score_lines(scores) + time_lines(seconds)
    lines += ["", f"Files in {run_dir}"]
    lines += [f"  {place:<18} {what}" for place, what in PLACES.items()]
    lines.append(f"  source models: {demo.models_dir}")
    return [*lines, "", f"Open the report in a browser: {(run_dir / 'report.html').resolve()}"]


def print_summary(demo: Demo, seconds: dict[str, float]) -> None:
    print("\n".join(summary_lines(demo, seconds)), flush=True)
