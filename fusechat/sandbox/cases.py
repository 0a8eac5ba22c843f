"""What goes into the sandbox and what comes out: a case with its limits, and a verdict."""

import dataclasses
import hashlib
import json
from typing import Any, Literal

RUNNER_VERSION = "1"
VerdictWord = Literal["pass", "fail", "error", "timeout", "no_code", "bad_tests"]


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of one case. Wall and CPU time: of one run, that is all assert tests together or one stdin/stdout pair."""

    wall_s: float = 10.0
    cpu_s: float = 10.0
    load_s: float = 5.0
    memory_mb: int = 1024
    processes: int = 64
    file_mb: int = 8
    scratch_mb: int = 64
    descriptors: int = 64

    @property
    def id(self) -> str:
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclasses.dataclass(frozen=True)
class CodeTests:
    """Tests of one program: any of assert sources, calls with expected values, and stdin/stdout pairs."""

    asserts: tuple[str, ...] = ()
    setup: str = ""
    entry_point: str | None = None
    cases: tuple[dict[str, Any], ...] = ()
    stdin_stdout: tuple[dict[str, str], ...] = ()

    @classmethod
    def of(cls, tests: Any) -> "CodeTests":
        """From a record's `tests`: a string, a list of strings, or an object (dict or struct) of this one's fields."""
        if isinstance(tests, str):
            return cls(asserts=(tests,) if tests.strip() else ())
        if isinstance(tests, (list, tuple)):
            return cls(asserts=tuple(tests))
        get = (
            tests.get if isinstance(tests, dict) else lambda name, default=None: getattr(tests, name, default)
        )
        cases = [_fields(case, ("args", "kwargs", "expected")) for case in get("cases") or ()]
        pairs = [_fields(pair, ("stdin", "stdout")) for pair in get("stdin_stdout") or ()]
        for case in cases:
            case["args"] = list(case["args"] or ())
            case["kwargs"] = dict(case["kwargs"] or {})
        asserts = get("asserts") or ()
        return cls(
            asserts=(asserts,) if isinstance(asserts, str) else tuple(asserts),
            setup=get("setup") or "",
            entry_point=get("entry_point") or None,
            cases=tuple(cases),
            stdin_stdout=tuple(pairs),
        )

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @property
    def total(self) -> int:
        return len(self.asserts) + len(self.cases) + len(self.stdin_stdout)

    def problem(self) -> str | None:
        """What is wrong with the tests before anything runs; None if nothing is."""
        if self.total == 0 or not (
            self.cases or self.stdin_stdout or any(text.strip() for text in self.asserts)
        ):
            return "there are no tests"
        if self.cases and not self.entry_point:
            return "cases are given without an entry_point"
        if self.stdin_stdout and (self.asserts or self.cases):
            return "stdin_stdout cannot be mixed with asserts or cases"
        return None


def _fields(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(value, dict):
        return {name: value.get(name) for name in names}
    return {name: getattr(value, name) for name in names}


@dataclasses.dataclass(frozen=True)
class Case:
    """One answer to judge. `blocks` are its code blocks in order; `whole_text` says they are the unfenced answer."""

    case_id: str
    blocks: tuple[str, ...]
    tests: CodeTests
    limits: Limits = Limits()
    prelude: bool = True
    whole_text: bool = False

    @property
    def code_sha256(self) -> str:
        return digest([list(self.blocks), self.whole_text, self.prelude])

    @property
    def tests_sha256(self) -> str:
        return digest(self.tests.as_dict())

    @property
    def key(self) -> str:
        """Cases with the same key have the same verdict."""
        return f"{self.code_sha256}:{self.tests_sha256}:{self.limits.id}"


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=repr).encode()).hexdigest()


@dataclasses.dataclass
class Verdict:
    """What running a case showed. Only `pass` counts as right."""

    case_id: str
    verdict: VerdictWord
    reason: str | None = None
    passed_tests: int = 0
    total_tests: int = 0
    first_failure: dict[str, Any] | None = None
    static: dict[str, Any] = dataclasses.field(default_factory=dict)
    code_sha256: str = ""
    tests_sha256: str = ""
    blocks_used: list[int] = dataclasses.field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_mb: float = 0.0
    stdout_tail: str = ""
    isolation: str = ""
    channel: str = "two_process"
    limits_id: str = ""
    runner_version: str = RUNNER_VERSION

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"


def printable(text: str, limit: int) -> str:
    """Text of hostile origin: control characters and lone surrogates escaped, cut to `limit` bytes of UTF-8."""
    safe = "".join(
        char
        if char in "\n\t" or (char.isprintable() and not "\ud800" <= char <= "\udfff")
        else ascii(char)[1:-1]
        for char in text[: limit * 2]
    )
    return safe.encode("utf-8")[:limit].decode("utf-8", "ignore")
