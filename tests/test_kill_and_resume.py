"""A real script, killed with SIGKILL at random moments again and again, ends as an unbroken run does."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KILLS = 36
ANSWERS = 1500


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Prompts and responses of which most are decided at once and some need symbolic comparison."""
    folder = tmp_path_factory.mktemp("inputs")
    with (folder / "prompts.jsonl").open("w") as prompts, (folder / "responses.jsonl").open("w") as responses:
        for number in range(ANSWERS):
            gold = rf"\frac{{{number}}}{{7}}" if number % 100 == 0 else str(number)
            said = rf"\boxed{{{2 * number}/14}}" if number % 100 == 0 else f"#### {number - number % 3}"
            prompt = {
                "prompt_id": f"p{number}",
                "dataset": "org/name",
                "domain": "math",
                "messages": [{"role": "user", "content": f"question {number}"}],
                "gold_answer": gold,
            }
            response = {
                "response_id": f"p{number}:s:0",
                "prompt_id": f"p{number}",
                "source": "s",
                "sample_index": 0,
                "text": f"Some reasoning. {said}",
                "finish_reason": "stop",
            }
            prompts.write(json.dumps(prompt) + "\n")
            responses.write(json.dumps(response) + "\n")
    return folder


def start(inputs: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(ROOT / "scoring/check_math.py"), "--report-to", "none", "--workers", "1"]
    command += ["--prompts", str(inputs / "prompts.jsonl"), "--responses", str(inputs / "responses.jsonl")]
    return subprocess.Popen(
        [*command, "--output", str(output)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_somewhere(
    process: subprocess.Popen[bytes], partial: Path, whole_size: int, chance: random.Random
) -> bool:
    """Kills the process group at a random size of its output, or at a random time; False if it ended first."""
    until_size = chance.randrange(whole_size) if chance.random() < 0.7 else None
    deadline = time.monotonic() + (chance.uniform(0.05, 1.5) if until_size is None else 60)
    while process.poll() is None and time.monotonic() < deadline:
        if until_size is not None and partial.exists() and partial.stat().st_size >= until_size:
            break
        time.sleep(0.001)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


@pytest.mark.slow
def test_whenever_it_is_killed_every_id_is_there_once_with_the_same_bytes(inputs, tmp_path):
    unbroken = tmp_path / "unbroken.jsonl"
    assert start(inputs, unbroken).wait(timeout=120) == 0
    expected = unbroken.read_bytes()
    assert len(expected.splitlines()) == ANSWERS

    chance = random.Random(20241212)
    kills = kills_with_a_part = rounds = 0
    while kills < KILLS:
        rounds += 1
        output = tmp_path / f"round-{rounds}.jsonl"
        partial = Path(f"{output}.partial")
        while True:
            process = start(inputs, output)
            if kills < KILLS and kill_somewhere(process, partial, len(expected), chance):
                kills += 1
                kills_with_a_part += partial.exists() and partial.stat().st_size > 0
                assert not output.exists() or output.read_bytes() == expected
                continue
            assert process.wait(timeout=120) == 0
            break
        assert output.read_bytes() == expected
        assert not partial.exists()
    assert kills_with_a_part >= KILLS // 3
    print(f"{kills} kills in {rounds} rounds, {kills_with_a_part} of them amid the output")
