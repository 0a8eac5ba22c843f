"""composition.json, composition.md and the pictures: figures worked out by hand on a small run."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pair_files import response_rows, write_run

from scoring import make_pairs
from scoring.pairing.composition import correlation, length_histogram
from scoring.pairing.composition_markdown import table

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of one small run with the paper preset."""
    run = tmp_path_factory.mktemp("composition")
    flags = write_run(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["make_pairs.py", *flags, "--preset", "paper"])
        make_pairs.main()
    return run / "pairs"


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Any]:
    """composition.json."""
    content: dict[str, Any] = json.loads((folder / "composition.json").read_text(encoding="utf-8"))
    return content


def test_counts_of_every_dataset_are_those_worked_out_by_hand(figures: dict[str, Any]) -> None:
    names = ("prompts", "selected", "sft", "dpo", "both", "unused")
    counts = {row["domain"]: tuple(row[name] for name in names) for row in figures["datasets"]}
    assert counts == {
        "instruction": (10, 10, 4, 6, 0, 0),
        "math": (4, 4, 1, 1, 0, 2),
        "code": (4, 4, 3, 1, 1, 1),
        "chinese": (2, 2, 2, 0, 0, 0),
    }
    unused = {row["domain"]: row["unused_by_reason"] for row in figures["datasets"]}
    assert unused["math"] == {"margin negative": 1, "no correct answer": 1}
    assert unused["code"] == {"no answer passes": 1}


def test_the_columns_of_the_table_add_up(figures: dict[str, Any]) -> None:
    for row in [*figures["datasets"], figures["total"]]:
        assert row["prompts"] == row["selected"] + row["not_selected"]
        assert row["selected"] == row["sft"] + row["dpo_prompts"] + row["unused"] - row["both"]
    for name in ("prompts", "selected", "sft", "dpo", "unused"):
        assert figures["total"][name] == sum(row[name] for row in figures["datasets"])
    assert figures["total"]["entries"] == 18


def test_the_reports_figures_stand_beside_ours(figures: dict[str, Any], folder: Path) -> None:
    leetcode = next(row for row in figures["datasets"] if row["domain"] == "code")
    assert leetcode["report"] == {"selected": 3113, "sft": 1877, "dpo": 1236}
    markdown = (folder / "composition.md").read_text(encoding="utf-8")
    line = next(line for line in markdown.split("\n") if "openbmb/UltraFeedback" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        "openbmb/UltraFeedback", "10", "10 (51,098)", "4 (20,439)", "6 (30,659)", "0", "0",
        "General & Instruction following",
    ]  # fmt: skip


def test_shares_of_sources_count_rows(figures: dict[str, Any]) -> None:
    """10 SFT rows: 4 instruction, 1 maths, 2 + 1 code, 2 Chinese, of which code-3 alone is bob's; 8 pairs of ann."""
    ann, bob = figures["sources"]
    assert (ann["source"], ann["answers"], ann["sft"], ann["chosen"], ann["rejected"]) == ("ann", 56, 9, 8, 8)
    assert (bob["source"], bob["answers"], bob["sft"], bob["chosen"], bob["rejected"]) == ("bob", 54, 1, 0, 0)
    assert ann["sft_share"] == pytest.approx(0.9)
    assert ann["chosen_share"] == 1.0


def test_win_share_counts_common_prompts_and_best_answers(figures: dict[str, Any]) -> None:
    """ann's best, 0.2, beats bob's, 0.195, in all 18 prompts that both answered."""
    assert figures["win_shares"] == [
        {"source": "ann", "against": "bob", "prompts": 18, "ties": 0, "win_share": 1.0}
    ]


