"""LiveBench, release 2024-08-31: 1,000 questions in 18 tasks of six categories; scored by rule, without a judge.

Data: livebench/coding, data_analysis, instruction_following, language, math, reasoning (split test), the questions of
the three releases up to 2024-08-31 that were not removed by then. One user turn, greedy. How each task's answers are
scored stands in evaluation/livebench/, one module a category, by the rules of August 2024. A task's score is the mean
of its questions, a category's that of its tasks, the benchmark's that of the six categories. `table_means` and
`judgment_means` of evaluation/livebench_means.py do the same for published tables and judgments.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Summary, Tools
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles
from evaluation.livebench import data_analysis, language, mathematics, reasoning
from evaluation.livebench.coding import coding_outcomes
from evaluation.livebench.instruction_following import score_instructions
from evaluation.livebench.latex_worker import equal_expressions
from evaluation.livebench_means import CATEGORIES
from evaluation.summary import nested_summary
from fusechat.errors import BadInput

TITLE = "LiveBench 0831"
SCALE = 100.0
# A question counts in its task, a task in its category, a category in the whole.
MEAN_LEVELS = ("category", "task")
# Commits of the six datasets that have these releases.
REVISIONS = {
    "coding": "a958549fdd8aa57be0a3fafe7b205ffc160ed5f4",
    "data_analysis": "31b9661ff678df9958e2f7fa228427f4c858c1a1",
    "instruction_following": "0868379c4b5cf62aeacaf8be4f08fced815c81bb",
    "language": "3ada32a2e53d5e04e57fa503384cb85ce9116c40",
    "math": "bb66571c8ccf32d3df9e6f48b920d3770ff4aacb",
    "reasoning": "6fc6498a5dfba553f69f4413feabade1f1a2d384",
}
DOWNLOADS = tuple(
    HubFiles(f"livebench/{name}", ("data/test-*",), commit) for name, commit in REVISIONS.items()
)
RELEASES = ("2024-06-24", "2024-07-26", "2024-08-31")
QUESTIONS = {
    "LCB_generation": 78, "coding_completion": 50, "cta": 50, "tablejoin": 50, "tablereformat": 50, "AMPS_Hard": 100,
    "math_comp": 96, "olympiad": 36, "web_of_lies_v2": 50, "zebra_puzzle": 50, "spatial": 50, "connections": 50,
    "plot_unscrambling": 40, "typos": 50, "paraphrase": 50, "simplify": 50, "story_generation": 50, "summarize": 50,
}  # fmt: skip
COLUMNS = ("question_id", "category", "task", "turns", "livebench_release_date", "livebench_removal_date")
MORE_COLUMNS = {
    "coding": ("public_test_cases", "private_test_cases", "original_json"),
    "instruction_following": ("instruction_id_list", "kwargs"),
}
# Tasks that need nothing but the true answer and the given one.
TEXT_SCORERS: dict[str, Callable[[Any, str], float]] = {
    "web_of_lies_v2": reasoning.web_of_lies,
    "zebra_puzzle": reasoning.zebra_puzzle,
    "spatial": reasoning.spatial,
    "connections": language.connections,
    "plot_unscrambling": language.plot_unscrambling,
    "typos": language.typos,
    "cta": data_analysis.column_type,
    "tablejoin": data_analysis.table_join,
    "olympiad": mathematics.proof_order,
}


def load(sources: Sources) -> list[Item]:
    """The release's questions, one of each task by turns, so that the first few are of all tasks."""
    rows = []
    for category in CATEGORIES:
        columns = (*COLUMNS, *MORE_COLUMNS.get(category, ("ground_truth",)))
        category_rows = sources.rows(f"livebench/{category}", split="test", columns=columns)
        rows += [row for row in category_rows if in_release(row)]
    unknown = sorted({str(row["task"]) for row in rows} - set(QUESTIONS))
    if unknown or not rows:
        raise BadInput(
            f"livebench_0831: the data hold {'the unknown task ' + ', '.join(unknown) if unknown else 'no question'} "
            "in the releases up to 2024-08-31; use the livebench datasets of the Hub"
        )
    say_other_counts(Counter(str(row["task"]) for row in rows))
    places: Counter[str] = Counter()
    order = {}
    for row in rows:
        places[row["task"]] += 1
        order[id(row)] = places[row["task"]]
    return [item_of(row) for row in sorted(rows, key=lambda row: order[id(row)])]


