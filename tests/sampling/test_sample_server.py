"""--server: retries, refusals, bounded concurrency and resuming, against a scripted server on 127.0.0.1."""

import email.utils
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from scripted_server import completion, scripted_server

from fusechat.errors import BadInput
from fusechat.generation import EngineFailure
from sampling.answer_server import AnswerServer, RefusedRequest, ServerRequest, pause_before, pause_wanted

SOURCES = "hosted: {model: big-one, temperature: 0.7, top_p: 0.8, max_tokens: 50}\n"


def echo(body: dict[str, Any], earlier: int) -> tuple[int, dict[str, str], Any]:
    """Answers with the question and the seed, so that every answer is known beforehand."""
    return 200, {}, completion(f"{body['messages'][-1]['content']} / {body['seed']}")


def ask(script: Any, number: int = 1, **settings: Any) -> tuple[list[Any], Any]:
    requests = [
        ServerRequest(f"r{i}", {"messages": [{"content": f"q{i}"}], "seed": i}) for i in range(number)
    ]
    delay_s = settings.pop("delay_s", 0.0)
    with (
        scripted_server(script, delay_s) as seen,
        AnswerServer(seen.url, first_pause_s=0.01, **settings) as server,
    ):
        return list(server.generate(requests)), seen


def test_a_busy_server_is_asked_again_until_it_answers() -> None:
    troubles: dict[int, tuple[int, dict[str, str], Any]] = {
        0: (429, {}, {"error": {"message": "slow down"}}),
        1: (503, {}, "overloaded"),
        2: (500, {}, ""),
    }

    def script(body: dict[str, Any], earlier: int) -> tuple[int, dict[str, str], Any]:
        return troubles.get(earlier) or echo(body, earlier)

    answers, seen = ask(script, 3)
    assert sorted((a.request_id, a.text, a.num_tokens, a.finish_reason) for a in answers) == [
        ("r0", "q0 / 0", 3, "stop"),
        ("r1", "q1 / 1", 3, "stop"),
        ("r2", "q2 / 2", 3, "stop"),
    ]
    assert len(seen.bodies) == 12


def test_a_server_that_stays_broken_ends_the_run_after_its_attempts() -> None:
    with pytest.raises(EngineFailure, match="failed 3 times; last: HTTP 502: bad gateway"):
        ask(lambda body, earlier: (502, {}, "bad gateway"), attempts=3)


def test_a_server_that_is_not_there_ends_the_run_after_its_attempts() -> None:
    with (
        AnswerServer("http://127.0.0.1:9", attempts=2, first_pause_s=0.01) as server,
        pytest.raises(EngineFailure, match="failed 2 times; last: ConnectError"),
    ):
        list(server.generate([ServerRequest("r", {})]))


def test_a_request_that_the_server_refuses_is_given_back_and_the_others_go_on() -> None:
    def script(body: dict[str, Any], earlier: int) -> tuple[int, dict[str, str], Any]:
        if body["seed"] == 1:
            return 400, {}, {"error": {"message": "maximum context length is 10 tokens"}}
        return echo(body, earlier)

    answers, _ = ask(script, 3)
    refused = [answer for answer in answers if isinstance(answer, RefusedRequest)]
    assert refused == [RefusedRequest("r1", "refused_by_server", "maximum context length is 10 tokens")]
    assert len(answers) == 3


def test_an_answer_that_a_filter_ended_is_no_answer() -> None:
    answers, _ = ask(lambda body, earlier: (200, {}, completion("half", "content_filter")))
    assert answers == [RefusedRequest("r0", "ended_by_content_filter", "")]


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "OPENAI_API_KEY to a valid key"), (404, "check --server .* and --model")]
)
def test_a_wrong_key_or_model_is_bad_input_at_once(status: int, advice: str) -> None:
    with pytest.raises(BadInput, match=f"HTTP {status}: no; .*{advice}"):
        ask(lambda body, earlier: (status, {}, {"error": "no"}))


def test_a_reply_that_is_no_chat_completion_is_a_failure_that_shows_it() -> None:
    with pytest.raises(EngineFailure, match="not a chat completion: '<html>'"):
        ask(lambda body, earlier: (200, {}, "<html>"))


