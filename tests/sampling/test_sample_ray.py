"""--ray: the engines of a Ray cluster with two worker nodes, real processes of this machine."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")

from stand_in_engine import StandInEngine
from tiny_models import make_tiny_model

from fusechat.errors import BadInput
from fusechat.generation import EngineFailure, GenerationRequest
from sampling.ray_engines import RayEngines, engine_places, tasks_of


@pytest.fixture(scope="module")
def cluster(root: Path) -> Iterator[str]:
    """The address of a cluster whose head computes nothing, with two workers of one CPU each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(root / "tests"))  # the nodes' workers import the stand-in engine
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        for _ in range(2):
            nodes.add_node(num_cpus=1)
        environment.setenv("RAY_ADDRESS", nodes.address)
        yield nodes.address
        nodes.shutdown()


def make_requests(number: int, deadly: int | None = None) -> list[GenerationRequest]:
    """`number` requests, four for each prompt."""
    prompts = [[i] for i in range(number)]
    return [
        GenerationRequest(
            request_id=f"p{i // 4}:s:{i % 4}",
            prompt_token_ids=prompts[i // 4],
            max_tokens=666 if i == deadly else 5,
            seed=1000 + i,
        )
        for i in range(number)
    ]


def ids(requests: list[GenerationRequest]) -> list[str]:
    return sorted(request.request_id for request in requests)


def engines(make: Any) -> RayEngines:
    return RayEngines(make, max_model_len=128, gpus_each=1)


@pytest.mark.slow
def test_every_request_is_answered_once_by_both_nodes_and_each_answer_comes_when_it_is_finished(
    cluster: str,
) -> None:
    requests = make_requests(80)
    results, times = [], []
    with engines(functools.partial(StandInEngine, delay_s=0.1)) as ray:
        for result in ray.generate(requests):
            results.append(result)
            times.append(time.monotonic())
    assert sorted(result.request_id for result in results) == ids(requests)
    seeds = {request.request_id: request.seed for request in requests}
    assert all(result.text.split()[0] == str(seeds[result.request_id]) for result in results)
    assert len({result.text.split()[1] for result in results}) == 2
    # 80 answers of 0.1 s on two engines take 4 s: they cannot all have waited for the last one.
    assert times[-1] - times[0] > 1


@pytest.mark.slow
def test_the_requests_of_an_engine_that_dies_are_asked_again_and_none_is_answered_twice(
    cluster: str, tmp_path: Path
) -> None:
    requests = make_requests(40, deadly=9)
    make = functools.partial(StandInEngine, str(tmp_path / "once"), 0.02)
    with engines(make) as ray:
        results = list(ray.generate(requests))
    assert (tmp_path / "once").exists(), "no engine died"
    assert sorted(result.request_id for result in results) == ids(requests)


@pytest.mark.slow
def test_a_request_that_kills_every_engine_ends_the_run_and_what_was_answered_has_been_given_out(
    cluster: str, tmp_path: Path
) -> None:
    make = functools.partial(StandInEngine, str(tmp_path / "always"), 0.02)
    results = []
    with engines(make) as ray, pytest.raises(EngineFailure, match="died more than 3 times"):
        for result in ray.generate(make_requests(40, deadly=20)):
            results.append(result.request_id)
    assert len(results) == len(set(results)) >= 10
    assert "p5:s:0" not in results


@pytest.mark.slow
def test_engines_that_cannot_start_are_a_failure(cluster: str) -> None:
    make = functools.partial(StandInEngine, starts=False)
    with engines(make) as ray, pytest.raises(EngineFailure, match="an engine did not start"):
        list(ray.generate(make_requests(4)))


@pytest.mark.slow
def test_a_request_that_an_engine_refuses_is_bad_input_with_its_id(cluster: str) -> None:
    make = functools.partial(StandInEngine, refuses=True)
    with engines(make) as ray, pytest.raises(BadInput, match="p0:s:0: longer than the context"):
        list(ray.generate(make_requests(1)))


@pytest.mark.slow
def test_more_engines_than_the_cluster_has_room_for_are_refused(cluster: str) -> None:
    ray = RayEngines(StandInEngine, max_model_len=128, gpus_each=1, engines=3)
    with pytest.raises(BadInput, match="3 nodes have room for 2 engines of 1 CPU each, wanted are 3"):
        ray.__enter__()


@pytest.mark.slow
def test_a_run_on_the_cluster_that_is_killed_goes_on_without_it_to_the_same_file(
    cluster: str, root: Path, tmp_path: Path
) -> None:
    """The real script with the real engine on both nodes; SIGKILL, then the rest in one process."""
    make_tiny_model(tmp_path / "model", hidden_size=128)
    (tmp_path / "sources.yaml").write_text(
        "tiny: {model: nowhere/tiny, temperature: 1.0, top_p: 1.0, max_tokens: 150, max_model_len: 512}\n"
    )
    prompts = [
        {
            "prompt_id": f"p{i}",
            "dataset": "made/up",
            "domain": "math",
            "messages": [{"role": "user", "content": f"Sam has {i} apples and buys {i + 2} more."}],
        }
        for i in range(40)
    ]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    output, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    command = [
        sys.executable, str(root / "sampling" / "sample_vllm.py"), "--prompts", str(tmp_path / "prompts.jsonl"),
        "--source", "tiny", "--model", str(tmp_path / "model"), "--sources-file", str(tmp_path / "sources.yaml"),
        "--output", str(output), "--report-to", "none", "--samples-per-prompt", "4",
    ]  # fmt: skip
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen([*command, "--ray"], cwd="/", stdout=log, stderr=log)
    deadline = time.monotonic() + 240
    while not partial.exists() or partial.read_bytes().count(b"\n") < 10:
        assert time.monotonic() < deadline and process.poll() is None, (tmp_path / "log").read_text()[-3000:]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "ray: 2 engines on 3 nodes" in (tmp_path / "log").read_text()
    survived = partial.read_bytes().count(b"\n")
    assert 10 <= survived < 160 and not output.exists()

    finished = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert finished.returncode == 0, finished.stderr
    assert f"going on after the {survived} lines" in finished.stdout
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["response_id"] for row in rows] == [f"p{i}:tiny:{k}" for i in range(40) for k in range(4)]
    assert len({row["seed"] for row in rows}) == 160


