"""AlpacaEval 2, 805 instructions against gpt4_1106_preview; length-controlled win rate.

Data: DATA_ROOT/tatsu-lab/alpaca_eval (alpaca_eval_gpt4_baseline.json, df_gamed.csv) or the Hub; the judge's prompt is
alpaca_eval_clf.txt in that folder, or that of the alpaca_eval package. The judge answers with one token, m or M; the
preference is the share of their probabilities; a judge that names neither leaves the item missing. Which answer is shown
first is a coin flip that the item decides.
`score_published` scores the annotations.json of other models.
"""

import hashlib
import importlib.util
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Summary, Tools
from evaluation.dataset_files import Sources, check_columns, read_rows
from evaluation.downloads import GitHubFiles, HubFiles
from evaluation.judge import Judgment, Question, fill
from evaluation.length_control import (
    LengthControl,
    gamed_rows,
    length_controlled_win_rate,
    plain_win_rate,
    preference_value,
)  # fmt: skip
from evaluation.summary import bootstrap_difference
from fusechat.errors import BadInput

TITLE = "AlpacaEval-2"
SCALE = 100.0
NEEDS_JUDGE = True
REPORT_JUDGE = "gpt-4-1106-preview"
REPOSITORY = "tatsu-lab/alpaca_eval"
PROMPT_FILE = "evaluators_configs/alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt"
# Each draw is a fit of its own.
PAIRED_ROUNDS = 200
DOWNLOADS = (
    HubFiles(REPOSITORY, ("alpaca_eval_gpt4_baseline.json", "df_gamed.csv")),
    GitHubFiles(REPOSITORY, "cd543a149df89434d8a54582c0151c0b945c3d20", (f"src/alpaca_eval/{PROMPT_FILE}",)),
)

_PART = re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>|$)", re.DOTALL)


def load(sources: Sources) -> list[Item]:
    """Instructions with the baseline's outputs, in the file's order: the index joins the difficulties."""
    rows = read_rows(sources.hub_file(REPOSITORY, "alpaca_eval_gpt4_baseline.json"))
    check_columns(rows, ("instruction", "output"), "alpaca_eval_gpt4_baseline.json")
    gamed_file = sources.hub_file(REPOSITORY, "df_gamed.csv")
    table = read_rows(gamed_file)
    check_columns(table, ("preference", "index", "std_delta_len", "instruction_difficulty"), str(gamed_file))
    gamed = gamed_rows(table)
    parts = prompt_parts(sources)
    return [
        Item(
            item_id=f"alpaca-{index}",
            messages=({"role": "user", "content": row["instruction"]},),
            fields={
                "instruction": row["instruction"], "baseline": row["output"], "gamed": gamed, "parts": parts,
                "groups": {"dataset": str(row.get("dataset", "all"))},
            },
        )
        for index, row in enumerate(rows)
    ]  # fmt: skip


def prompt_parts(sources: Sources) -> list[tuple[str, str]]:
    """(role, text) of the judge's prompt."""
    folder = sources.local_folder(REPOSITORY)
    candidates = (
        [folder / "alpaca_eval_clf.txt", folder / "src" / "alpaca_eval" / PROMPT_FILE]
        if folder is not None
        else []
    )
    spec = importlib.util.find_spec("alpaca_eval")
    for location in (spec.submodule_search_locations or []) if spec else []:
        candidates.append(Path(location) / PROMPT_FILE)
    for path in candidates:
        if path.is_file():
            parts = _PART.findall(path.read_text(encoding="utf-8"))
            if parts:
                return [(role, text.strip()) for role, text in parts if text.strip()]
            raise BadInput(f"{path}: holds no <|im_start|> parts; is it alpaca_eval_clf.txt?")
    raise BadInput(
        f"alpaca_eval_2: needs the judge's prompt; put alpaca_eval_clf.txt into DATA_ROOT/{REPOSITORY}, "
        "or pip install alpaca_eval==0.6.6"
    )


