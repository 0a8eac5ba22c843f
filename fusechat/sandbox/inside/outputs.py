"""Compares what a program printed with what it should have printed."""

import decimal
import json
import os
import re
from typing import Any

# As programs print them: ASCII digits, no underscores, short enough to compare.
NUMBER = re.compile(r"[+-]?(?=[.]?[0-9])[0-9]{0,400}(?:[.][0-9]{0,400})?(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)


def same_output(printed: str, expected: str) -> bool:
    """Equal by lines, trailing spaces and trailing empty lines off; numbers equal as decimals."""
    left, right = (
        [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")] for text in (printed, expected)
    )
    for lines in (left, right):
        while lines and not lines[-1]:
            lines.pop()
    return len(left) == len(right) and all(
        same_line(one, other) for one, other in zip(left, right, strict=True)
    )


def same_line(one: str, other: str) -> bool:
    """Equal, or equal but for how numbers are written; a line of numbers only may be spaced differently."""
    if one == other:
        return True
    words, others = re.split(r"(\s+)", one), re.split(r"(\s+)", other)
    if all(map(NUMBER.fullmatch, other.split())) and words[0] and others[0]:
        words, others = one.split(), other.split()
    return len(words) == len(others) and all(
        word == expected or same_number(word, expected) for word, expected in zip(words, others, strict=True)
    )


def same_number(word: str, expected: str) -> bool:
    if not (NUMBER.fullmatch(word) and NUMBER.fullmatch(expected)):
        return False
    return decimal.Decimal(word) == decimal.Decimal(expected)


def check_outputs(report: int, pairs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
    """The verdict over all inputs, as one JSON line."""
    passed, first, verdict, reason = 0, None, "pass", None
    for index, (expected, got) in enumerate(zip(pairs, outputs, strict=False)):
        text = bytes.fromhex(got["stdout"]).decode("utf-8", "replace")
        if got["ending"] == "exit:0" and got["all"] and same_output(text, expected["stdout"]):
            passed += 1
            continue
        if got["ending"] == "timeout" or got["ending"] == "cpu":
            verdict, reason, kind = "timeout", "wall" if got["ending"] == "timeout" else "cpu", "timeout"
        elif got["ending"] != "exit:0":
            verdict, reason, kind = "fail", got["ending"], "exit"
        else:
            verdict, reason, kind = "fail", "output", "output"
        message = f"expected {expected['stdout'][:200]!r}, got {text[:200]!r}"
        first = {"index": index, "type": kind, "message": message[:500]}
        break
    if first is None and passed < len(pairs):
        verdict, reason = "error", "runner"
    data = {
        "verdict": verdict,
        "reason": reason,
        "passed": passed,
        "total": len(pairs),
        "first_failure": first,
    }
    os.write(report, json.dumps(data).encode("ascii") + b"\n")
