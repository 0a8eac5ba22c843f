"""MMLU-redux 2.0, re-annotated questions of all 57 subjects (edinburgh-dawg/mmlu-redux-2.0): another set than `mmlu_redux`.

Of its 5,700 questions those without a fault count, and those whose wrong key has a letter as its correction. Asked and
scored as `mmlu_redux`.
"""

from evaluation.benchmark import Item
from evaluation.benchmarks import mmlu_redux
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles

TITLE = "MMLU-redux 2.0"
SCALE = 100.0
REPOSITORY = "edinburgh-dawg/mmlu-redux-2.0"
DOWNLOADS = (HubFiles(REPOSITORY, ("*/data-*", "*/test*")), *mmlu_redux.DOWNLOADS[1:])

generating = mmlu_redux.generating
score = mmlu_redux.score


def load(sources: Sources) -> list[Item]:
    """Questions by subject."""
    request = mmlu_redux.request_of(sources)
    rows = mmlu_redux.corrected_rows(sources, REPOSITORY)
    return [mmlu_redux.item_of(row, request, "mmlu_redux_2") for row in rows]
