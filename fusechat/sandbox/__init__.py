"""Runs code answers against tests, isolated, with verdicts that the answer cannot forge.

The answer runs in one process, the tests in another; they exchange plain data over a socket pair, and every
comparison happens on the tests' side. Both run under the best isolation that the machine offers (see isolation.py).

    from fusechat.sandbox import Case, CodeTests, Limits, Sandbox, judge

    judge("def add(a, b): return a + b", ["assert add(1, 2) == 3"]).passed
    with Sandbox(isolation="auto", workers=2) as sandbox:
        for verdict in sandbox.judge_all(cases):
            print(verdict.case_id, verdict.verdict, verdict.reason)

What it does not stop: flaws of the kernel, side channels of the processor, an answer that knows the expected values
from its prompt, and what the answer says about objects of its own classes that the tests name (two of them compared
with each other, their arithmetic, their length). For code that may attack the kernel use a throw-away machine.
"""

from .cases import Case, CodeTests, Limits, Verdict
from .isolation import Unavailable
from .pool import Isolation, Sandbox, judge

__all__ = ["Case", "CodeTests", "Isolation", "Limits", "Sandbox", "Unavailable", "Verdict", "judge"]