def generating(item: Item, family: str) -> Generating:
    """Sampled as the report's authors did for each family."""
    if family.startswith("qwen"):
        return Generating(max_tokens=4096, temperature=0.7, top_p=0.8, top_k=20)
    if family.startswith("gemma"):
        return Generating(max_tokens=4096, temperature=0.5)
    return Generating(max_tokens=4096, temperature=0.6, top_p=0.9, chat_style="bare")


def model_is_first(item_id: str) -> bool:
    """The coin flip: whether the tested model's answer is shown first."""
    return hashlib.sha256(item_id.encode()).digest()[0] % 2 == 0


def question_of(item: Item, output: str) -> Question:
    """One call of one token."""
    outputs = (
        (output, item.fields["baseline"])
        if model_is_first(item.item_id)
        else (item.fields["baseline"], output)
    )
    values = {"instruction": item.fields["instruction"], "output_1": outputs[0], "output_2": outputs[1]}
    messages = tuple({"role": role, "content": fill(text, values)} for role, text in item.fields["parts"])
    return Question(messages, max_tokens=1, temperature=1.0, top_logprobs=5)


def preference_of(judgment: Judgment, first_is_model: bool) -> float | None:
    """1 to 2, where 2 is the tested model; None where the judge named neither answer."""
    tokens = judgment.first_token or {}
    first, second = (math.exp(tokens[name]) if name in tokens else 0.0 for name in ("m", "M"))
    if first + second == 0:
        return None
    value = 2 - first / (first + second)  # 1: the first shown won, 2: the second
    return 3 - value if first_is_model else value


