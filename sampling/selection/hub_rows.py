"""Rows straight from the Hugging Face Hub: streamed, at a commit that is recorded."""

from collections.abc import Iterator, Sequence
from typing import Any

from fusechat.errors import BadInput
from sampling.selection.layouts import Layout
from sampling.selection.row_readers import PYTHON_TYPES, Rows, check_hub_columns, columns_to_rows

BATCH_ROWS = 2048


def resolve_commit(layout: Layout, revision: str) -> str:
    """The commit that a branch, tag or commit of the dataset names now. BadInput where the Hub has no answer."""
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(layout.dataset, revision=revision, timeout=30).sha
    except Exception as error:  # the hub client raises its own, requests', httpx' and urllib3's errors
        raise unreachable(layout, revision, error) from None
    return commit or revision


def read_hub_rows(layout: Layout, splits: Sequence[str], commit: str) -> Iterator[Rows]:
    """Batches of rows of the splits, streamed: nothing but the batch at hand is in memory."""
    for split in splits:
        columns_checked = False
        for batch in _batches(layout, split, commit):
            if not columns_checked:
                check_hub_columns(list(batch), layout, commit)
                columns_checked = True
            yield _checked_rows(batch, layout)
        if not columns_checked:
            raise BadInput(f"{layout.dataset}: split {split!r} has no rows at {commit}")


def _batches(layout: Layout, split: str, commit: str) -> Iterator[dict[str, list[Any]]]:
    """The library's batches; whatever goes wrong on the way there, the message says what to do."""
    import datasets

    try:
        table = datasets.load_dataset(layout.dataset, split=split, streaming=True, revision=commit)
        yield from table.iter(batch_size=BATCH_ROWS)
    except Exception as error:  # the hub client's, requests', httpx', urllib3's and pyarrow's errors
        raise unreachable(layout, commit, error) from None


def _checked_rows(batch: dict[str, list[Any]], layout: Layout) -> Rows:
    columns = {name: batch[name] for name in layout.all_columns if name in batch}
    for name, values in columns.items():
        kind = layout.all_columns[name]
        for value in values:
            if value is not None and not isinstance(value, PYTHON_TYPES[kind]):
                found = type(value).__name__
                raise BadInput(
                    f"{layout.dataset}: column {name!r}: holds a {found}, not {kind}; {layout.expected}"
                )
    return columns_to_rows(columns, layout, len(next(iter(batch.values()))))


def unreachable(layout: Layout, revision: str, error: Exception) -> BadInput:
    """What to do about a dataset that the Hub does not give: licence page, login, or the local layout wanted."""
    what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return BadInput(
        f"{layout.dataset} at {revision}: cannot be read from the Hub ({what}). Read its licence "
        f"({layout.licence}) at {layout.page}, agree there if it asks, and log in with `hf auth login`; or download "
        f"it and put {layout.local_files} into DIR/{layout.dataset}/ with --data-root DIR"
    )
