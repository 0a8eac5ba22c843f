"""The multiple-choice benchmarks' common protocol: zero-shot chain of thought, a letter at the end, greedy.

The request asks for a closing sentence that names the best answer's letter: by the instruction of Meta's Llama-3.1
evaluations where lm-evaluation-harness's copy is below DATA_ROOT, else in words of our own. Extraction follows MMLU-Pro's script.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Tools
from evaluation.dataset_files import Sources
from evaluation.downloads import GitHubFiles
from fusechat.command_line import read_yaml
from fusechat.errors import BadInput

LETTERS = "ABCDEFGHIJ"
REQUEST = "Read the question and its options, and find the option that is most likely to be right."
HARNESS = "EleutherAI/lm-evaluation-harness"
HARNESS_FILE = "lm_eval/tasks/llama3/instruct/mmlu_cot/_mmlu_cot_llama_template_yaml"
INSTRUCTION_FILES = GitHubFiles(HARNESS, "v0.4.13", (HARNESS_FILE,))
OWN_CLOSING = (
    "For a simple question, answer in a sentence or two. For a hard one, work through it step by step, each step under "
    "a short heading. In either case end with this sentence, X being the letter of one option: "
    '"The best answer is X."\n\nLet us think step by step.'
)
# What MMLU-Pro's script guessed without an answer: it set the seed anew each time, so that the guess is a constant.
CONSTANT_GUESS = {2: 1, 3: 1, 4: 3, 5: 3, 6: 3, 7: 3, 8: 6, 9: 6, 10: 6}

_ANSWER_IS = re.compile(r"answer is \(?([A-J])\)?")
_ANSWER_COLON = re.compile(r"[aA]nswer:\s*([A-J])")
_LONE_LETTER = re.compile(r"\b[A-J]\b")


def closing_instruction(sources: Sources) -> str:
    """What stands behind the options: Meta's instruction where it is there, without its list of four letters."""
    folder = sources.local_folder(HARNESS)
    path = folder / HARNESS_FILE if folder is not None else None
    if path is None or not path.is_file():
        return OWN_CLOSING
    text = str(read_yaml(path).get("doc_to_text") or "")
    behind = text.rpartition("{{choices[3]}}")[2].strip()
    if not behind:
        raise BadInput(
            f"{path}: its doc_to_text has nothing behind the options; use the file of version 0.4.13"
        )
    return "\n".join(line for line in behind.split("\n") if not line.startswith("where the ["))


def choice_item(
    closing: str,
    item_id: str,
    question: str,
    options: Sequence[str],
    answer_index: int,
    *,
    private: bool = False,
    **groups: str,
) -> Item:
    """One question with lettered options; BadInput where the answer is none of them."""
    if not 0 <= answer_index < min(len(options), len(LETTERS)):
        raise BadInput(f"{item_id}: answer {answer_index} is none of its {len(options)} options")
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    text = "\n".join([REQUEST, f"Question: {question}", "Options:", *lines, "", closing])
    return Item(
        item_id=item_id,
        messages=({"role": "user", "content": text},),
        gold=LETTERS[answer_index],
        fields={"groups": groups, "options": len(options)},
        private=private,
    )


def greedy_choice(family: str, max_total_tokens: int = 4096) -> Generating:
    """Greedy, 2048 tokens, stopped before the model asks itself another question; no system message for Qwen."""
    return Generating(
        max_tokens=2048,
        stop=("Question:",),
        max_total_tokens=max_total_tokens,
        chat_style="bare" if family.startswith("qwen") else "template",
    )


def extract_letter(text: str) -> str | None:
    """The first `answer is X`, else the last `Answer: X` of the first line with one, else the last lone letter."""
    if match := _ANSWER_IS.search(text):
        return match.group(1)
    if cues := list(_ANSWER_COLON.finditer(text)):
        end_of_line = text.find("\n", cues[0].start()) % (len(text) + 1)
        return [cue.group(1) for cue in cues if cue.start() < end_of_line][-1]
    letters = _LONE_LETTER.findall(text)
    return letters[-1] if letters else None


def score_choices(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """1 for the right letter; no letter is wrong, and the older way of guessing one is a second figure."""
    scores = []
    for item in items:
        letter = extract_letter(answers[item.item_id][0].text)
        right = float(letter == item.gold)
        guess = letter or LETTERS[CONSTANT_GUESS.get(item.fields["options"], 0)]
        scores.append(
            ItemScore(
                item.item_id,
                right,
                letter,
                item.gold,
                None if letter else "no answer found",
                dict(item.fields["groups"]),
                {"with a constant guess for no answer": float(guess == item.gold)},
            )
        )
    return scores


def without_not_available(options: Sequence[Any]) -> list[str]:
    """Options that are one: datasets fill up with "N/A"."""
    return [str(option) for option in options if str(option) != "N/A"]
