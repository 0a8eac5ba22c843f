"""Several engines on one node: shared work, engines that die, GPUs shared out. Stand-in engines, real processes."""

import functools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from stand_in_engine import StandInEngine

from fusechat.errors import BadInput
from fusechat.generation import EngineFailure, GenerationRequest
from sampling.parallel_engines import ParallelEngines, environments_for, visible_gpus

TWO: list[dict[str, str]] = [{}, {}]


def make_requests(number: int, deadly: int | None = None) -> list[GenerationRequest]:
    return [
        GenerationRequest(
            request_id=f"r{i}", prompt_token_ids=[i], max_tokens=666 if i == deadly else 5, seed=1000 + i
        )
        for i in range(number)
    ]


def test_every_request_is_answered_once_and_both_engines_work() -> None:
    with ParallelEngines(functools.partial(StandInEngine, delay_s=0.05), TWO) as engines:
        assert engines.max_model_len == 128
        results = list(engines.generate(make_requests(60)))
    assert sorted(result.request_id for result in results) == sorted(f"r{i}" for i in range(60))
    assert all(result.text.split()[0] == str(1000 + int(result.request_id[1:])) for result in results)
    assert len({result.text.split()[1] for result in results}) == 2


def test_a_slow_engine_gets_less_work_and_neither_ends_the_other() -> None:
    """The fast engine runs out of work long before the slow one's last answer, which still comes."""
    environments = [{"STAND_IN_DELAY_S": "0.5"}, {"STAND_IN_DELAY_S": "0.02"}]
    with ParallelEngines(StandInEngine, environments) as engines:
        results = list(engines.generate(make_requests(60)))
    assert sorted(result.request_id for result in results) == sorted(f"r{i}" for i in range(60))
    by_process = Counter(result.text.split()[1] for result in results)
    slow, fast = sorted(by_process.values())
    assert 1 <= slow < fast


def test_large_requests_and_answers_in_both_directions_do_not_lock_up() -> None:
    """Each request is larger than a pipe's buffer (64 KiB and more)."""
    requests = [
        GenerationRequest(
            request_id=f"r{i}" + "x" * 300_000, prompt_token_ids=[70_000] * 100_000, max_tokens=5
        )
        for i in range(12)
    ]
    with ParallelEngines(StandInEngine, [{}]) as engines:
        assert len(list(engines.generate(requests))) == 12


def test_the_requests_of_an_engine_that_dies_go_to_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = functools.partial(StandInEngine, str(tmp_path / "once"), 0.01)
    with ParallelEngines(make, TWO) as engines:
        results = list(engines.generate(make_requests(40, deadly=9)))
    assert sorted(result.request_id for result in results) == sorted(f"r{i}" for i in range(40))
    assert "requests go to the other 1" in capsys.readouterr().err


def test_when_no_engine_is_left_it_is_a_failure_and_what_was_answered_has_been_given_out(
    tmp_path: Path,
) -> None:
    make = functools.partial(StandInEngine, str(tmp_path / "always"), 0.01)
    results = []
    with ParallelEngines(make, TWO) as engines, pytest.raises(EngineFailure, match="no engine is left"):
        for result in engines.generate(make_requests(40, deadly=20)):
            results.append(result.request_id)
    assert len(results) >= 10
    assert "r20" not in results


def test_engines_that_cannot_start_are_a_failure_with_their_reason() -> None:
    with pytest.raises(EngineFailure, match="no memory for the weights"):
        ParallelEngines(functools.partial(StandInEngine, starts=False), TWO).__enter__()


def test_the_engines_end_when_their_parent_is_killed(root: Path) -> None:
    program = (
        "import time\nfrom stand_in_engine import StandInEngine\n"
        "from sampling.parallel_engines import ParallelEngines\n"
        "if __name__ == '__main__':\n"
        "    with ParallelEngines(StandInEngine, [{}, {}]) as engines:\n"
        "        print(*[worker.process.pid for worker in engines._workers], flush=True)\n"
        "        time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(root / "tests")},
    )  # fmt: skip
    assert parent.stdout is not None
    engines = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(engines) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while any(engine.is_running() and engine.status() != psutil.STATUS_ZOMBIE for engine in engines):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_engine_gets_its_own_gpus() -> None:
    shares = environments_for(2, 4, ["0", "1", "2", "3", "4", "5", "6", "7"], 96)
    assert shares == [{"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, {"CUDA_VISIBLE_DEVICES": "4,5,6,7"}]


def test_too_few_gpus_are_told_with_the_sum() -> None:
    with pytest.raises(
        BadInput, match="--data-parallel 4 with tensor parallel size 4 needs 16 GPUs, and 8 are"
    ):
        environments_for(4, 4, list("01234567"), 96)


def test_without_gpus_the_engines_share_the_cores() -> None:
    assert environments_for(2, 1, [], 8) == [{"OMP_NUM_THREADS": "4"}] * 2


def test_the_gpus_of_a_slurm_job_are_those_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert visible_gpus() == ["2", "5"]
