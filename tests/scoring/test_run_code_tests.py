"""scoring/run_code_tests.py: one verdict for each code answer, resumable, with clear errors."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scoring" / "run_code_tests.py"
GOOD = "Here:\n```python\ndef add(a, b):\n    return a + b\n```\n"
ADD = {"asserts": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"], "setup": "", "entry_point": "add"}


def prompt(prompt_id: str, tests: Any, domain: str = "code") -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Write add ({prompt_id})."}]
    return {"prompt_id": prompt_id, "dataset": "d", "domain": domain, "messages": messages, "tests": tests}


def response(prompt_id: str, index: int, text: str) -> dict[str, Any]:
    return {
        "response_id": f"{prompt_id}:s:{index}", "prompt_id": prompt_id, "source": "s", "sample_index": index,
        "text": text, "finish_reason": "stop", "num_tokens": 1, "seed": 0,
    }  # fmt: skip


def write(folder: Path, prompts: list[dict[str, Any]], responses: list[dict[str, Any]]) -> None:
    for name, rows in (("prompts", prompts), ("responses", responses)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def command(folder: Path, *flags: str) -> list[str]:
    return [
        sys.executable, str(SCRIPT), "--prompts", str(folder / "prompts.jsonl"), "--responses",
        str(folder / "responses.jsonl"), "--output", str(folder / "code_tests.jsonl"), "--report-to", "none",
        "--timeout", "3", *flags,
    ]  # fmt: skip


def judged(folder: Path, *flags: str) -> tuple[dict[str, dict[str, Any]], str]:
    """Records by id, in order, and what the script printed."""
    done = subprocess.run(command(folder, *flags), capture_output=True, text=True, cwd="/", timeout=200)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (folder / "code_tests.jsonl").read_text().splitlines()]
    return {row["response_id"]: row for row in rows}, done.stdout


def test_verdicts_of_all_kinds_come_in_input_order_with_the_fields_of_the_record(tmp_path: Path) -> None:
    program = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"
    write(
        tmp_path,
        [
            prompt("p1", ADD),
            prompt("none", None),
            prompt("maths", None, "math"),
            prompt("io", {"stdin_stdout": [{"stdin": "1 2\n", "stdout": "3\n"}]}),
            prompt("cases", {"entry_point": "add", "cases": [{"args": [1, 2], "kwargs": {}, "expected": 3}]}),
            prompt("text", "assert add(1, 2) == 3"),
            prompt("broken", ["assert add("]),
        ],
        [
            response("p1", 0, GOOD),
            response("p1", 1, GOOD.replace("+", "-")),
            response("p1", 2, "I would rather not."),
            response("p1", 3, "```python\ndef add(a, b): return (\n```"),
            response("p1", 4, "```python\ndef add(a, b):\n    while True: pass\n```"),
            response("p1", 5, "```python\nimport os\ndef add(a, b): os._exit(0)\n```"),
            response("p1", 6, "```java\nint add;\n```"),
            response("p1", 7, GOOD),
            response("none", 0, GOOD),
            response("maths", 0, "3"),
            response("io", 0, program),
            response("cases", 0, GOOD),
            response("text", 0, GOOD),
            response("broken", 0, GOOD),
            response("p1", 8, "```python\nx = '\x00'\n```"),
        ],
    )
    rows, printed = judged(tmp_path, "--workers", "2")
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "p1:s:0": "pass", "p1:s:1": "fail", "p1:s:2": "no_code", "p1:s:3": "error", "p1:s:4": "timeout",
        "p1:s:5": "error", "p1:s:6": "no_code", "p1:s:7": "pass", "none:s:0": "bad_tests", "io:s:0": "pass",
        "cases:s:0": "pass", "text:s:0": "pass", "broken:s:0": "bad_tests", "p1:s:8": "fail",
    }  # fmt: skip
    assert list(rows)[:3] == ["p1:s:0", "p1:s:1", "p1:s:2"] and list(rows)[-1] == "p1:s:8"
    failed = rows["p1:s:1"]
    assert (failed["reason"], failed["passed_tests"], failed["total_tests"]) == ("assertion", 1, 2)
    assert failed["first_failure"] == {
        "index": 0,
        "type": "AssertionError",
        "message": "assert add(1, 2) == 3",
    }
    assert (
        failed["isolation"] in ("A", "B")
        and failed["channel"] == "two_process"
        and failed["blocks_used"] == [0]
    )
    assert rows["p1:s:3"]["reason"] == "syntax" and rows["p1:s:5"]["reason"] == "exit:0"
    assert rows["p1:s:0"]["code_sha256"] == rows["p1:s:7"]["code_sha256"]
    assert "skipped (prompt of another domain): 1" in printed and "pass: 5" in printed
    assert "same code and tests as an earlier answer: 1" in printed


def test_the_number_of_workers_does_not_change_the_verdicts(tmp_path: Path) -> None:
    answers = [GOOD.replace("a + b", f"a + b + ({n} % 3)") for n in range(12)]
    write(tmp_path, [prompt("p", ADD)], [response("p", n, text) for n, text in enumerate(answers)])
    one, _ = judged(tmp_path, "--workers", "1")
    many, _ = judged(tmp_path, "--workers", "3", "--overwrite")
    assert [(name, row["verdict"]) for name, row in one.items()] == [
        (name, row["verdict"]) for name, row in many.items()
    ]


def test_a_killed_run_goes_on_and_ends_with_every_answer_once(tmp_path: Path) -> None:
    slow = "```python\nimport time\ndef add(a, b):\n    time.sleep(0.1)\n    return a + b + {}\n```"
    write(tmp_path, [prompt("p", ADD)], [response("p", n, slow.format(n)) for n in range(30)])
    process = subprocess.Popen(
        command(tmp_path, "--workers", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    partial = tmp_path / "code_tests.jsonl.partial"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (partial.exists() and partial.read_bytes().count(b"\n") >= 4):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    with partial.open("ab") as file:
        file.write(b'{"response_id": "p:s:99", "verd')
    rows, printed = judged(tmp_path, "--workers", "2")
    assert "going on after" in printed
    assert list(rows) == [f"p:s:{n}" for n in range(30)]
    assert rows["p:s:0"]["verdict"] == "pass" and {rows[f"p:s:{n}"]["verdict"] for n in range(1, 30)} == {
        "fail"
    }


def test_a_finished_output_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, [prompt("p", ADD)], [response("p", 0, GOOD)])
    judged(tmp_path)
    before = (tmp_path / "code_tests.jsonl").stat().st_mtime_ns
    _, printed = judged(tmp_path)
    assert "complete already" in printed and (tmp_path / "code_tests.jsonl").stat().st_mtime_ns == before


def test_the_word_none_is_needed_to_run_without_isolation_and_is_stamped(tmp_path: Path) -> None:
    write(tmp_path, [prompt("p", ADD)], [response("p", 0, GOOD)])
    rows, _ = judged(tmp_path, "--isolation", "none")
    assert rows["p:s:0"]["isolation"] == "none" and rows["p:s:0"]["verdict"] == "pass"


def test_without_any_isolation_the_script_stops_with_status_2_and_says_the_ways_out(tmp_path: Path) -> None:
    write(tmp_path, [prompt("p", ADD)], [response("p", 0, GOOD)])
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import fusechat.sandbox.pool as pool\n"
        "def probe(level):\n    raise pool.Unavailable(f'{level} was taken away')\n"
        "pool.probe = probe\n"
    )
    root = str(SCRIPT.parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(hook), root])}
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2
    assert "A was taken away" in done.stderr and "B was taken away" in done.stderr
    assert "--isolation none" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "code_tests.jsonl").exists()


@pytest.mark.parametrize("flags", [["--workers", "0"], ["--timeout", "-1"], ["--isolation", "C"]])
def test_impossible_settings_end_with_status_2(tmp_path: Path, flags: list[str]) -> None:
    write(tmp_path, [prompt("p", ADD)], [response("p", 0, GOOD)])
    done = subprocess.run(command(tmp_path, *flags), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr
