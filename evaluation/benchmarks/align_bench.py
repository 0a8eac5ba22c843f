"""AlignBench v1.1, 683 Chinese questions, each answer rated 1 to 10 by a judge on several dimensions.

Data: the repository THUDM/AlignBench below DATA_ROOT (data/data_v1.1_release.jsonl, config/*.json; the judge's prompt is
read from its judge.py, which is not run). The score is the mean of two halves: reasoning (maths, logic) and language
(the other six categories). A text without a rating makes its question missing; by --unrated drop it is left out and
counted, by --unrated minus-one its rating is -1, as it was for the report's authors. `score_published` scores the
judgments of other models.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Summary, Tools
from evaluation.dataset_files import Sources, check_columns, read_rows
from evaluation.downloads import GitHubFiles
from evaluation.judge import Judgment, Question, fill
from evaluation.published_texts import assigned_text
from evaluation.summary import nested_mean, nested_summary
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
# A question counts in its category, a category in its half, a half in the whole.
MEAN_LEVELS = ("half", "category")
REASONING = ("数学计算", "逻辑推理")
CREATIVE = ("文本写作", "角色扮演", "综合问答")  # sampled at 0.7, the others at 0.1
OVERALL = "综合得分"
# With these in its dictionary a text names a rating that the published pattern does not see.
FULL_WIDTH = ("：", "‘", "’", "“", "”", "＇")

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
    judge = tools.judge_for("align_bench")
    questions = []
    for item in items:
        values = {**item.fields["values"], "answer": answers[item.item_id][0].text}
        text = fill(item.fields["template"], values)
        questions.append(Question(({"role": "user", "content": text},)))
    unrated = tools.switches.unrated
    judgments = judge.ask_all(questions, "judge", is_rated if unrated == "missing" else None)
    scores = []
    for item, question, judgment in zip(items, questions, judgments, strict=True):
        groups = groups_of(item.fields["category"])
        if judgment is None:
            scores.append(ItemScore(item.item_id, None, reason=judge.why_missing(question), groups=groups))
            continue
        rating = rating_on_scale(judgment.text)
        details = {"rating": rating, "full_width": rating is None and is_full_width(judgment.text)}
        one = ItemScore(item.item_id, None, details, groups=groups)
        if rating is not None:
            one.score = rating / 10
        else:
            one.reason = f"the judge's text holds no {OVERALL} from 0 to 10 (--unrated drop leaves it out)"
            one.score = -0.1 if unrated == "minus-one" else None
            one.dropped = unrated == "drop"
        scores.append(one)
    return scores


def groups_of(category: str) -> dict[str, str]:
    """Half and category of a question."""
    return {"half": "reasoning" if category in REASONING else "language", "category": category}


def rating_on_scale(judgment: str) -> float | None:
    """The rating that a judge was asked for now; one above 10 is none."""
    rating = extract_score(judgment)
    return rating if rating is not None and rating <= 10 else None


def is_rated(judgment: Judgment) -> bool:
    """Whether the judge's text holds a rating."""
    return rating_on_scale(judgment.text) is not None


def is_full_width(judgment: str) -> bool:
    """Whether a text without a rating names the overall one with full-width marks beside it."""
    behind = judgment.rpartition(OVERALL)[2][:3] if OVERALL in judgment else ""
    return any(mark in behind for mark in FULL_WIDTH)


def summarise(scores: Sequence[ItemScore], items: Sequence[Item]) -> Summary:
    """Mean of the two halves' means; a half that has no item is left out."""
    summary = nested_summary(scores, SCALE, MEAN_LEVELS)
    unrated = [score for score in scores if score.extracted["rating"] is None]
    counts = {
        "texts without a rating": float(len(unrated)),
        "of these with full-width marks": float(sum(score.extracted["full_width"] for score in unrated)),
    }
    return Summary(summary.score, summary.standard_error, {**summary.breakdown, **counts})


def score_published(
    judgments: Iterable[Mapping[str, Any]],
    categories: Mapping[Any, str] | None = None,
    *,
    minus_one: bool = False,
) -> dict[str, dict[str, float]]:
    """Means by model of published judgments (data/judgment/<model>.jsonl): overall, by half, by category.

    Rows hold question_id, model_id, category (else `categories` gives it by question_id) and judgment; the rating is
    read from the judgment again (from `score` where there is no text). Texts without a rating are left out and counted;
    with `minus_one` they count -1, as in the table of AlignBench's own script. A question that comes twice counts once,
    the later row.
    """
    rows = {(str(row.get("model_id", "")), row["question_id"]): row for row in judgments}
    ratings: dict[str, list[tuple[str, float | None]]] = {}
    for (model, question), row in rows.items():
        category = row.get("category") or (categories or {}).get(question)
        if not category:
            raise BadInput(
                f"align_bench: question {question} has no category; give the categories of its questions"
            )
        ratings.setdefault(model, []).append((str(category), rating_of_row(row)))
    means = {}
    for model, ones in ratings.items():
        kept = [
            (tuple(groups_of(category).values()), -1.0 if rating is None else rating)
            for category, rating in ones
            if rating is not None or minus_one
        ]
        if not kept:
            continue
        means[model] = {"overall": nested_mean(kept).value}
        for depth, level in enumerate(MEAN_LEVELS):
            for name in sorted({path[depth] for path, _ in kept}):
                inside = [(path[depth + 1 :], rating) for path, rating in kept if path[depth] == name]
                means[model][f"{level}: {name}"] = nested_mean(inside).value
        means[model]["texts without a rating"] = float(sum(rating is None for _, rating in ones))
    return means


def rating_of_row(row: Mapping[str, Any]) -> float | None:
    """The rating in the judge's text; the stored score where the text is not there."""
    if row.get("judgment") is not None:
        return extract_score(row["judgment"])
    stored = row.get("score")
    return None if stored is None or not float(stored) >= 0 else float(stored)
