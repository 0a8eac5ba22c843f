"""One row of a dataset becomes a draft, or the reason why it does not: one function per dataset's layout.

A row is a tuple in the order of `Layout.all_columns`. Each function looks at its row alone, so the outcome
does not depend on the order of the input.
"""

import re
from collections.abc import Callable
from typing import Any

from fusechat.records import Domain, Message
from sampling.selection.drafts import Draft, make_draft
from sampling.selection.layouts import (
    ALPACA_ZH,
    HELPSTEER2,
    LEETCODE,
    MAGPIE_PRO_DPO,
    MAGPIE_ZH,
    OPENMATHINSTRUCT2,
    SELF_OSS,
    ULTRAFEEDBACK,
)
from sampling.selection.leetcode_tests import leetcode_problem
from sampling.selection.self_oss_tests import find_tests
from sampling.selection.settings import DatasetSettings
from sampling.selection.topic_filter import topic_of

Row = tuple[Any, ...]
Outcome = Draft | str

# Magpie's labels; None: a known label of neither topic. Values come from a language model that tags, so case
# differs, and a label that is not here leaves the decision to the text.
LABEL_TOPICS: dict[str, str | None] = {
    "coding & debugging": "code",
    "math": "math",
    "information seeking": None,
    "reasoning": None,
    "planning": None,
    "editing": None,
    "role playing": None,
    "data analysis": None,
    "creative writing": None,
    "advice seeking": None,
    "brainstorming": None,
    "others": None,
}
TURN_MARKER = re.compile(r"(?:^|\n)<extra_id_1>(User|Assistant)[ \t]*(?:\n|$)")
CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
LETTER = re.compile(r"[^\W\d_]")


def ultrafeedback(row: Row, settings: DatasetSettings) -> Outcome:
    """Columns instruction, source; `source` says where a prompt came from, not its topic."""
    instruction, source = row
    return _single_turn(ULTRAFEEDBACK, "instruction", instruction, settings, meta={"source": source})


def magpie_pro_dpo(row: Row, settings: DatasetSettings) -> Outcome:
    """Columns instruction, task_category, input_quality, difficulty."""
    return _magpie(MAGPIE_PRO_DPO, "instruction", row, settings)


def magpie_zh(row: Row, settings: DatasetSettings) -> Outcome:
    """Columns instruction, task_category, input_quality, difficulty."""
    return _magpie(MAGPIE_ZH, "chinese", row, settings)


def helpsteer2(row: Row, settings: DatasetSettings) -> Outcome:
    """Column prompt: one turn, or several turns joined by marker lines."""
    (prompt,) = row
    if prompt is None or not prompt.strip():
        return "empty"
    messages = split_turns(prompt)
    if messages is None:
        return "broken turns"
    return _filtered(HELPSTEER2, "instruction", messages, settings, meta={}, label=None)


def openmathinstruct2(row: Row, settings: DatasetSettings) -> Outcome:
    """Columns problem, generated_solution, expected_answer, problem_source."""
    problem, _, expected_answer, problem_source = row
    if problem is None or not problem.strip():
        return "empty"
    if expected_answer is None or not expected_answer.strip():
        return "no gold answer"
    if settings.problem_sources is not None and problem_source not in settings.problem_sources:
        return "problem source"
    messages = [Message("user", problem.strip())]
    length = _length_reason(messages, settings)
    if length:
        return length
    return make_draft(
        OPENMATHINSTRUCT2,
        "math",
        messages,
        meta={"problem_source": problem_source},
        gold_answer=expected_answer.strip(),
    )


def leetcode(row: Row, settings: DatasetSettings) -> Outcome:
    """Columns content, python, id, slug, title, difficulty; the tests come from the content's examples."""
    content, python, number, slug, title, difficulty = row
    if content is None or not content.strip():
        return "empty"
    problem = leetcode_problem(content, python or "", slug or "")
    if isinstance(problem, str):
        return problem
    messages = [Message("user", problem.prompt)]
    length = _length_reason(messages, settings)
    if length:
        return length
    return make_draft(
        LEETCODE,
        "code",
        messages,
        meta={"id": number, "slug": slug, "title": title, "difficulty": difficulty},
        tests=problem.tests,
        reference_code=problem.reference_code,
    )