def test_never_more_requests_are_on_their_way_than_wanted() -> None:
    answers, seen = ask(echo, 30, concurrency=4, delay_s=0.03)
    assert len(answers) == 30
    assert seen.most_at_once == 4


def test_requests_are_read_as_answers_come_back() -> None:
    read: list[int] = []

    def requests() -> Any:
        for i in range(50):
            read.append(i)
            yield ServerRequest(f"r{i}", {"messages": [{"content": "q"}], "seed": i})

    with scripted_server(echo) as seen, AnswerServer(seen.url, concurrency=3) as server:
        answers = server.generate(requests())
        next(answers)
        assert len(read) == 3
        answers.close()


def test_the_key_of_the_variable_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    _, seen = ask(echo, api_key_variable="MY_KEY")
    assert seen.keys == ["Bearer secret"]


def test_the_pause_is_the_servers_own_where_it_names_one() -> None:
    def wanted(value: str) -> float | None:
        return pause_wanted(httpx.Response(429, headers={"retry-after": value}))

    assert wanted("2.5") == 2.5
    assert wanted("soon") is None
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert 55 < (wanted(in_a_minute) or 0) <= 60
    assert pause_wanted(httpx.Response(429)) is None
    assert pause_before(1, 1.0, 7.0) == 7.0


def test_pauses_double_up_to_a_minute() -> None:
    for attempt, longest in ((1, 1.0), (2, 2.0), (4, 8.0), (20, 60.0)):
        assert longest / 2 <= pause_before(attempt, 1.0, None) <= longest


