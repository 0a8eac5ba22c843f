"""Arena-Hard v0.1, 500 prompts against gpt-4-0314's answers, two judged games each; win rate by Bradley-Terry.

Data: the repository lmarena/arena-hard-auto below DATA_ROOT (data/arena-hard-v0.1/question.jsonl, .../model_answer/
gpt-4-0314.jsonl, config/judge_config.yaml). Greedy, no system message. Game 1 shows the baseline as A, game 2 as B; a
strong verdict counts three battles. A game without any label is asked about once more, and is missing if that gives none;
one with two labels is dropped.
`score_published` scores published battles, `score_judgments` published judgments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from evaluation.battles import BattleRate, Winner, battles_of, closed_form, extract_label, win_rate
from evaluation.benchmark import Generating, Generation, Item, ItemScore, Summary, Tools
from evaluation.dataset_files import Sources, check_columns, read_rows
from evaluation.downloads import GitHubFiles
from evaluation.judge import Judge, Judgment, Question, fill, question_id
from evaluation.published_battles import published_rates
from evaluation.summary import bootstrap_difference, ratio
from fusechat.command_line import read_yaml
from fusechat.errors import BadInput

TITLE = "Arena-Hard"
SCALE = 100.0
NEEDS_JUDGE = True
REPORT_JUDGE = "gpt-4-1106-preview"
REPOSITORY = "lmarena/arena-hard-auto"
BASELINE = "gpt-4-0314"
# The last files in the layout of v0.1.
DOWNLOADS = (
    GitHubFiles(
        REPOSITORY, "74e8b6f0ae60529b62c4c2feb71a479ae1311e2d",
        (
            "data/arena-hard-v0.1/question.jsonl", f"data/arena-hard-v0.1/model_answer/{BASELINE}.jsonl",
            "config/judge_config.yaml",
        ),
    ),
)  # fmt: skip
JUDGE_TOKENS = 4096
AGAIN = "Please go on with your judgment, and end it with one of the verdict labels."
SIDES: tuple[Literal["A", "B"], ...] = ("B", "A")  # the model's side in game 1 and game 2


def load(sources: Sources) -> list[Item]:
    """Questions with the baseline's answer and the judge's texts."""
    folder = sources.local_folder(REPOSITORY)
    if folder is None:
        raise BadInput(f"arena_hard: {REPOSITORY} is not below --data-root; fetch it with --download-only")
    data = folder / "data" / "arena-hard-v0.1"
    questions = read_rows(data / "question.jsonl")
    is_new = bool(questions) and "uid" in questions[0]
    check_columns(
        questions, ("uid", "prompt") if is_new else ("question_id", "turns"), str(data / "question.jsonl")
    )
    baseline = {
        row_id(row): baseline_answer(row) for row in read_rows(data / "model_answer" / f"{BASELINE}.jsonl")
    }
    system, template = judge_texts(folder)
    items = []
    for row in questions:
        key = row_id(row)
        prompt = row["turns"][0]["content"] if "turns" in row else row["prompt"]
        if key not in baseline:
            raise BadInput(f"arena_hard: {BASELINE} has no answer to question {key}; update the clone")
        fields = {"prompt": prompt, "baseline": baseline[key], "system": system, "template": template}
        items.append(Item(f"arena-{key}", ({"role": "user", "content": prompt},), fields=fields))
    return items


def row_id(row: Mapping[str, Any]) -> str:
    """question_id, since 2025 uid."""
    return str(row.get("question_id") or row["uid"])


def baseline_answer(row: Mapping[str, Any]) -> str:
    """The answer's text in the older and the newer layout."""
    if "choices" in row:
        return str(row["choices"][0]["turns"][0]["content"])
    content = row["messages"][-1]["content"]
    return str(content["answer"] if isinstance(content, dict) else content)


def judge_texts(folder: Path) -> tuple[str, str]:
    """The judge's system text and user template, from the repository's own settings file."""
    for name in ("config/judge_config.yaml", "config/arena-hard-v0.1.yaml"):
        if (folder / name).is_file():
            settings = read_yaml(folder / name)
            templates = settings.get("prompt_template")
            template = templates[0] if isinstance(templates, list) else templates
            if settings.get("system_prompt") and template:
                return str(settings["system_prompt"]), str(template)
    raise BadInput(
        f"{folder}: no config/judge_config.yaml with system_prompt and prompt_template; use the v0.1 files"
    )


def generating(item: Item, family: str) -> Generating:
    """Greedy, without what a chat template adds by itself to Llama's prompt; Qwen keeps its default sentence."""
    return Generating(max_tokens=4096, chat_style="bare" if family == "llama" else "template")


def question_of(item: Item, answer: str, side: Literal["A", "B"]) -> Question:
    """One game, the model's answer shown on this side."""
    shown = (item.fields["baseline"], answer) if side == "B" else (answer, item.fields["baseline"])
    values = {"question_1": item.fields["prompt"], "answer_1": shown[0], "answer_2": shown[1]}
    text = fill(item.fields["template"], values)
    messages = ({"role": "system", "content": item.fields["system"]}, {"role": "user", "content": text})
    return Question(messages, max_tokens=JUDGE_TOKENS)