def in_release(row: Mapping[str, Any]) -> bool:
    """Whether a question belongs to the release of 2024-08-31. Dates may be texts, days or times."""
    released, removed = (str(row[f"livebench_{name}_date"] or "")[:10] for name in ("release", "removal"))
    return released in RELEASES and (not removed or removed > RELEASES[-1])


def say_other_counts(counts: Mapping[str, int]) -> None:
    """The published counts were worked out from scores; where the data differ, the data are right."""
    others = [
        f"{task} {counts.get(task, 0)}, not {count}"
        for task, count in QUESTIONS.items()
        if counts.get(task, 0) != count
    ]
    if others:
        print(f"note: livebench_0831: {sum(counts.values())} questions: {'; '.join(others)}", flush=True)


def item_of(row: Mapping[str, Any]) -> Item:
    """One question; its category is that of its task."""
    category = next(name for name, tasks in CATEGORIES.items() if row["task"] in tasks)
    return Item(
        item_id=f"livebench-{row['question_id']}",
        messages=({"role": "user", "content": row["turns"][0]},),
        gold=row.get("ground_truth"),
        fields={"row": row, "groups": {"category": category, "task": row["task"]}},
    )


def generating(item: Item, family: str) -> Generating:
    """Greedy, up to the context's end."""
    return Generating(max_tokens=4096)


def score(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """Each answer by its task's rule. An answer that is not there would count 0 in the original; here it is missing."""
    texts = {item.item_id: answers[item.item_id][0].text for item in items}
    by_task: dict[str, list[Item]] = {}
    for item in items:
        by_task.setdefault(item.fields["row"]["task"], []).append(item)
    expressions = amps_scores(by_task.get("AMPS_Hard", []), texts, tools)
    coding = [item for task in CATEGORIES["coding"] for item in by_task.get(task, [])]
    outcomes = coding_outcomes({item.item_id: item.fields["row"] for item in coding}, texts, tools)
    scores = []
    for item in items:
        groups = dict(item.fields["groups"])
        if item.item_id in outcomes:
            outcome = outcomes[item.item_id]
            scores.append(ItemScore(item.item_id, outcome.score, reason=outcome.reason, groups=groups))
        elif item.item_id in expressions:
            equal, found = expressions[item.item_id]
            reason = "no end of the comparison" if equal is None else None
            scores.append(ItemScore(item.item_id, float(bool(equal)), found, item.gold, reason, groups))
        else:
            value, extracted = rule_score(item, texts[item.item_id])
            scores.append(ItemScore(item.item_id, value, extracted, item.gold, groups=groups))
    return scores


def rule_score(item: Item, answer: str) -> tuple[float, Any]:
    """(score, what was found) of a task that needs no other process; BadInput names a question that cannot be scored."""
    row = item.fields["row"]
    task, question = row["task"], row["turns"][0]
    try:
        if task in CATEGORIES["instruction_following"]:
            return score_instructions(row["instruction_id_list"], row["kwargs"], question, answer)
        if task == "tablereformat":
            return data_analysis.table_reformat(question, item.gold, answer), None
        if task == "math_comp":
            if item.gold in tuple("ABCDE"):
                return mathematics.competition_choice(item.gold, answer, question), None
            return mathematics.competition_number(item.gold, answer), None
        return TEXT_SCORERS[task](item.gold, answer), None
    except (BadInput, ValueError, TypeError, AttributeError, SyntaxError, KeyError) as error:
        raise BadInput(
            f"livebench_0831: question {row['question_id']} ({task}) cannot be scored: {type(error).__name__}: {error}; "
            "download its data again"
        ) from None


def amps_scores(
    items: Sequence[Item], texts: Mapping[str, str], tools: Tools
) -> dict[str, tuple[bool | None, str | None]]:
    """(whether it equals the truth, the expression found) by item; a comparison without end is None."""
    found = {item.item_id: mathematics.amps_expression(texts[item.item_id]) for item in items}
    truths = {
        item.item_id: item.gold[-1] if isinstance(item.gold, list) else str(item.gold) for item in items
    }
    pairs = {key: (truths[key], expression) for key, expression in found.items() if expression is not None}
    equal = dict(zip(pairs, equal_expressions(list(pairs.values()), tools.workers), strict=True))
    return {key: (equal.get(key, False), expression) for key, expression in found.items()}


def summarise(scores: Sequence[ItemScore], items: Sequence[Item]) -> Summary:
    """Mean over categories of means over tasks; by category and task."""
    return nested_summary(scores, SCALE, MEAN_LEVELS)