def test_ray_and_a_server_exclude_each_other(root: Path, tmp_path: Path) -> None:
    finished = subprocess.run(
        [
            sys.executable, str(root / "sampling" / "sample_vllm.py"), "--prompts", "p.jsonl",
            "--source", "Qwen2.5-72B-Instruct", "--output", str(tmp_path / "o.jsonl"), "--ray", "--server", "http://x",
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.returncode == 2 and "--ray and --server: choose one" in finished.stderr


def test_an_engine_does_not_span_nodes() -> None:
    """Two nodes of 8 GPUs and one of 4: engines of 3 GPUs find 2 + 2 + 1 places, not 20 // 3."""
    nodes = [{"GPU": 8.0, "CPU": 96.0}, {"GPU": 8.0, "CPU": 96.0}, {"GPU": 4.0, "CPU": 48.0}, {"CPU": 8.0}]
    assert engine_places(nodes, 3) == (5, "GPU")
    assert engine_places(nodes, 8) == (2, "GPU")
    assert engine_places([{"CPU": 2.0}, {"CPU": 1.0}, {}], 1) == (3, "CPU")


def test_the_answers_of_a_prompt_are_one_task_and_few_requests_make_small_tasks() -> None:
    few = list(tasks_of(make_requests(64), engines=2))
    assert [len(task) for task in few] == [4] * 16
    many = list(tasks_of(make_requests(4000), engines=2))
    assert {len(task) for task in many[:-1]} == {32}
    assert sum(map(len, many)) == 4000
