"""AlignBench v1.1, 683 Chinese questions, each answer rated 1 to 10 by a judge on several dimensions.

Data: the repository THUDM/AlignBench below DATA_ROOT (data/data_v1.1_release.jsonl, config/*.json; the judge's prompt is
read from its judge.py, which is not run). The score is the mean of two halves: reasoning (maths, logic) and language
(the other six categories). A text without a rating is left out and counted.
"""

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Summary, Tools
from evaluation.dataset_files import Sources, check_columns, read_rows
from evaluation.downloads import GitHubFiles
from evaluation.judge import Question, fill
from evaluation.published_texts import assigned_text
from evaluation.summary import standard_error
from fusechat.errors import BadInput

TITLE = "AlignBench v1.1"
SCALE = 10.0
NEEDS_JUDGE = True
REPORT_JUDGE = "gpt-4-0613"
REPOSITORY = "THUDM/AlignBench"
DOWNLOADS = (
    GitHubFiles(
        REPOSITORY, "5b79d4a84e566db26e755c719935c62a0e1b0527",
        (
            "data/data_v1.1_release.jsonl", "judge.py", "config/subcategory_question_mapping.json",
            "config/dimension_set.json", "config/dimension_definition.json",
        ),
    ),
)  # fmt: skip
REASONING = ("数学计算", "逻辑推理")
CREATIVE = ("文本写作", "角色扮演", "综合问答")  # sampled at 0.7, the others at 0.1
OVERALL = "综合得分"

_LAST_BRACES = re.compile(r"\{([^{}]*)\}(?![^{]*\{)")
_RATING = re.compile(r"'([^']*)': (\d+)")
_LOOSE_RATING = re.compile(rf"'{OVERALL}': (\d+(?:\.\d{{1,2}})?)")


def load(sources: Sources) -> list[Item]:
    """Questions with their judge prompts, filled but for the answer."""
    folder = sources.local_folder(REPOSITORY)
    if folder is None:
        raise BadInput(f"align_bench: {REPOSITORY} is not below --data-root; fetch it with --download-only")
    path = folder / "data" / "data_v1.1_release.jsonl"
    rows = read_rows(path)
    check_columns(rows, ("question_id", "category", "subcategory", "question", "reference"), str(path))
    template = judge_template(folder)
    dimensions = {row["subcategory"]: dimension_list(folder, row["subcategory"]) for row in rows}
    items = []
    for row in rows:
        values = {
            "category": row["category"], "dimensions": dimensions[row["subcategory"]], "question": row["question"],
            "reference": row["reference"],
        }  # fmt: skip
        items.append(
            Item(
                item_id=f"align-{row['question_id']}",
                messages=({"role": "user", "content": row["question"]},),
                fields={"category": row["category"], "template": template, "values": values},
            )
        )
    return items


def judge_template(folder: Path) -> str:
    """The text that judge.py gives the name base_prompt, its doubled braces made single."""
    return assigned_text(folder / "judge.py", "base_prompt").replace("{{", "{").replace("}}", "}")


def dimension_list(folder: Path, subcategory: str) -> str:
    """The numbered dimensions with their definitions, one a line."""
    kinds = read_json(folder / "config" / "subcategory_question_mapping.json")
    sets = read_json(folder / "config" / "dimension_set.json")
    definitions = read_json(folder / "config" / "dimension_definition.json")
    kind = kinds.get(subcategory)
    if kind not in sets:
        raise BadInput(
            f"{folder}: config has no dimensions for the subcategory {subcategory}; update the clone"
        )
    return "".join(
        f"{index}. {name}: {definitions.get(name)}\n" for index, name in enumerate(sets[kind], start=1)
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the repository."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__}); update the clone") from None


def generating(item: Item, family: str) -> Generating:
    """The temperature goes by category."""
    return Generating(max_tokens=4096, temperature=0.7 if item.fields["category"] in CREATIVE else 0.1)


def extract_score(judgment: str) -> float | None:
    """The overall rating in the last dictionary of the text, else anywhere; None without one."""
    if match := _LAST_BRACES.search(judgment):
        ratings = dict(_RATING.findall(match.group(1)))
        if OVERALL in ratings:
            return float(ratings[OVERALL])
    loose = _LOOSE_RATING.search(judgment)
    return float(loose.group(1)) if loose else None


def score(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """Overall rating as a share of ten; missing where the call failed."""
    judge = tools.judge
    if judge is None:
        raise BadInput("align_bench: needs --judge-model and --judge-base-url")
    questions = []
    for item in items:
        values = {**item.fields["values"], "answer": answers[item.item_id][0].text}
        text = fill(item.fields["template"], values)
        questions.append(Question(({"role": "user", "content": text},)))
    scores = []
    for item, question, judgment in zip(items, questions, judge.ask_all(questions, "judge"), strict=True):
        groups = {"category": item.fields["category"]}
        if judgment is None:
            scores.append(ItemScore(item.item_id, None, reason=judge.why_missing(question), groups=groups))
            continue
        rating = extract_score(judgment.text)
        # A text without a rating takes part with the scale's middle in paired differences only.
        scores.append(
            ItemScore(item.item_id, 0.5 if rating is None else rating / 10, {"rating": rating}, groups=groups)
        )
    return scores


def summarise(scores: Sequence[ItemScore], items: Sequence[Item]) -> Summary:
    """Mean of the two halves' means; a half that has no item is left out."""
    by_category: dict[str, list[float]] = {}
    for one in scores:
        if one.extracted["rating"] is not None:
            by_category.setdefault(one.groups["category"], []).append(one.extracted["rating"])
    if not by_category:
        raise BadInput(
            "align_bench: no text of the judge holds a rating; is it able to follow its instructions?"
        )
    means = {category: statistics.fmean(values) for category, values in sorted(by_category.items())}
    halves = {
        "reasoning": [mean for category, mean in means.items() if category in REASONING],
        "language": [mean for category, mean in means.items() if category not in REASONING],
    }
    half_means = {name: statistics.fmean(values) for name, values in halves.items() if values}
    rated = [rating for values in by_category.values() for rating in values]
    breakdown = {
        **half_means,
        **{f"category: {category}": mean for category, mean in means.items()},
        "texts without a rating": float(len(scores) - len(rated)),
    }
    return Summary(statistics.fmean(half_means.values()), standard_error(rated), breakdown)
