"""MMLU-redux, 2,778 re-annotated MMLU questions; the answer is a JSON object with a letter, as in ZeroEval.

Data: WildEval/ZeroEval (config mmlu-redux, split test); the right choice is given by its text. The request is
ZeroEval's where its template is below DATA_ROOT, else in words of our own. Score: share of right letters; no answer is wrong.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Tools
from evaluation.dataset_files import Sources
from evaluation.downloads import GitHubFiles, HubFiles
from evaluation.judge import fill
from evaluation.multiple_choice import LETTERS
from evaluation.published_texts import assigned_text
from fusechat.errors import BadInput

TITLE = "MMLU-redux"
SCALE = 100.0
REPOSITORY, TEMPLATE = "WildEval/ZeroEval", "src/templates/MCQA.py"
DOWNLOADS = (
    HubFiles(REPOSITORY, ("mmlu-redux/*",)),
    GitHubFiles(REPOSITORY, "8c1485edf12c6efb5f69135a562927c5ad484059", (TEMPLATE,)),
)
OWN_REQUEST = (
    "Answer this multiple-choice question. Reason first, then choose one option.\n\n"
    "Question:\n{question}\n\nOptions:\n{choices}\n\n"
    "Reply with a JSON object and nothing else. Its keys, in this order: \"reasoning\", your reasoning as a string; "
    "\"answer\", the letter of the option you choose, and only the letter."
)  # fmt: skip

_QUOTED_ANSWER = re.compile(r"[\"']answer[\"']\s*:\s*[\"']([^\"']*)[\"']")
_BARE_ANSWER = re.compile(r"[\"']?answer[\"']?\s*:\s*([^\s,}\"']+)")
_BOXED = re.compile(r"boxed\{(?:\\text\{)?([^{}]*)\}")


def load(sources: Sources) -> list[Item]:
    """Questions in the data's order."""
    columns = ("id", "question", "choices", "correct_answer")
    rows = sources.rows(REPOSITORY, config="mmlu-redux", split="test", columns=columns)
    folder = sources.local_folder(REPOSITORY)
    has_template = folder is not None and (folder / TEMPLATE).is_file()
    request = assigned_text(folder / TEMPLATE, "MCQA") if folder is not None and has_template else OWN_REQUEST
    return [item_of(row, request) for row in rows]


def item_of(row: dict[str, Any], request: str) -> Item:
    """One question; BadInput where the right text is not among the choices."""
    choices = [str(choice) for choice in row["choices"]]
    if str(row["correct_answer"]) not in choices:
        raise BadInput(f"WildEval/ZeroEval: {row['id']}: correct_answer is not among its choices")
    lines = "".join(f"- ({letter}) {choice}\n" for letter, choice in zip(LETTERS, choices, strict=False))
    text = fill(request, {"question": row["question"], "choices": lines})
    gold = LETTERS[choices.index(str(row["correct_answer"]))]
    groups = {"subject": str(row["config"])} if row.get("config") else {}
    return Item(
        f"mmlu_redux-{row['id']}", ({"role": "user", "content": text},), gold=gold, fields={"groups": groups}
    )


def generating(item: Item, family: str) -> Generating:
    """Greedy, up to the context's end. The family is kept for the extraction of Llama's boxed answers."""
    return Generating(max_tokens=4096)


def extract_answer(text: str) -> str | None:
    """`answer` of the first complete {...}, else of the text by pattern, else a box at the very end."""
    group = first_braces(text)
    if group is not None:
        try:
            value = json.loads(group.replace("\n", "")).get("answer")
        except (ValueError, AttributeError, RecursionError):
            value = None
        if value is not None:
            return str(value)
    if match := _QUOTED_ANSWER.search(text) or _BARE_ANSWER.search(text):
        return match.group(1)
    if "boxed" in text[-30:] and (match := _BOXED.search(text[-60:])):
        return match.group(1)
    return None


def first_braces(text: str) -> str | None:
    """The first balanced group of braces."""
    start = text.find("{")
    depth = 0
    for match in re.finditer(r"[{}]", text[start:] if start >= 0 else ""):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return text[start : start + match.end()]
    return None


def score(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """Right where the answer is the letter, or holds the letter with a closing bracket behind it."""
    scores = []
    for item in items:
        answer = extract_answer(answers[item.item_id][0].text)
        right = answer is not None and (answer.strip() == item.gold or f"{item.gold})" in answer)
        reason = None if answer else "no answer found"
        scores.append(
            ItemScore(item.item_id, float(right), answer, item.gold, reason, dict(item.fields["groups"]))
        )
    return scores
