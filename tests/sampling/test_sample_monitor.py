"""What a sampling run tells W&B: rates, the share cut by length, and twenty sample answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fusechat.records import Response
from fusechat.tracking import NoTracker
from sampling.monitor import SamplingMonitor


class RecordingTracker(NoTracker):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.logs: list[Mapping[str, Any]] = []
        self.tables: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = {}

    def log(self, figures: Mapping[str, Any], *, step: int | None = None) -> None:
        self.logs.append(figures)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.tables[name] = (columns, rows)


def response(number: int) -> Response:
    return Response(
        response_id=f"p:{number}", prompt_id="p", source="s", sample_index=number, text=f"text {number}",
        finish_reason="length" if number % 4 == 0 else "stop", num_tokens=10,
    )  # fmt: skip


def test_rates_cut_share_and_twenty_different_answers_go_to_the_tracker() -> None:
    tracker = RecordingTracker()
    with SamplingMonitor(120, 20, tracker, "sample s") as monitor:
        for number in range(100):
            monitor.saw(response(number))
    last = tracker.logs[-1]
    assert last["answers"] == 120  # 20 of them from an earlier run
    assert last["cut_by_length"] == 0.25
    # Ten tokens an answer, and one reading of the clock for both rates.
    assert last["tokens_per_second"] == pytest.approx(10 * last["answers_per_second"])
    columns, rows = tracker.tables["examples"]
    assert columns == ["response_id", "finish_reason", "num_tokens", "text"]
    assert len({row[0] for row in rows}) == 20
    # Drawn from the whole run, not its first twenty.
    assert sum(int(row[0].split(":")[1]) >= 20 for row in rows) >= 10


def test_fewer_answers_than_twenty_are_all_shown() -> None:
    tracker = RecordingTracker()
    with SamplingMonitor(3, 0, tracker, "sample s") as monitor:
        for number in range(3):
            monitor.saw(response(number))
    assert [row[0] for row in tracker.tables["examples"][1]] == ["p:0", "p:1", "p:2"]


def test_the_examples_reach_a_wandb_run(tmp_path: Path) -> None:
    """Offline, as where nobody is logged in: the run's file holds the table."""
    from fusechat.tracking import start_tracking

    tracker = start_tracking("wandb", step="sample", name="x", config={}, directory=tmp_path)
    with SamplingMonitor(30, 0, tracker, "sample s") as monitor:
        for number in range(30):
            monitor.saw(response(number))
    tracker.finish()
    (table,) = tmp_path.glob("wandb/offline-run-*/files/media/table/examples_*.table.json")
    assert table.read_text(encoding="utf-8").count('"text ') == 20
