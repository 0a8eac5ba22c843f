"""The maths benchmarks' common protocol: zero-shot chain of thought, the final answer in a box, one greedy sample.

The sentence that asks for it is the system message (behind the question where a template takes none), as in the
Qwen2.5-Math evaluation. Its exact words are read from DATA_ROOT/QwenLM/Qwen2.5-Math/evaluation/utils.py where a clone
is there (it is not run); else a sentence of our own asks the same. Scoring is `fusechat.math_answers`.
`grade` checks any solutions against their gold answers, published ones too.
"""

import ast
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Tools
from evaluation.dataset_files import Sources
from evaluation.downloads import GitHubFiles
from fusechat.errors import BadInput
from fusechat.math_answers import AnswerChecker, find_answer, normalise_answer

OWN_INSTRUCTION = "Think through the problem step by step, and write your final answer inside \\boxed{}."
REPOSITORY, TEMPLATE = "QwenLM/Qwen2.5-Math", "qwen25-math-cot"
INSTRUCTION_FILES = GitHubFiles(
    REPOSITORY, "a45202bd16f1ec06f433442dc1152d0074773465", ("evaluation/utils.py",)
)
TWO_WORDS = {"yes": "Yes or No", "no": "Yes or No", "true": "True or False", "false": "True or False"}
MAX_EXTRACTED_CHARACTERS = 1_000

Key = TypeVar("Key", bound=Hashable)

_SYSTEM_PART = re.compile(r"system\n(.*?)<\|im_end\|>", re.DOTALL)


def instruction(sources: Sources) -> str:
    """The sentence of the Qwen2.5-Math evaluation where its file is there, else our own."""
    folder = sources.local_folder(REPOSITORY)
    path = folder / "evaluation" / "utils.py" if folder is not None else None
    if path is None or not path.is_file():
        return OWN_INSTRUCTION
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
            if not (isinstance(key, ast.Constant) and key.value == TEMPLATE and isinstance(value, ast.Tuple)):
                continue
            text = value.elts[0].value if isinstance(value.elts[0], ast.Constant) else ""
            if part := _SYSTEM_PART.search(str(text)):
                return part.group(1).replace("{{", "{").replace("}}", "}")
    raise BadInput(f"{path}: has no template {TEMPLATE} with a system part; use the published repository")


def maths_item(sentence: str, item_id: str, question: str, gold: str, **groups: str) -> Item:
    """An item of a maths benchmark; `groups` name the parts that scores are also given for.

    Where the gold answer is one of two words, both stand behind the question.
    """
    words = TWO_WORDS.get(normalise_answer(gold).lower())
    asked = f"{question} ({words})" if words else question
    messages = ({"role": "system", "content": sentence}, {"role": "user", "content": asked})
    return Item(
        item_id=item_id, messages=messages, gold=gold, fields={"groups": groups, "system_behind": True}
    )


def greedy_maths(max_tokens: int = 2048) -> Generating:
    """Greedy, without the blocks that chat templates add by themselves."""
    return Generating(max_tokens=max_tokens, chat_style="bare")


class Grade(NamedTuple):
    """The final answer found in a solution, in normal form, whether it is right, and why that is unknown."""

    extracted: str
    correct: bool | None
    reason: str | None


def grade(
    solutions: Iterable[tuple[Key, str, str]],
    workers: int = 1,
    timeout_s: float = 5.0,
    percent_factor: bool = False,
) -> dict[Key, Grade]:
    """Grades (key, solution text, gold answer) by key; a comparison that does not end is None with its reason.

    With `percent_factor` the gold answer times 100 or divided by 100 is right too, as in the Qwen2.5-Math evaluation.
    """
    written = {key: (find_answer(text), gold) for key, text, gold in solutions}
    grades = {}
    with AnswerChecker(workers, timeout_s, percent_factor=percent_factor) as checker:
        pairs = ((key, answer, gold) for key, (answer, gold) in written.items())
        for key, comparison in checker.compare_all(pairs):
            extracted = normalise_answer(written[key][0])
            grades[key] = Grade(extracted, comparison.correct, comparison.reason)
    return grades


def score_maths(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """1 for the gold answer, else 0; a comparison that does not end counts 0 and keeps its reason."""
    solutions = ((item.item_id, answers[item.item_id][0].text, item.gold) for item in items)
    grades = grade(solutions, tools.workers, tools.math_timeout_s, tools.switches.percent_factor)
    scores = []
    for item in items:
        one = grades[item.item_id]
        extracted = one.extracted[:MAX_EXTRACTED_CHARACTERS] or None
        groups = dict(item.fields.get("groups", {}))
        scores.append(
            ItemScore(item.item_id, float(bool(one.correct)), extracted, item.gold, one.reason, groups)
        )
    return scores
