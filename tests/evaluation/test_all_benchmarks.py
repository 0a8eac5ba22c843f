"""All 14 benchmarks in one go through the real vLLM engine with a tiny random model; judges scripted and real."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from benchmark_files import write_benchmark_files
from constant_judge import JUDGE_TEXT, MAX_TOKENS, make_constant_judge
from scripted_server import completion, scripted_server
from tiny_models import make_tiny_model

from evaluation.benchmark import REPORT_ORDER

ITEMS = {
    "alpaca_eval_2": 12, "arena_hard": 2, "mt_bench": 2, "align_bench": 2, "gsm8k": 3, "math": 7, "amc23": 2,
    "livebench_0831": 19, "mmlu_pro": 3, "mmlu_redux": 2, "gpqa_diamond": 2, "humaneval": 1, "mbpp": 1,
    "livecodebench_2408_2411": 1,
}  # fmt: skip
JUDGED = ("alpaca_eval_2", "arena_hard", "mt_bench", "align_bench")


def scripted_verdict(body: dict[str, Any], earlier: int) -> tuple[int, dict[str, str], Any]:
    """One token with its alternatives for AlpacaEval, else a text that holds a verdict of every kind."""
    if not body.get("logprobs"):
        return 200, {}, completion(JUDGE_TEXT)
    top = [{"token": "m", "logprob": -0.5}, {"token": "M", "logprob": -1.5}, {"token": "x", "logprob": -4.0}]
    reply = completion("m")
    reply["choices"][0]["logprobs"] = {"content": [{"token": "m", "logprob": -0.5, "top_logprobs": top}]}
    return 200, {}, reply


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark_files(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory, run_script: Any) -> tuple[Path, str]:
    """One evaluation of all benchmarks: its output folder and all that it printed."""
    folder = tmp_path_factory.mktemp("evaluation")
    model = make_tiny_model(folder / "model", "llama", hidden_size=128, seed=3)
    with scripted_server(scripted_verdict) as server:
        result = run_script(
            "evaluation/run_evals.py", "--model", f"tiny={model}", "--data-root", data, "--output-dir", folder / "out",
            "--max-tokens", 8, "--judge-model", "scripted", "--judge-base-url", server.url, "--compare-report", "llama",
            "--report-to", "wandb", timeout=500, WANDB_MODE="offline", VLLM_LOGGING_LEVEL="INFO",
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    shutil.rmtree(model)  # scoring again must do without it
    return folder / "out", result.stdout + result.stderr


def scores_of(output: Path) -> Any:
    return json.loads((output / "scores.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_all_benchmarks_are_complete_and_averaged_after_one_engine_start(run: tuple[Path, str]) -> None:
    output, printed = run
    scores = scores_of(output)
    entries = {name: entry["models"]["tiny"] for name, entry in scores["benchmarks"].items()}
    assert {name: entry["n"] for name, entry in entries.items()} == ITEMS and list(entries) == list(
        REPORT_ORDER
    )
    assert all(entry["complete"] and entry["score"] is not None for entry in entries.values())
    mean = sum(entry["score"] for entry in entries.values()) / 14
    assert scores["average"]["tiny"] == pytest.approx(mean)
    # vLLM's own log tells of each engine that it starts.
    assert printed.count("Initializing a V1 LLM engine") == printed.count("tiny: engine started in") == 1
    # MT-Bench and Arena-Hard by the scripted texts: 8 of 10, and one game each way.
    assert entries["mt_bench"]["score"] == 8 and entries["arena_hard"]["score"] == 50
    assert entries["align_bench"]["score"] == 7
    for name in REPORT_ORDER:
        lines = (output / "generations" / "tiny" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        samples = {"livecodebench_2408_2411": 10, "mt_bench": 2}.get(name, 1)
        assert len(lines) == samples * ITEMS[name]


@pytest.mark.slow
def test_tables_hold_the_14_rows_in_the_reports_order_its_figures_and_the_judge(
    run: tuple[Path, str],
) -> None:
    output, _ = run
    table = (output / "scores.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in table.split("\n") if line.startswith("| ")]
    assert rows[1:17] == [
        "---", "AlpacaEval-2", "Arena-Hard", "MT-Bench", "AlignBench v1.1", "GSM8K", "MATH", "AMC 23", "LiveBench 0831",
        "MMLU-Pro", "MMLU-redux", "GPQA-Diamond", "HumanEval", "MBPP", "LiveCodeBench 2408-2411", "Average",
    ]  # fmt: skip
    average = next(line for line in table.split("\n") if line.startswith("| Average"))
    assert average.endswith("| 40.5 | 43.2 | 47.3 |")
    assert "Judge: scripted" in table and "Warning: mt_bench was judged by gpt-4-0125-preview" in table
    latex = (output / "scores.tex").read_text(encoding="utf-8")
    assert latex.count(r"\\") == 16 and "LiveCodeBench 2408-2411 & 1 &" in latex
    for name in ("scores_bars.png", "scores_radar.png"):
        assert (output / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_gpqa_questions_get_into_no_log_table_or_tracker(run: tuple[Path, str]) -> None:
    output, printed = run
    assert "SECRET-QUESTION" not in printed
    allowed = {"generations", "items"}
    for path in output.rglob("*"):
        if path.is_file() and path.relative_to(output).parts[0] not in allowed:
            assert b"SECRET-QUESTION" not in path.read_bytes(), path
    items = (output / "items" / "tiny" / "gpqa_diamond.jsonl").read_text(encoding="utf-8")
    assert "SECRET-QUESTION" not in items
    assert "Tom has" in (output / "items" / "tiny" / "gsm8k.jsonl").read_text(encoding="utf-8")


@pytest.mark.slow
def test_scoring_again_without_model_and_judge_gives_identical_files(
    run: tuple[Path, str], data: Path, tmp_path: Path, run_script: Any
) -> None:
    output = tmp_path / "out"
    shutil.copytree(run[0], output)
    for name in ("scores.json", "scores.md", "scores.tex"):
        (output / name).unlink()
    shutil.rmtree(output / "items")
    result = run_script(
        "evaluation/run_evals.py", "--rescore", "--data-root", data, "--output-dir", output, "--judge-model", "scripted",
        "--compare-report", "llama", "--report-to", "none", timeout=500,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert (output / "scores.md").read_bytes() == (run[0] / "scores.md").read_bytes()
    assert scores_of(output)["benchmarks"] == scores_of(run[0])["benchmarks"]
    for path in sorted((run[0] / "items").rglob("*.jsonl")):
        assert (output / path.relative_to(run[0])).read_bytes() == path.read_bytes()


@contextmanager
def vllm_server(model: Path) -> Iterator[str]:
    """vLLM's own OpenAI server on a free port of 127.0.0.1; its base URL once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--served-model-name", "judge",
        "--host", "127.0.0.1", "--port", str(port), "--enforce-eager", "--max-model-len", "8192", "--dtype", "float32",
        "--override-generation-config", json.dumps({"max_new_tokens": MAX_TOKENS}),
    ]  # fmt: skip
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING"}
    log = model.parent / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    url = f"http://127.0.0.1:{port}/v1"
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                if httpx.get(f"{url}/models").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            text = log.read_text(encoding="utf-8", errors="replace")
            assert process.poll() is None and time.monotonic() < deadline, text[-3000:]
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_a_real_vllm_server_judges_the_four_judged_benchmarks(
    run: tuple[Path, str], data: Path, tmp_path: Path, run_script: Any
) -> None:
    """The judge is a tiny model trained to say one text always: `m`, [[8]], [[A>B]], and a rating of 7."""
    output = tmp_path / "out"
    shutil.copytree(
        run[0] / "generations", output / "generations", ignore=shutil.ignore_patterns("*.run.json")
    )  # answers of unknown origin: only the judge is tried here
    with vllm_server(make_constant_judge(tmp_path / "judge")) as url:
        result = run_script(
            "evaluation/run_evals.py", "--model", "tiny=made/here", "--benchmarks", *JUDGED, "--data-root", data,
            "--output-dir", output, "--max-tokens", 8, "--judge-model", "judge", "--judge-base-url", url, "--judge-tries", 2,
            "--judge-wait", 1, "--report-to", "none", timeout=500,
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    entries = {name: entry["models"]["tiny"] for name, entry in scores_of(output)["benchmarks"].items()}
    assert entries["mt_bench"]["score"] == 8 and entries["align_bench"]["score"] == 7
    assert entries["arena_hard"]["score"] == 50
    # The judge nearly always takes the answer that is shown first, and the coin shows each side about as often.
    assert entries["alpaca_eval_2"]["breakdown"]["judged"] == 12
    lines = (output / "judgments" / "tiny" / "alpaca_eval_2.jsonl").read_text(encoding="utf-8").splitlines()
    # Five alternatives each; broken bytes of a character may share one text.
    assert len(lines) == 12 and all("m" in json.loads(line)["first_token"] for line in lines)