def test_margins_and_lengths_count_every_pair(figures: dict[str, Any]) -> None:
    """All margins are 0.06; every rejected answer has two dots more than the chosen one."""
    assert figures["margins"]["all"]["pairs"] == sum(figures["margins"]["all"]["counts"]) == 8
    assert figures["margins"]["all"]["mean"] == pytest.approx(0.06)
    assert set(figures["margins"]) == {"all", "instruction", "math", "code"}
    lengths = figures["lengths_in_characters"]
    assert {name: sum(lengths[name]["counts"]) for name in lengths} == {"sft": 10, "chosen": 8, "rejected": 8}
    text_of = {row["response_id"]: row["text"] for row in response_rows()}
    assert lengths["rejected"]["mean"] == pytest.approx(lengths["chosen"]["mean"] + 2)
    assert lengths["chosen"]["mean"] == pytest.approx(
        sum(len(text_of[f"{p}:ann:0"]) for p in paired_prompts(figures)) / 8, abs=1
    )
    assert figures["length_bias"]["all"]["share_of_pairs_with_longer_chosen"] == 0.0
    assert figures["length_bias"]["all"]["correlation_of_length_and_chosen"] < 0


def paired_prompts(figures: dict[str, Any]) -> list[str]:
    """Six instruction prompts (equally long but for the number), one of maths, one of code."""
    return [*(f"instruction-{number}" for number in range(6)), "math-0", "code-0"]


def test_settings_are_recorded(figures: dict[str, Any]) -> None:
    assert figures["rules"]["margin"] == [0.01, 0.1]
    assert figures["rules"]["code_reuse_prompts"] == ["greengerong/leetcode"]


def test_three_pictures_are_drawn(folder: Path) -> None:
    pictures = sorted(folder.glob("*.png"))
    assert [picture.stem for picture in pictures] == [
        "composition_length_chosen_rejected", "composition_margin_by_dataset", "composition_rm_score_by_source",
    ]  # fmt: skip
    assert all(picture.read_bytes().startswith(PNG) for picture in pictures)


def test_correlation_is_pearsons_and_none_without_variation() -> None:
    """(1, 2, 3) with (1, 3, 2): covariance 1/3 over variances 2/3 gives 0.5."""
    assert correlation(np.array([1, 2, 3]), np.array([1, 3, 2])) == pytest.approx(0.5)
    assert correlation(np.array([1, 1]), np.array([0, 1])) is None
    assert correlation(np.array([]), np.array([])) is None


def test_length_histogram_counts_every_text_once() -> None:
    """Edges 0, 32, 64, ...: 31 falls into the first bin, 32 into the second, a million into the open last one."""
    figures = length_histogram(np.array([31, 32, 1_000_000]))
    assert (figures["counts"][0], figures["counts"][1], figures["counts"][-1]) == (1, 1, 1)
    assert length_histogram(np.array([])) == {"texts": 0}


def test_a_bar_in_a_name_does_not_break_the_table() -> None:
    assert table(["a"], [["x|y"]]).split("\n")[-1] == "| x\\|y |"


class Recorder:
    """A tracker that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def log(self, figures: dict[str, Any], *, step: int | None = None) -> None:
        """Remembers the names of the figures."""
        self.told += figures

    def table(self, name: str, columns: list[str], rows: list[list[Any]]) -> None:
        """Remembers the table's name; every row must fit the columns."""
        assert all(len(row) == len(columns) for row in rows)
        self.told.append(name)

    def image(self, name: str, path: Path) -> None:
        """Remembers the picture's name."""
        assert path.is_file()
        self.told.append(name)

    def finish(self) -> None:
        """Remembers the end."""
        self.told.append("finished")


def test_the_tracker_gets_counts_tables_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(make_pairs, "start_tracking", lambda *_, **__: recorder)
    monkeypatch.setattr(sys, "argv", ["make_pairs.py", *write_run(tmp_path)])
    make_pairs.main()
    assert {"pairs/sft", "pairs/dpo", "composition", "sources", "finished"} <= set(recorder.told)
    assert sum(name.startswith("composition_") for name in recorder.told) == 3
    assert recorder.told[-1] == "finished"
