"""sample_vllm.py with the real engine on a tiny random Llama: whole runs, killed runs, and wrong settings."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_models import make_tiny_model

PROMPTS = 24
SOURCES = """
tiny: {model: nowhere/tiny, temperature: 1.0, top_p: 1.0, max_tokens: 200, max_model_len: 512, domains: [math, code]}
maths-only: {model: nowhere/tiny, temperature: 1.0, top_p: 1.0, max_tokens: 200, domains: [math]}
"""


def prompt(prompt_id: str, content: str, domain: str = "math", system: str | None = None) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}] if system else []
    return {
        "prompt_id": prompt_id,
        "dataset": "made/up",
        "domain": domain,
        "messages": [*messages, {"role": "user", "content": content}],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, a sources file and prompts: 24 usable ones, one too long, one of a foreign domain."""
    folder = tmp_path_factory.mktemp("sample")
    make_tiny_model(folder / "model", hidden_size=128)
    (folder / "sources.yaml").write_text(SOURCES)
    prompts = [prompt(f"p{i}", f"Sam has {i} apples and buys {i + 2} more.") for i in range(PROMPTS)]
    prompts.insert(3, prompt("too-long", "apples " * 400))
    prompts.insert(9, prompt("foreign", "天空是什么颜色?", "chinese"))
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    return folder


def command(root: Path, folder: Path, output: Path, *more: object, source: str = "tiny") -> list[str]:
    return [
        sys.executable, str(root / "sampling" / "sample_vllm.py"),
        "--prompts", str(folder / "prompts.jsonl"), "--source", source, "--model", str(folder / "model"),
        "--sources-file", str(folder / "sources.yaml"), "--output", str(output),
        "--report-to", "none", "--samples-per-prompt", "4", *map(str, more),
    ]  # fmt: skip


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def unbroken(root: Path, folder: Path) -> tuple[list[dict[str, Any]], subprocess.CompletedProcess[str], Any]:
    """One run from start to end: its answers, what it printed, its sidecar."""
    output = folder / "unbroken.jsonl"
    finished = subprocess.run(
        command(root, folder, output), capture_output=True, text=True, cwd="/", check=False
    )
    assert finished.returncode == 0, finished.stderr
    return rows(output), finished, json.loads((folder / "unbroken.jsonl.run.json").read_text())


@pytest.mark.slow
def test_a_run_writes_every_answer_once_in_prompt_order(unbroken: Any) -> None:
    answers, _, _ = unbroken
    assert [row["response_id"] for row in answers] == [
        f"p{i}:tiny:{k}" for i in range(PROMPTS) for k in range(4)
    ]
    for row in answers:
        assert set(row) == {
            "response_id", "prompt_id", "source", "sample_index", "text", "finish_reason", "num_tokens", "seed",
        }  # fmt: skip
        assert row["finish_reason"] in ("stop", "length")
        assert (row["finish_reason"] == "length") == (row["num_tokens"] == 200)
    texts = {row["text"] for row in answers}
    assert len(texts) > 90, "answers of one prompt must differ: each has its own seed"


@pytest.mark.slow
def test_what_was_read_sampled_and_skipped_is_told_and_recorded(unbroken: Any) -> None:
    answers, finished, sidecar = unbroken
    assert "prompts read 26 / sampled 24 / skipped: other_domain 1, too_long_for_model 1" in finished.stdout
    counts = sidecar["counts"]
    assert counts["prompts_skipped"] == {"other_domain": 1, "too_long_for_model": 1}
    assert counts["answers"] == 96
    assert counts["cut_by_length"] == sum(row["finish_reason"] == "length" for row in answers)
    assert counts["tokens"] == sum(row["num_tokens"] for row in answers)