def score(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """Each item's battles; missing where a game's call failed."""
    judge = tools.judge_for("arena_hard")
    questions = [question_of(item, answers[item.item_id][0].text, side) for item in items for side in SIDES]
    is_strict = tools.switches.unrated == "missing"
    texts = ask(judge, questions, is_strict)
    scores = []
    for position, item in enumerate(items):
        games = texts[2 * position : 2 * position + 2]
        if None in games:
            reason = why_no_text(judge, questions[2 * position + games.index(None)])
            scores.append(ItemScore(item.item_id, None, reason=reason))
            continue
        verdicts = [extract_label(text or "") for text in games]
        labels = [label for label, _ in verdicts]
        battles = [one for label, side in zip(labels, SIDES, strict=True) for one in battles_of(label, side)]
        one = ItemScore(item.item_id, None, {"labels": labels, "battles": battles})
        if is_strict and any(has_none for _, has_none in verdicts):
            one.reason = "the judge gave no verdict label (--unrated drop leaves it out)"
        elif battles:
            one.score = closed_form(battles) / 100
        else:
            one.reason, one.dropped = "no game has one known verdict", True
        scores.append(one)
    return scores


def ask(judge: Judge, questions: Sequence[Question], is_strict: bool) -> list[str | None]:
    """The judge's texts; where one has no label, the judge is asked to go on, once."""
    judgments = judge.ask_all(questions, "judge")
    texts = [judgment.text if judgment else None for judgment in judgments]
    unclear = [index for index, text in enumerate(texts) if text is not None and extract_label(text)[1]]
    followed = [follow_up(questions[index], texts[index] or "") for index in unclear]
    again = judge.ask_all(followed, "judge again", has_label if is_strict else None)
    for index, judgment in zip(unclear, again, strict=True):
        texts[index] = None if judgment is None else f"{texts[index]}\n{judgment.text}"
    return texts


def has_label(judgment: Judgment) -> bool:
    """Whether the judge gave a verdict label, or several."""
    return not extract_label(judgment.text)[1]


def follow_up(question: Question, text: str) -> Question:
    """The request to go on behind a text without a label."""
    more = ({"role": "assistant", "content": text}, {"role": "user", "content": AGAIN})
    return replace(question, messages=(*question.messages, *more))


def why_no_text(judge: Judge, question: Question) -> str:
    """Why a game has no text: its call failed, or the one that asks to go on."""
    first = judge.known.get(question_id(question, judge.judge_model))
    return judge.why_missing(question if first is None else follow_up(question, first.text))


def summarise(scores: Sequence[ItemScore], items: Sequence[Item]) -> Summary:
    """Win rate over all battles; half of the bootstrap interval's width over 1.96 stands for the standard error."""
    battles: list[Winner] = [one for score in scores for one in score.extracted["battles"]]
    rate = win_rate(battles)
    low, high = rate.interval_95
    games = [label for score in scores for label in score.extracted["labels"]]
    breakdown = {
        "low": low,
        "high": high,
        "battles": float(rate.battles),
        "games dropped": float(games.count(None)),
    }
    return Summary(rate.value, (high - low) / 2 / 1.96, breakdown)


def paired(
    scores: Sequence[ItemScore], reference: Sequence[ItemScore], items: Sequence[Item]
) -> dict[str, Any] | None:
    """Difference of the win rates over weighted battles; items are drawn again with all of their battles."""
    ours, theirs = weighted_rate(scores), weighted_rate(reference)
    return bootstrap_difference(ours, theirs, len(items))


def weighted_rate(scores: Sequence[ItemScore]) -> Any:
    """The win rate in percent of the items drawn, as a function of how often each was."""
    battles = [score.extracted["battles"] for score in scores]
    won = [games.count("model") + games.count("tie") / 2 for games in battles]
    return ratio(won, [len(games) for games in battles], SCALE)


def score_published(
    battles: Sequence[Mapping[str, Any]], baseline: str | None = None
) -> dict[str, BattleRate]:
    """Win rate against the baseline of each other model in published battles (arena_hard_battles.jsonl), best first.

    Rows hold model_a, model_b and winner: model_a, model_b, one of their names, tie (or tie (bothbad)), or a verdict
    label such as A>>B, which counts three battles. Other winners are dropped. Without `baseline` the one model that is
    in every battle is taken. Where models also met each other, ratings are fitted over all battles together.
    """
    return published_rates(battles, baseline)


def score_judgments(judgments: Sequence[Mapping[str, Any]]) -> dict[str, BattleRate]:
    """Win rate by model of published judgments (model_judgment/<judge>/<model>.jsonl).

    Rows hold model and games, the first with the model as B, the second as A; a game's label is its score, or is found
    in its judgment. A question that comes twice counts once, the later one.
    """
    rows = {(row["model"], row["question_id"]): row for row in judgments}
    by_model: dict[str, list[Winner]] = {}
    for (model, _), row in rows.items():
        for game, side in zip(row["games"], SIDES, strict=False):
            label = game["score"] if "score" in game else extract_label(game.get("judgment") or "")[0]
            by_model.setdefault(model, []).extend(battles_of(label, side))
    return {model: win_rate(won) for model, won in by_model.items() if won}