def score(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """The preference of each item; missing where the call failed."""
    judge = tools.judge_for("alpaca_eval_2")
    outputs = {item.item_id: answers[item.item_id][0].text for item in items}
    differing = [item for item in items if outputs[item.item_id] != item.fields["baseline"]]
    questions = {item.item_id: question_of(item, outputs[item.item_id]) for item in differing}
    is_strict = tools.switches.unrated == "missing"
    asked = judge.ask_all(list(questions.values()), "judge", names_one if is_strict else None)
    judgments = dict(zip(questions, asked, strict=True))
    scores = []
    for item in items:
        groups = dict(item.fields["groups"])
        preference: float | None = 1.5  # the baseline's own words are as good as the baseline
        if item.item_id in questions:
            judgment = judgments[item.item_id]
            if judgment is None:
                reason = judge.why_missing(questions[item.item_id])
                scores.append(ItemScore(item.item_id, None, reason=reason, groups=groups))
                continue
            preference = preference_of(judgment, model_is_first(item.item_id))
        details: dict[str, Any] = {"preference": preference, "length": len(outputs[item.item_id])}
        one = ItemScore(item.item_id, None, details, groups=groups)
        if preference is None:
            one.reason, one.dropped = (
                "the judge named neither answer (--unrated drop leaves it out)",
                not is_strict,
            )
        else:
            one.score = preference - 1
        scores.append(one)
    return scores


def names_one(judgment: Judgment) -> bool:
    """Whether the judge named one of the answers."""
    return preference_of(judgment, first_is_model=True) is not None


def length_control(scores: Sequence[ItemScore], items: Sequence[Item]) -> LengthControl:
    """The controlled win rate of scored items."""
    return LengthControl(
        [score.extracted["preference"] for score in scores],
        [len(item.fields["baseline"]) for item in items],
        [score.extracted["length"] for score in scores],
        items[0].fields["gamed"],
    )


def paired(
    scores: Sequence[ItemScore], reference: Sequence[ItemScore], items: Sequence[Item]
) -> dict[str, Any] | None:
    """Difference of the controlled win rates; drawing items again fits both models' rates again."""
    ours, theirs = length_control(scores, items), length_control(reference, items)
    return bootstrap_difference(ours.rate, theirs.rate, len(items), rounds=PAIRED_ROUNDS)


def summarise(scores: Sequence[ItemScore], items: Sequence[Item]) -> Summary:
    """Length-controlled win rate; the plain one beside it."""
    preferences = [score.extracted["preference"] for score in scores]
    lengths = [score.extracted["length"] for score in scores]
    baseline_lengths = [len(item.fields["baseline"]) for item in items]
    plain = plain_win_rate(preferences)
    rate = length_controlled_win_rate(preferences, baseline_lengths, lengths, items[0].fields["gamed"])
    breakdown = {
        "plain win rate": plain.value,
        "plain win rate, standard error": plain.standard_error,
        "judged": float(rate.n),
        "mean length": sum(lengths) / len(lengths),
    }
    return Summary(rate.value, rate.standard_error, breakdown)


@dataclass(frozen=True)
class PublishedScore:
    """Win rates of a published annotations file, in percent. Final only where all instructions are judged."""

    length_controlled: float
    length_controlled_error: float
    win_rate: float
    win_rate_error: float
    n: int
    n_missing: int
    is_final: bool


def score_published(
    annotations: Sequence[Mapping[str, Any]],
    gamed: Sequence[Mapping[str, Any]],
    instructions: Sequence[str] | None = None,
    baseline: str = "gpt4_1106_preview",
) -> PublishedScore:
    """Scores the rows of an annotations.json as AlpacaEval publishes it, with the rows of df_gamed.csv.

    Rows hold instruction, output_1, output_2, generator_1, generator_2, preference (1 to 2, 2 for the second output;
    0 a tie; null or NaN missing). `instructions` gives the baseline file's order and is needed where rows are missing
    or stand in another order. A row that comes twice counts once, the later one; where the baseline is the second
    generator the preference is turned round.
    """
    difficulties = gamed_rows(gamed)
    count = len({row.index for row in difficulties})
    by_instruction = {row["instruction"]: row for row in annotations}
    if instructions is None:
        if len(by_instruction) != count:
            raise BadInput(
                f"{len(by_instruction)} of {count} instructions are judged; give the baseline's instructions in their "
                "order, so that the missing ones are known"
            )
        instructions = list(by_instruction)
    strange = [text for text in by_instruction if text not in set(instructions)]
    if strange:
        raise BadInput(
            f"{len(strange)} annotations are of no known instruction, the first: {strange[0][:80]!r}"
        )
    rows = [by_instruction.get(text) for text in instructions]
    preferences = [None if row is None else oriented_preference(row, baseline) for row in rows]
    lengths = [(0, 0) if row is None else oriented_lengths(row, baseline) for row in rows]
    plain = plain_win_rate(preferences)
    rate = length_controlled_win_rate(
        preferences, [first for first, _ in lengths], [second for _, second in lengths], difficulties
    )
    missing = len(preferences) - plain.n
    return PublishedScore(
        rate.value, rate.standard_error, plain.value, plain.standard_error, plain.n, missing, missing == 0
    )


def is_turned(row: Mapping[str, Any], baseline: str) -> bool:
    """Whether the baseline's output stands second."""
    return row.get("generator_2") == baseline and row.get("generator_1") != baseline


def oriented_preference(row: Mapping[str, Any], baseline: str) -> float | None:
    """1 to 2, 2 for the tested model; None where it is missing."""
    preference = row.get("preference")
    value = preference_value(None if preference is None else float(preference))
    if value is not None and not 1 <= value <= 2:
        raise BadInput(
            f"preference {value} of {row['instruction'][:80]!r}: must be from 1 to 2, or 0 for a tie"
        )
    return value if value is None or not is_turned(row, baseline) else 3 - value


def oriented_lengths(row: Mapping[str, Any], baseline: str) -> tuple[int, int]:
    """Characters of the baseline's and of the tested model's output."""
    first, second = len(row["output_1"]), len(row["output_2"])
    return (second, first) if is_turned(row, baseline) else (first, second)