@pytest.mark.slow
def test_a_killed_run_leaves_no_process_and_goes_on_to_the_same_answers(
    root: Path, folder: Path, unbroken: Any, tmp_path: Path
) -> None:
    """The seeds are the same; batches differ, so a rounding may flip a token of a few answers, no more."""
    output, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    process = subprocess.Popen(command(root, folder, output), cwd="/", stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    children: list[psutil.Process] = []
    while not partial.exists() or partial.read_bytes().count(b"\n") < 10:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    survived = partial.read_bytes().count(b"\n")
    assert 10 <= survived < 96 and not output.exists()
    with partial.open("ab") as file:
        file.write(b'{"response_id": "p23:tiny:3", "te')

    finished = subprocess.run(
        command(root, folder, output), capture_output=True, text=True, cwd="/", check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert f"going on after the {survived} lines" in finished.stdout
    answers = rows(output)
    expected = unbroken[0]
    assert [(row["response_id"], row["seed"]) for row in answers] == [
        (row["response_id"], row["seed"]) for row in expected
    ]
    same = sum(row["text"] == other["text"] for row, other in zip(answers, expected, strict=True))
    assert same >= 87  # of 96

    again = subprocess.run(
        command(root, folder, output), capture_output=True, text=True, cwd="/", check=False
    )
    assert again.returncode == 0 and "complete already" in again.stdout


@pytest.mark.slow
def test_when_the_engines_die_the_exit_status_says_go_on_and_nothing_is_lost(
    root: Path, folder: Path, unbroken: Any, tmp_path: Path
) -> None:
    """Two engines, both killed as the kernel kills what takes too much memory; then the rest with one."""
    output, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    process = subprocess.Popen(
        command(root, folder, output, "--data-parallel", 2), cwd="/", stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 200
    while not partial.exists() or partial.read_bytes().count(b"\n") < 10:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    for child in psutil.Process(process.pid).children():
        if "resource_tracker" not in " ".join(child.cmdline()):
            child.kill()
    _, stderr = process.communicate(timeout=60)
    survived = partial.read_bytes().count(b"\n")
    assert process.returncode == 1
    assert "no engine is left" in stderr
    assert f"{survived} answers are safe in {partial}; the same command goes on" in stderr
    assert "Traceback" not in stderr

    finished = subprocess.run(
        command(root, folder, output), capture_output=True, text=True, cwd="/", check=False
    )
    assert finished.returncode == 0, finished.stderr
    answers = rows(output)
    assert [(row["response_id"], row["seed"]) for row in answers] == [
        (row["response_id"], row["seed"]) for row in unbroken[0]
    ]


@pytest.mark.parametrize(
    ("more", "source", "message"),
    [
        (["--domains", "code", "instruction"], "tiny", "--domains instruction: tiny answers math, code only"),
        (["--max-tokens", "0"], "tiny", "--max-tokens 0: must be at least 1"),
        (
            ["--max-tokens", "512"],
            "tiny",
            "max_model_len: 512 leaves no room for a prompt beside max_tokens 512",
        ),
        (["--max-tokens", "4096"], "maths-only", "--max-tokens 4096: leaves no room for a prompt in .* 4096"),
        (["--domains", "math", "--data-parallel", "0"], "tiny", "--data-parallel 0: must be at least 1"),
        (["--max-model-len", "9000"], "tiny", "--max-model-len 9000: .* allows 4096 tokens at most"),
        (["--domains", "code"], "tiny", "no prompt is of these .there are: chinese 1, math 25."),
        ([], "other", "--source other: is not in .*known are: tiny, maths-only"),
        (["--model", "/nowhere/model"], "tiny", "/nowhere/model: is neither an existing folder nor a Hub id"),
        (["--prompts", "/nowhere/prompts.jsonl"], "tiny", "/nowhere/prompts.jsonl: no such file"),
    ],
)
def test_wrong_settings_end_before_the_engine_starts(
    root: Path, folder: Path, tmp_path: Path, more: list[str], source: str, message: str
) -> None:
    finished = subprocess.run(
        command(root, folder, tmp_path / "out.jsonl", *more, source=source),
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert finished.returncode == 2
    assert re.search(message, finished.stderr), finished.stderr
    assert "Traceback" not in finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_system_turn_that_the_template_refuses_skips_the_prompt(
    tmp_path: Path, write_jsonl: Callable[..., Path]
) -> None:
    from fusechat.inputs import Shard
    from fusechat.jsonl import read_prompts
    from sampling.answer_plan import AnswerPlan
    from sampling.answer_requests import engine_requests
    from sampling.sources import Source

    model = make_tiny_model(tmp_path / "gemma", "gemma2")
    path = write_jsonl("prompts.jsonl", [prompt("a", "Hello"), prompt("b", "Hello", system="Be brief.")])
    plan = AnswerPlan(
        read_prompts([path]), source="g", samples_per_prompt={"math": 2}, run_seed=0, shard=Shard(0, 1)
    )
    source = Source(model=str(model), temperature=0.5, top_p=0.9, top_k=7, max_tokens=9, stop=["\n\n"])
    requests = [request for _, request in engine_requests(plan, set(), source, 100)]
    assert [request.request_id for request in requests] == ["a:g:0", "a:g:1"]
    assert dict(plan.skipped) == {"refused_by_chat_template": 1}
    first = requests[0]
    assert (first.temperature, first.top_p, first.top_k, first.max_tokens) == (0.5, 0.9, 7, 9)
    assert list(first.stop) == ["\n\n"]
    # Exactly one BOS (id 0 in this tokenizer), and the turn's end among the stop tokens.
    assert list(first.prompt_token_ids).count(0) == 1 and first.prompt_token_ids[0] == 0


def test_a_prompt_fits_when_prompt_and_answer_fill_the_context_exactly(
    folder: Path, write_jsonl: Callable[..., Path]
) -> None:
    from fusechat.chat import load_tokenizer, prompt_token_ids
    from fusechat.inputs import Shard
    from fusechat.jsonl import read_prompts
    from sampling.answer_plan import AnswerPlan
    from sampling.answer_requests import engine_requests
    from sampling.sources import Source

    prompts = read_prompts([write_jsonl("prompts.jsonl", [prompt("a", "Sam has 3 apples.")])])
    length = len(prompt_token_ids(load_tokenizer(folder / "model"), prompts["a"].messages))
    source = Source(model=str(folder / "model"), temperature=1, top_p=1, max_tokens=50)

    def requests(max_model_len: int) -> int:
        plan = AnswerPlan(prompts, source="t", samples_per_prompt={"math": 1}, run_seed=0, shard=Shard(0, 1))
        return len(list(engine_requests(plan, set(), source, max_model_len)))

    assert requests(length + 50) == 1
    assert requests(length + 49) == 0
