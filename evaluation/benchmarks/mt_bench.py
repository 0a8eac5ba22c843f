"""MT-Bench, 80 questions of two turns, each turn rated 1 to 10 by a judge; mean of all ratings.

Data: the repository lm-sys/FastChat below DATA_ROOT (fastchat/llm_judge/data: mt_bench/question.jsonl,
mt_bench/reference_answer/gpt-4.jsonl, judge_prompts.jsonl), and the corrected reference answers of fanqiwan/FuseAI
where they are there. The judge sees reference answers for maths, reasoning and
coding; the second turn is rated with the whole conversation before it. A text without a rating makes its question
missing, or, by --unrated drop, is left out.
`score_published` scores the judgments of other models.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Summary, Tools
from evaluation.dataset_files import Sources, check_columns, read_rows
from evaluation.downloads import GitHubFiles
from evaluation.judge import Judgment, Question, fill
from evaluation.ratings import extract_rating, means_by_turn, rating_on_scale
from evaluation.summary import bootstrap_difference, ratio, standard_error
from fusechat.errors import BadInput

TITLE = "MT-Bench"
SCALE = 10.0
NEEDS_JUDGE = True
REPORT_JUDGE = "gpt-4-0125-preview"
REPOSITORY = "lm-sys/FastChat"
# The answers that the report's judge was shown: gpt-4's, with those that are wrong mended.
CORRECTED = "fanqiwan/FuseAI"
CORRECTED_FILE = "FuseChat-3.0/FuseEval/IF-Eval/MT-Bench/data/gpt-4-0125-preview.jsonl"
DATA = "fastchat/llm_judge/data"
DOWNLOADS = (
    GitHubFiles(
        REPOSITORY, "0e6d3e4beaab66f4d3f93db72541a4abab8af28d",
        (
            f"{DATA}/mt_bench/question.jsonl", f"{DATA}/mt_bench/reference_answer/gpt-4.jsonl",
            f"{DATA}/judge_prompts.jsonl",
        ),
    ),
    GitHubFiles(CORRECTED, "7d9a30729e4b5a40bca19a97e188bfc07edf0809", (CORRECTED_FILE,)),
)  # fmt: skip
TEMPERATURES = {
    "writing": 0.7, "roleplay": 0.7, "stem": 0.1, "humanities": 0.1,
    "extraction": 0.0, "math": 0.0, "coding": 0.0, "reasoning": 0.0,
}  # fmt: skip
# Questions 81 to 160, ten a category.
FIRST_QUESTION = 81
CATEGORY_ORDER = ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")
WITH_REFERENCE = ("math", "reasoning", "coding")
MAX_TOKENS, JUDGE_TOKENS = 1024, 2048


def load(sources: Sources) -> list[Item]:
    """Questions, reference answers and the judge's prompts."""
    folder = sources.local_folder(REPOSITORY)
    if folder is None:
        raise BadInput(f"mt_bench: {REPOSITORY} is not below --data-root; fetch it with --download-only")
    data = folder / DATA
    questions = read_rows(data / "mt_bench" / "question.jsonl")
    check_columns(questions, ("question_id", "category", "turns"), str(data))
    references = {
        row["question_id"]: row["choices"][0]["turns"] for row in read_rows(reference_file(sources, data))
    }
    prompts = {row["name"]: row for row in read_rows(data / "judge_prompts.jsonl")}
    items = []
    for row in questions:
        reference = references.get(row["question_id"]) if row["category"] in WITH_REFERENCE else None
        if row["category"] in WITH_REFERENCE and reference is None:
            raise BadInput(
                f"mt_bench: question {row['question_id']} has no reference answer; update the clone"
            )
        items.append(
            Item(
                item_id=f"mt_bench-{row['question_id']}",
                messages=({"role": "user", "content": row["turns"][0]},),
                later_turns=tuple(row["turns"][1:]),
                fields={"category": row["category"], "reference": reference, "prompts": prompts},
            )
        )
    return items


def reference_file(sources: Sources, data: Path) -> Path:
    """The corrected reference answers where they are there, else FastChat's, which are wrong on 13 questions."""
    folder = sources.local_folder(CORRECTED)
    if folder is not None and (folder / CORRECTED_FILE).is_file():
        return folder / CORRECTED_FILE
    print(
        "note: mt_bench: without the corrected reference answers (--download-only fetches them)", flush=True
    )
    return data / "mt_bench" / "reference_answer" / "gpt-4.jsonl"


def generating(item: Item, family: str) -> Generating:
    """The temperature goes by category."""
    return Generating(max_tokens=MAX_TOKENS, temperature=TEMPERATURES.get(item.fields["category"], 0.7))


def questions_of(item: Item, first: str, second: str) -> list[Question]:
    """The judge's two calls about an item."""
    maths = "-math" if item.fields["reference"] else ""
    turns = [item.messages[0]["content"], item.later_turns[0]]
    one = {"question": turns[0], "answer": first}
    two = {"question_1": turns[0], "answer_1": first, "question_2": turns[1], "answer_2": second}
    for number, reference in enumerate(item.fields["reference"] or (), start=1):
        one |= {"ref_answer_1": reference} if number == 1 else {}
        two |= {f"ref_answer_{number}": reference}
    return [
        judge_question(item.fields["prompts"], f"single{maths}-v1", one),
        judge_question(item.fields["prompts"], f"single{maths}-v1-multi-turn", two),
    ]