def self_oss(row: Row, settings: DatasetSettings) -> Outcome:
    """Columns instruction, response, sha1; tests stand in the instruction, or else in the response."""
    instruction, response, sha1 = row
    if instruction is None or not instruction.strip():
        return "empty"
    found = find_tests(instruction, response or "")
    if isinstance(found, str):
        return found
    messages = [Message("user", instruction.strip())]
    length = _length_reason(messages, settings)
    if length:
        return length
    return make_draft(
        SELF_OSS,
        "code",
        messages,
        meta={"sha1": sha1, "tests_from": found.place},
        tests=found.tests,
        reference_code=found.reference_code,
    )


def alpaca_zh(row: Row, settings: DatasetSettings) -> Outcome:
    """Columns instruction, input; the prompt is the instruction, and on a new line the input if there is one."""
    instruction, extra = row
    if instruction is None or not instruction.strip():
        return "empty"
    text = instruction.strip()
    if extra is not None and extra.strip():
        text = f"{text}\n{extra.strip()}"
    return _single_turn(ALPACA_ZH, "chinese", text, settings, meta={})


def split_turns(prompt: str) -> list[Message] | None:
    """HelpSteer2's turns: text, then marker lines that open the next turn; None where roles do not alternate."""
    pieces = TURN_MARKER.split(prompt)
    texts, roles = pieces[::2], ["User", *pieces[1::2]]
    if not texts[0].strip() and len(texts) > 1:  # the first turn has a marker of its own
        texts, roles = texts[1:], roles[1:]
    messages: list[Message] = []
    for role, text in zip(roles, texts, strict=True):
        expected = "User" if len(messages) % 2 == 0 else "Assistant"
        if role != expected or not text.strip():
            return None
        messages.append(Message("user" if role == "User" else "assistant", text.strip()))
    return messages if messages[-1].role == "user" else None


def _magpie(dataset: str, domain: Domain, row: Row, settings: DatasetSettings) -> Outcome:
    instruction, task_category, input_quality, difficulty = row
    if (
        settings.input_qualities is not None
        and (input_quality or "").strip().lower() not in settings.input_qualities
    ):
        return "input quality"
    meta = {"task_category": task_category, "input_quality": input_quality, "difficulty": difficulty}
    return _single_turn(dataset, domain, instruction, settings, meta=meta, label=task_category)


def _single_turn(
    dataset: str,
    domain: Domain,
    text: str | None,
    settings: DatasetSettings,
    *,
    meta: dict[str, object],
    label: str | None = None,
) -> Outcome:
    if text is None or not text.strip():
        return "empty"
    return _filtered(dataset, domain, [Message("user", text.strip())], settings, meta=meta, label=label)


def _filtered(
    dataset: str,
    domain: Domain,
    messages: list[Message],
    settings: DatasetSettings,
    *,
    meta: dict[str, object],
    label: str | None,
) -> Outcome:
    length = _length_reason(messages, settings)
    if length:
        return length
    text = "\n".join(message.content for message in messages)
    if settings.min_chinese_share > 0 and chinese_share(text) < settings.min_chinese_share:
        return "not Chinese"
    if settings.excluded_topics:
        label_key = (label or "").strip().lower()
        by_label = label_key in LABEL_TOPICS
        topic = LABEL_TOPICS[label_key] if by_label else topic_of(text)
        if topic in settings.excluded_topics:
            return f"{topic} by {'label' if by_label else 'text'}"
    return make_draft(dataset, domain, messages, meta=meta)


def _length_reason(messages: list[Message], settings: DatasetSettings) -> str | None:
    length = sum(len(message.content) for message in messages)
    if length > settings.max_characters:
        return "too long"
    return "too short" if length < settings.min_characters else None


def chinese_share(text: str) -> float:
    """Chinese characters among all letters; 0 where there is no letter."""
    letters = len(LETTER.findall(text))
    return len(CHINESE.findall(text)) / letters if letters else 0.0


ROW_FILTERS: dict[str, Callable[[Row, DatasetSettings], Outcome]] = {
    ULTRAFEEDBACK: ultrafeedback,
    MAGPIE_PRO_DPO: magpie_pro_dpo,
    HELPSTEER2: helpsteer2,
    OPENMATHINSTRUCT2: openmathinstruct2,
    LEETCODE: leetcode,
    SELF_OSS: self_oss,
    ALPACA_ZH: alpaca_zh,
    MAGPIE_ZH: magpie_zh,
}
