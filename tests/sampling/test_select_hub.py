"""Datasets from the Hub, with the Hub's client replaced: what is asked of it, and what its faults become."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pytest

from fusechat.errors import BadInput
from fusechat.progress import Progress
from sampling.selection.candidate_pool import CandidatePool
from sampling.selection.gathering import DataSource, gather
from sampling.selection.hub_rows import read_hub_rows, resolve_commit
from sampling.selection.layouts import BY_NAME, HELPSTEER2, ULTRAFEEDBACK
from sampling.selection.settings import DatasetSettings

ULTRA, HELPSTEER = BY_NAME[ULTRAFEEDBACK], BY_NAME[HELPSTEER2]


class Hub:
    """Stands for the Hub: keeps what was asked, gives the rows it was made with."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows, self.asked = rows, dict[str, Any]()

    def load_dataset(self, name: str, **settings: Any) -> Any:
        self.asked = {"name": name, **settings}
        return datasets.Dataset.from_list(self.rows).to_iterable_dataset()


def rows_from(
    monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]
) -> tuple[Hub, list[tuple[Any, ...]]]:
    hub = Hub(rows)
    monkeypatch.setattr(datasets, "load_dataset", hub.load_dataset)
    return hub, [row for batch in read_hub_rows(ULTRA, ["train"], "abc123") for row in batch]


def test_rows_are_streamed_at_the_commit_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, rows = rows_from(
        monkeypatch, [{"source": "flan", "instruction": "Hi", "models": ["a"]}, {"instruction": None}]
    )
    assert hub.asked == {"name": ULTRAFEEDBACK, "split": "train", "streaming": True, "revision": "abc123"}
    assert rows == [("Hi", "flan"), (None, None)]


def test_a_changed_column_of_the_hub_is_named_with_its_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        BadInput, match=r"openbmb/UltraFeedback at abc123: column 'instruction' is missing .*prompt"
    ):
        rows_from(monkeypatch, [{"prompt": "Hi"}])
    with pytest.raises(BadInput, match="'instruction': holds a list, not text"):
        rows_from(monkeypatch, [{"instruction": ["Hi"]}])


def test_a_gated_dataset_names_its_licence_page_and_the_local_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    def gated(*_: Any, **__: Any) -> Any:
        raise PermissionError("403 Client Error: access to this dataset is restricted")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", gated)
    with pytest.raises(BadInput) as caught:
        resolve_commit(HELPSTEER, "main")
    for words in (
        "403",
        "https://huggingface.co/datasets/nvidia/HelpSteer2",
        "CC-BY-4.0",
        "hf auth login",
        "--data-root",
    ):
        assert words in str(caught.value)


def test_a_connection_that_breaks_on_the_way_is_told_and_not_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Breaking:
        def iter(self, batch_size: int) -> Iterator[dict[str, list[Any]]]:
            yield {"instruction": ["Hi"], "source": ["flan"]}
            raise ConnectionError("connection reset by peer")

    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: Breaking())
    batches = read_hub_rows(ULTRA, ["train"], "abc123")
    assert next(batches) == [("Hi", "flan")]
    with pytest.raises(BadInput, match="connection reset"):
        next(batches)


def test_hub_rows_go_through_the_same_filter_as_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = Hub(
        [
            {"instruction": "Solve for x: 2x = 4."},
            {"instruction": "Name a river."},
            {"instruction": " name a river."},
        ]
    )
    monkeypatch.setattr(datasets, "load_dataset", hub.load_dataset)
    settings = DatasetSettings(excluded_topics=["code", "math"])
    source = DataSource(ULTRA, commit="abc123", splits=("train",))
    with CandidatePool(tmp_path) as pool, Progress(None, unit="rows", description="x") as progress:
        tally = gather(source, settings, pool, 1, progress)
        assert (tally.read, dict(tally.dropped), len(pool)) == (3, {"math by text": 1, "duplicate": 1}, 1)