@pytest.fixture
def command(tmp_path: Path, root: Path, write_jsonl: Callable[..., Path]) -> Callable[..., list[str]]:
    """The command line of a run of 20 prompts, 3 answers each."""
    prompts = write_jsonl(
        "prompts.jsonl",
        [
            {
                "prompt_id": f"p{i}",
                "dataset": "made/up",
                "domain": "math",
                "messages": [{"role": "user", "content": f"q{i}"}],
            }
            for i in range(20)
        ],
    )
    (tmp_path / "sources.yaml").write_text(SOURCES)

    def build(url: str, *more: str) -> list[str]:
        return [
            sys.executable, str(root / "sampling" / "sample_vllm.py"),
            "--prompts", str(prompts), "--source", "hosted", "--sources-file", str(tmp_path / "sources.yaml"),
            "--output", str(tmp_path / "out.jsonl"), "--samples-per-prompt", "3", "--server", url,
            "--report-to", "none", *more,
        ]  # fmt: skip

    return build


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_killed_server_run_goes_on_and_ends_with_every_answer_once(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Killed by SIGKILL twice; the answers and their order are those that an unbroken run must give."""
    output, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    with scripted_server(echo, delay_s=0.05) as seen:
        for lines in (5, 25):
            process = subprocess.Popen(command(seen.url, "--concurrency", "4"), cwd="/")
            deadline = time.monotonic() + 60
            while not partial.exists() or partial.read_bytes().count(b"\n") < lines:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert not output.exists()
        finished = subprocess.run(command(seen.url), capture_output=True, text=True, cwd="/", check=False)
        assert finished.returncode == 0, finished.stderr
        # What was in flight at a kill is asked again; nothing else is.
        assert len(seen.bodies) <= 60 + 2 * 4
        again = subprocess.run(command(seen.url), capture_output=True, text=True, cwd="/", check=False)
        assert again.returncode == 0 and "complete already" in again.stdout
    written = rows(output)
    assert [row["response_id"] for row in written] == [
        f"p{i}:hosted:{k}" for i in range(20) for k in range(3)
    ]
    assert all(row["text"] == f"q{row['prompt_id'][1:]} / {row['seed']}" for row in written)
    assert len({row["seed"] for row in written}) == 60
    assert "prompts read 20 / sampled 20 / skipped: none" in finished.stdout
    sidecar = json.loads((tmp_path / "out.jsonl.run.json").read_text())
    assert sidecar["counts"]["answers"] == 60
    assert not partial.exists()


def test_the_request_carries_the_sources_parameters_and_nothing_unused(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    with scripted_server(echo) as seen:
        subprocess.run(command(seen.url), check=True, cwd="/", capture_output=True)
    body = seen.bodies[0]
    assert sorted(body) == ["max_tokens", "messages", "model", "seed", "temperature", "top_p"]
    assert (body["model"], body["max_tokens"], body["temperature"], body["top_p"]) == (
        "big-one",
        50,
        0.7,
        0.8,
    )


def test_a_broken_server_leaves_what_was_answered_and_exit_status_1(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    broken: list[bool] = [True]

    def script(body: dict[str, Any], earlier: int) -> tuple[int, dict[str, str], Any]:
        if broken[0] and body["messages"][-1]["content"] == "q7":
            return 200, {}, "not json"
        return echo(body, earlier)

    with scripted_server(script) as seen:
        first = subprocess.run(
            command(seen.url, "--concurrency", "1"), capture_output=True, text=True, cwd="/", check=False
        )
        assert first.returncode == 1
        assert "21 answers are safe in" in first.stderr and "Traceback" not in first.stderr
        broken[0] = False
        second = subprocess.run(command(seen.url), capture_output=True, text=True, cwd="/", check=False)
    assert second.returncode == 0, second.stderr
    assert len(rows(tmp_path / "out.jsonl")) == 60


def test_a_run_that_fails_before_its_first_answer_does_not_claim_to_have_saved_any(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    with scripted_server(lambda body, earlier: (200, {}, "not json")) as seen:
        process = subprocess.run(command(seen.url), capture_output=True, text=True, cwd="/", check=False)
    assert process.returncode == 1
    assert "no answer was finished" in process.stderr and "safe" not in process.stderr
    assert not list(tmp_path.glob("out.jsonl*"))


def test_a_full_disk_ends_the_run_with_what_to_do_and_the_same_command_goes_on(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    """A limit on the size of a file stands for the disk: the write fails half-way through a line."""
    limit = 12_000

    def long(body: dict[str, Any], earlier: int) -> tuple[int, dict[str, str], Any]:
        return 200, {}, completion(f"{body['seed']} " * 50)

    with scripted_server(long) as seen:
        first = subprocess.run(
            command(seen.url, "--concurrency", "2"), capture_output=True, text=True, cwd="/", check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )  # fmt: skip
        assert first.returncode == 2
        assert "cannot be written: File too large; make room, then the same command goes on" in first.stderr
        assert "Traceback" not in first.stderr
        survived = (tmp_path / "out.jsonl.partial").read_bytes().count(b"\n")
        assert 0 < survived < 60
        asked = len(seen.bodies)
        second = subprocess.run(command(seen.url), capture_output=True, text=True, cwd="/", check=False)
        assert second.returncode == 0, second.stderr
        assert len(seen.bodies) - asked == 60 - survived
    assert len({row["response_id"] for row in rows(tmp_path / "out.jsonl")}) == 60


def test_refused_prompts_are_counted_and_left_out(command: Callable[..., list[str]], tmp_path: Path) -> None:
    def script(body: dict[str, Any], earlier: int) -> tuple[int, dict[str, str], Any]:
        if body["messages"][-1]["content"] == "q3":
            return 400, {}, {"error": {"message": "too long"}}
        return echo(body, earlier)

    with scripted_server(script) as seen:
        finished = subprocess.run(command(seen.url), capture_output=True, text=True, cwd="/", check=False)
    assert finished.returncode == 0
    assert "sampled 19 / skipped: refused_by_server 1" in finished.stdout
    assert "p3" not in {row["prompt_id"] for row in rows(tmp_path / "out.jsonl")}


def test_an_interrupted_server_run_ends_at_once_with_status_130(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    with scripted_server(echo, delay_s=0.3) as seen:
        process = subprocess.Popen(
            command(seen.url, "--concurrency", "2"),
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=dict(os.environ),
        )
        deadline = time.monotonic() + 60
        while len(seen.bodies) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "the same command goes on" in stderr
    assert not (tmp_path / "out.jsonl").exists()
