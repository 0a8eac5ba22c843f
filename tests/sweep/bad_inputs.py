"""Each bad input of the contract, for every input flag of a step: a line that names it, status 2, no output."""

import json
from collections.abc import Iterator
from pathlib import Path

from sweep.faults import EXIT_BAD_INPUT, Bench, Outcome
from sweep.launching import finished
from sweep.materials import write_rows
from sweep.steps import NEEDED_FIELD, Kind, Step

MOST_LINES = 12  # of output: progress, notes and the message itself


def bad_inputs(bench: Bench, outcome: Outcome) -> None:
    """Tries all of them."""
    folder = bench.folder / "bad inputs"
    folder.mkdir(exist_ok=True)
    for name, step, named in variants(bench.step, folder):
        output = bench.new_output("from bad input")
        status, text = finished(step.command(output), bench.log())
        outcome.count(_complaint(bench, name, output, status, text, named))


def _complaint(bench: Bench, name: str, output: Path, status: int, text: str, named: str) -> str | None:
    error = text[text.find("error: ") :]
    if status != EXIT_BAD_INPUT or "Traceback" in text:
        return f"{name}: ends with {status}: {text.strip()[-400:]}"
    if named not in error or len(text.splitlines()) > MOST_LINES:
        return f"{name}: does not name {named}: {text.strip()[-400:]}"
    if bench.step.results(output):
        return f"{name}: left {sorted(bench.step.results(output))}"
    return None


def variants(step: Step, folder: Path) -> Iterator[tuple[str, Step, str]]:
    """(name, the step with a bad input, what its message must name)."""
    for flag, kind in step.records.items():
        yield from _bad_records(step, flag, kind, folder)
    for flag in step.models:
        (model,) = step.arguments[flag]
        for fault in ("without-weights", "without-template"):
            yield f"model {fault}", step.with_input(flag, f"{model}-{fault}"), f"{model}-{fault}: "
        yield "model missing", step.with_input(flag, folder / "no model"), "no model: "
    config = folder / "config.yaml"
    config.write_text("no-such-setting: 1\n", encoding="utf-8")
    yield "unknown setting", step.with_input("--config", config), "unknown setting no_such_setting"
    if "--data-root" in step.arguments:
        yield "no data", step.with_input("--data-root", folder / "nowhere"), "nowhere"
    if "--run-dir" in step.arguments:
        yield "no run", step.with_input("--run-dir", folder / "nowhere"), "nowhere"


def _bad_records(step: Step, flag: str, kind: Kind, folder: Path) -> Iterator[tuple[str, Step, str]]:
    rows = [
        json.loads(line)
        for path in step.arguments[flag]
        for line in Path(path).read_text(encoding="utf-8").split("\n")
        if line
    ]
    needed = NEEDED_FIELD[kind]
    last = rows[-1]
    without = {name: value for name, value in last.items() if name != needed}
    contents: dict[str, tuple[list[dict[str, object] | str], str]] = {
        "broken JSON": ([*rows[:-1], json.dumps(last)[:-9]], f":{len(rows)}: "),
        "missing field": ([*rows[:-1], without], f":{len(rows)}: {needed}: "),
        "wrong type": ([*rows[:-1], {**last, needed: 7}], f":{len(rows)}: {needed}: "),
        "empty file": ([], ": is empty"),
    }
    if kind == "prompts":
        contents["unknown domain"] = ([*rows[:-1], {**last, "domain": "maths"}], f":{len(rows)}: domain: ")
        contents["duplicate prompt_id"] = ([*rows, rows[0]], f":{len(rows) + 1}: prompt_id: ")
    if kind == "responses":
        contents["unknown prompt"] = ([*rows[:-1], {**last, "prompt_id": "p?"}], f":{len(rows)}: prompt_id: ")
    for name, (content, where) in contents.items():
        path = write_rows(folder / f"{kind} {name}.jsonl", content)
        yield f"{flag} {name}", step.with_input(flag, path), f"{path}{where}"
    missing = folder / "not there.jsonl"
    yield f"{flag} missing file", step.with_input(flag, missing), f"{missing}: no such file"
    write_rows(folder / f"{kind} shards" / "x-00000-of-00002.jsonl", rows)
    shards = folder / f"{kind} shards"
    yield (
        f"{flag} missing shard",
        step.with_input(flag, shards),
        "x-00001-of-00002.jsonl: this shard is missing",
    )
