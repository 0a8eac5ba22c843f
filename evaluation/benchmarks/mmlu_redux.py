"""MMLU-redux, 2,778 re-annotated MMLU questions; the answer is a JSON object with a letter, as in ZeroEval.

Data: WildEval/ZeroEval (config mmlu-redux, split test), whose right choice is given by its text; where only
DATA_ROOT/edinburgh-dawg/mmlu-redux is there, the set is built from it by ZeroEval's rule. The request is ZeroEval's where
its template is below DATA_ROOT, else in words of our own. Score: share of right letters; no answer is wrong.
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
ORIGIN = "edinburgh-dawg/mmlu-redux"
QUESTIONS = 2_778
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
    folder = sources.local_folder(REPOSITORY)
    if (folder is None or not (folder / "mmlu-redux").is_dir()) and sources.local_folder(ORIGIN):
        rows = corrected_rows(sources, ORIGIN)
    else:
        columns = ("id", "question", "choices", "correct_answer")
        rows = sources.rows(REPOSITORY, config="mmlu-redux", split="test", columns=columns)
    if len(rows) != QUESTIONS:
        print(f"note: mmlu_redux: {len(rows)} questions; the published set has {QUESTIONS:,}", flush=True)
    request = request_of(sources)
    return [item_of(row, request, "mmlu_redux") for row in rows]


def corrected_rows(sources: Sources, repository: str) -> list[dict[str, Any]]:
    """The re-annotated questions that have one right choice, in ZeroEval's layout.

    Questions without a fault keep their key; a wrong key is replaced where its correction is a letter; all others
    (several right choices, none, an unclear question) are left out.
    """
    columns = ("question", "choices", "answer", "error_type", "correct_answer")
    rows = []
    for config in sources.configs(repository):
        for index, row in enumerate(sources.rows(repository, config=config, split="test", columns=columns)):
            choices, letter = list(row["choices"]), str(row["correct_answer"])
            if row["error_type"] == "ok":
                right = int(row["answer"])
            elif row["error_type"] == "wrong_groundtruth" and letter in LETTERS[: len(choices)]:
                right = LETTERS.index(letter)
            else:
                continue
            rows.append(
                {
                    "id": f"{config}#{index}", "question": row["question"], "choices": choices,
                    "correct_answer": choices[right], "config": config,
                }
            )  # fmt: skip
    if not rows:
        raise BadInput(f"{repository}: holds no question with one right choice; download the dataset again")
    return rows


def request_of(sources: Sources) -> str:
    """ZeroEval's request where its template is there, else our own."""
    folder = sources.local_folder(REPOSITORY)
    if folder is None or not (folder / TEMPLATE).is_file():
        return OWN_REQUEST
    return assigned_text(folder / TEMPLATE, "MCQA")


def item_of(row: dict[str, Any], request: str, prefix: str) -> Item:
    """One question; BadInput where the right text is not among the choices."""
    choices = [str(choice) for choice in row["choices"]]
    if str(row["correct_answer"]) not in choices:
        raise BadInput(f"{prefix}: {row['id']}: correct_answer is not among its choices")
    lines = "".join(f"- ({letter}) {choice}\n" for letter, choice in zip(LETTERS, choices, strict=False))
    text = fill(request, {"question": row["question"], "choices": lines})
    gold = LETTERS[choices.index(str(row["correct_answer"]))]
    groups = {"subject": str(row["config"])} if row.get("config") else {}
    return Item(
        f"{prefix}-{row['id']}", ({"role": "user", "content": text},), gold=gold, fields={"groups": groups}
    )


def generating(item: Item, family: str) -> Generating:
    """Greedy, up to the context's end."""
    return Generating(max_tokens=4096)


def extract_answer(text: str, reads_box: bool) -> str | None:
    """`answer` of the first complete {...}, else of the text by pattern, else, for some, a box at the very end."""
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
    if reads_box and "boxed" in text[-30:] and (match := _BOXED.search(text[-60:])):
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
    """Right where the answer is the letter, or holds the letter with a closing bracket behind it.

    ZeroEval reads a box of Llama models only.
    """
    scores = []
    for item in items:
        answer = extract_answer(answers[item.item_id][0].text, reads_box=tools.family == "llama")
        right = answer is not None and (answer.strip() == item.gold or f"{item.gold})" in answer)
        reason = None if answer else "no answer found"
        scores.append(
            ItemScore(item.item_id, float(right), answer, item.gold, reason, dict(item.fields["groups"]))
        )
    return scores
