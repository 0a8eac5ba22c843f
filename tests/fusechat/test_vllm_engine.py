"""The vLLM engine: one real start on a tiny random Llama for all tests, and what can be seen without one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_models import make_tiny_model

from fusechat.chat import load_tokenizer
from fusechat.errors import BadInput
from fusechat.vllm_engine import EngineFailure, VLLMEngine, context_length, stop_token_ids

SESSION = Path(__file__).parent / "vllm_session.py"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one real engine did when it was asked all these tests' questions."""
    model = make_tiny_model(tmp_path_factory.mktemp("engine") / "tiny-llama", hidden_size=128)
    finished = subprocess.run(
        [sys.executable, str(SESSION), str(model)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "LD_PRELOAD": ""},
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.mark.slow
def test_seeded_requests_whose_prompts_overflow_one_step_are_answered(seen: dict[str, Any]) -> None:
    """vLLM on a CPU dies here ("CPU Generator does not use offset") when prompts are prefilled in pieces."""
    assert seen["prompt_tokens"] > 2 * 4096
    assert sorted(seen["first"]) == sorted(f"long {i}" for i in range(40))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_answer_in_another_order(seen: dict[str, Any]) -> None:
    """A float32 model: rounding that differs between batches very seldom flips a token."""
    same = sum(seen["first"][name] == seen["again"][name] for name in seen["first"])
    assert same >= 38
    different = sum(seen["first"][name] != seen["other_seeds"][name] for name in seen["first"])
    assert different >= 38


@pytest.mark.slow
def test_requests_are_read_as_places_become_free(seen: dict[str, Any]) -> None:
    assert seen["read_at_first_answer"] <= 8
    assert seen["rest"] == 29


@pytest.mark.slow
def test_an_abandoned_generator_leaves_nothing_in_the_engine(seen: dict[str, Any]) -> None:
    assert seen["after_abandoned"] == ["fresh"]


@pytest.mark.slow
def test_an_answer_cut_by_length_says_so(seen: dict[str, Any]) -> None:
    assert seen["cut"] == [[3, "length"]]


@pytest.mark.slow
def test_an_answer_ends_at_a_stop_token(seen: dict[str, Any]) -> None:
    assert seen["stopped"] == [[1, "stop"]]


@pytest.mark.slow
def test_a_prompt_longer_than_the_context_is_bad_input_and_the_engine_lives_on(seen: dict[str, Any]) -> None:
    assert "too long" in seen["too_long"]
    assert "1024" in seen["too_long"]
    assert seen["after_refusal"] == ["still alive"]


@pytest.mark.slow
def test_the_process_around_the_engine_is_left_as_it_was(seen: dict[str, Any]) -> None:
    assert seen["max_model_len"] == 1024
    assert seen["ld_preload"] == ""
    assert seen["threads_restored"]


def test_generating_outside_the_with_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="with block"):
        next(VLLMEngine(tmp_path).generate([]))


def test_gemmas_end_of_turn_and_the_ids_of_the_generation_config_stop_an_answer(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny-gemma", "gemma2")
    tokenizer = load_tokenizer(folder)
    end_of_turn, eos = tokenizer.convert_tokens_to_ids(["<end_of_turn>", "<eos>"])
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [eos, 77]}))
    assert stop_token_ids(folder, tokenizer) == sorted({end_of_turn, eos, 77})


def test_the_context_length_comes_from_the_models_config(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny", max_position_embeddings=321)
    assert context_length(folder) == 321
    with pytest.raises(BadInput, match="nowhere"):
        context_length(tmp_path / "nowhere")


def test_an_engine_that_dies_is_told_as_a_failure_of_the_engine(tmp_path: Path) -> None:
    class DeadEngine:
        aborted = False

        def add_request(self, *arguments: Any) -> str:
            return "internal id"

        def step(self) -> list[Any]:
            raise MemoryError("out of memory\nsecond line")

        def abort_request(self, ids: list[str], internal: bool) -> None:
            raise OSError("gone")

    from fusechat.vllm_engine import GenerationRequest

    engine = VLLMEngine(tmp_path)
    engine._engine = DeadEngine()
    request = GenerationRequest(request_id="a", prompt_token_ids=[1], max_tokens=1)
    with pytest.raises(EngineFailure, match="the vLLM engine died: MemoryError: out of memory second line"):
        list(engine.generate([request]))


def test_the_engines_processes_end_when_their_parent_is_killed() -> None:
    """SIGKILL of the script runs no clean-up; the watchdog ends the child that stands for the engine."""
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            "from fusechat.engine_processes import start_watchdog\n"
            "child = subprocess.Popen(['sleep', '600'])\n"
            "watchdog = start_watchdog({child.pid})\n"
            "print(child.pid, watchdog.pid, flush=True)\n"
            "time.sleep(600)\n",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child, watchdog = map(int, parent.stdout.readline().split())
    assert psutil.pid_exists(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while _runs(child) or _runs(watchdog):
        assert time.monotonic() < deadline, "the engine's process outlived its parent"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    # Nobody may be there to reap it: a zombie has ended.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