def judge_question(prompts: Mapping[str, Any], name: str, values: Mapping[str, str]) -> Question:
    """One call by a named prompt of FastChat."""
    if name not in prompts:
        raise BadInput(f"mt_bench: judge_prompts.jsonl has no prompt {name}; update the clone")
    text = fill(prompts[name]["prompt_template"], values)
    messages = (
        {"role": "system", "content": prompts[name]["system_prompt"]},
        {"role": "user", "content": text},
    )
    return Question(messages, max_tokens=JUDGE_TOKENS)


def score(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """Mean rating of an item's two turns as a share of ten; missing where a call failed."""
    judge = tools.judge_for("mt_bench")
    questions: list[Question] = []
    for item in items:
        by_turn = {one.turn: one.text for one in answers[item.item_id]}
        questions += questions_of(item, by_turn[0], by_turn[1])
    is_strict = tools.switches.unrated == "missing"
    judgments = judge.ask_all(questions, "judge", is_rated if is_strict else None)
    scores = []
    for position, item in enumerate(items):
        pair = judgments[2 * position : 2 * position + 2]
        if pair[0] is None or pair[1] is None:
            failed = questions[2 * position + (0 if pair[0] is None else 1)]
            scores.append(ItemScore(item.item_id, None, reason=judge.why_missing(failed)))
            continue
        ratings = [rating_on_scale(judgment.text) for judgment in pair if judgment]
        known = [rating for rating in ratings if rating is not None]
        groups = {"category": item.fields["category"]}
        one = ItemScore(item.item_id, None, {"ratings": ratings}, groups=groups)
        if known and (len(known) == 2 or not is_strict):
            one.score = sum(known) / len(known) / 10
        else:
            one.reason = f"the judge's text on turn {1 + ratings.index(None)} holds no rating from 0 to 10 (--unrated drop leaves it out)"
            one.dropped = not is_strict
        scores.append(one)
    return scores


def is_rated(judgment: Judgment) -> bool:
    """Whether the judge's text holds a rating."""
    return rating_on_scale(judgment.text) is not None


def paired(
    scores: Sequence[ItemScore], reference: Sequence[ItemScore], items: Sequence[Item]
) -> dict[str, Any] | None:
    """Difference of the means over all ratings; questions are drawn again with both of their turns."""
    return bootstrap_difference(mean_rating(scores), mean_rating(reference), len(items))


def mean_rating(scores: Sequence[ItemScore]) -> Any:
    """The mean rating of the questions drawn, as a function of how often each was."""
    rated = [[rating for rating in score.extracted["ratings"] if rating is not None] for score in scores]
    return ratio([sum(ratings) for ratings in rated], [len(ratings) for ratings in rated])


def summarise(scores: Sequence[ItemScore], items: Sequence[Item]) -> Summary:
    """Mean over all ratings; by turn and by category."""
    rated = [
        (turn, rating, score.groups["category"])
        for score in scores
        for turn, rating in enumerate(score.extracted["ratings"], start=1)
        if rating is not None
    ]
    means = means_by_turn((turn, rating) for turn, rating, _ in rated)
    for category in sorted({category for _, _, category in rated}):
        values = [rating for _, rating, other in rated if other == category]
        means[f"category: {category}"] = sum(values) / len(values)
    means["texts without a rating"] = float(2 * len(scores) - len(rated))
    return Summary(means["all turns"], standard_error([rating for _, rating, _ in rated]), means)


def score_published(judgments: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Means by model of published single-answer judgments (model_judgment/<judge>_single.jsonl).

    Rows hold question_id, model, turn and judgment; the rating is read from the judgment again (from `score` where
    there is no text). Each model gets its mean over all rated rows, those by turn and by category, and how many texts
    hold no rating; those are left out, as a score of -1 is.
    """
    by_model: dict[str, list[tuple[int, int, float | None]]] = {}
    for row in judgments:
        by_model.setdefault(row["model"], []).append((row["question_id"], row["turn"], rating_of_row(row)))
    means = {}
    for model, rows in by_model.items():
        rated = [(question, turn, rating) for question, turn, rating in rows if rating is not None]
        if rated:
            means[model] = means_by_turn((turn, rating) for _, turn, rating in rated)
            for index, category in enumerate(CATEGORY_ORDER):
                values = [
                    rating for question, _, rating in rated if (question - FIRST_QUESTION) // 10 == index
                ]
                if values:
                    means[model][f"category: {category}"] = sum(values) / len(values)
            means[model]["texts without a rating"] = float(len(rows) - len(rated))
    return means


def rating_of_row(row: Mapping[str, Any]) -> float | None:
    """The rating in the judge's text; the stored score where the text is not there."""
    if row.get("judgment") is not None:
        return extract_rating(row["judgment"])
    score = row.get("score")
    return None if score is None or not score >= 0 else float(score)
