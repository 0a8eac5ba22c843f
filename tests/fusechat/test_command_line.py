"""Flags, config files and exit statuses."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from fusechat.command_line import StepArgs, parse_args
from fusechat.errors import BadInput


@dataclass(kw_only=True)
class Args(StepArgs):
    """Settings of a pretended step."""

    prompts: list[str]
    """Prompt files."""
    output: Path = Path("x.jsonl")
    """Output."""
    learning_rate: float = 1.0
    """Peak learning rate."""
    margin: tuple[float, float] = (0.01, 0.1)
    """Window."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision."""


def config(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(textwrap.dedent(text))
    return str(path)


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path):
    path = config(tmp_path, "learning-rate: 5e-6\nmargin: [0.02, 0.2]\nprompts: [a.jsonl]\noutput: y.jsonl\n")
    args = parse_args(Args, ["--config", path, "--margin", "0.03", "0.3"])
    assert (args.learning_rate, args.margin, args.prompts, args.output) == (
        5e-6,
        (0.03, 0.3),
        ["a.jsonl"],
        Path("y.jsonl"),
    )
    assert args.dtype == "float32"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning-rates: 1\n", "unknown setting learning_rates; known are: dtype"),
        ("learning-rate: fast\n", "learning_rate: "),
        ("dtype: float16\n", "dtype: Invalid enum value"),
        ("margin: [1, 2, 3]\n", "margin: "),
        ("a: b: c\n", "is not valid YAML"),
        ("- a\n", "holds a list"),
        ("config: other.yaml\n", "unknown setting config"),
        ("margin: [1, 2]\nlearning-rate: 1\nlearning_rate: 2\n", "learning_rate comes twice"),
    ],
)
def test_a_bad_config_file_is_one_clear_line(tmp_path, text, expected):
    path = config(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        parse_args(Args, ["--config", path, "--prompts", "a"])
    assert (
        str(caught.value).startswith(path) and expected in str(caught.value) and "\n" not in str(caught.value)
    )


def test_a_missing_config_file_is_named():
    with pytest.raises(BadInput, match=r"nowhere\.yaml: cannot be read"):
        parse_args(Args, ["--config", "nowhere.yaml"])


@pytest.mark.parametrize(
    "argv", [["--prompts", "a", "--outpu", "b"], [], ["--prompts", "a", "--margin", "1"]]
)
def test_wrong_flags_end_with_status_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_args(Args, argv)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ("pass", 0, ""),
        ("raise BadInput('a.jsonl:3: text: is missing')", 2, "error: a.jsonl:3: text: is missing\n"),
        ("raise KeyboardInterrupt", 130, "interrupted: the same command goes on"),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)", 130, "interrupted"),
        ("1 / 0", 1, "ZeroDivisionError"),
        (
            "raise OSError(errno.ENOSPC, 'No space left on device')",
            2,
            "make room, then the same command goes on",
        ),
        ("open('x' * 300)", 2, "xxx: File name too long; mend the path"),
        ("raise OSError(errno.ECHILD, 'No child processes')", 1, "No child processes"),
    ],
)
def test_exit_statuses_are_as_promised(body, status, told):
    code = (
        "import errno, os, signal, time\nfrom fusechat.command_line import run\nfrom fusechat.errors import BadInput\n"
        f"def main():\n    {body}\nrun(main)\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert finished.returncode == status
    assert told in finished.stderr
    assert ("Traceback" in finished.stderr) == (status == 1)


def test_two_config_files_are_refused(tmp_path):
    path = config(tmp_path, "learning-rate: 1\n")
    with pytest.raises(BadInput, match="--config: comes 2 times"):
        parse_args(Args, ["--config", path, f"--config={path}", "--prompts", "a"])


PRINTS = "from fusechat.command_line import run\nrun(lambda: print('ä' * 100_000))\n"


def test_a_reader_that_goes_away_and_a_full_disk_behind_the_output_are_one_line():
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full:
        for target, told in ((writer, "standard output: Broken pipe"), (full, "No space left on device")):
            finished = subprocess.run(
                [sys.executable, "-c", PRINTS], stdout=target, stderr=subprocess.PIPE, text=True, timeout=60
            )
            assert finished.returncode == 2
            assert told in finished.stderr and finished.stderr.count("\n") == 1
    os.close(writer)


def test_text_that_the_terminals_encoding_lacks_is_printed_escaped():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    finished = subprocess.run(
        [sys.executable, "-c", PRINTS], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (finished.returncode, finished.stdout) == (0, r"\xe4" * 100_000 + "\n")
