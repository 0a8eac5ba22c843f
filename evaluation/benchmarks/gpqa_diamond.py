"""GPQA-Diamond, 198 graduate-level questions with four options; one greedy answer.

Data: jeggers/gpqa_formatted (config diamond, split train; options in a fixed order), else DATA_ROOT/Idavidrein/gpqa
(gpqa_diamond), whose options are shuffled with a fixed seed. The owners ask that questions are not published: they
stay in the files of the output folder and never get into logs, tables or plots.
"""

import random

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles
from evaluation.multiple_choice import (
    INSTRUCTION_FILES,
    choice_item,
    closing_instruction,
    greedy_choice,
    score_choices,
)  # fmt: skip

TITLE = "GPQA-Diamond"
SCALE = 100.0
SHUFFLE_SEED = 0
DOWNLOADS = (HubFiles("jeggers/gpqa_formatted", ("diamond/*",)), INSTRUCTION_FILES)

score = score_choices


def load(sources: Sources) -> list[Item]:
    """The set with fixed options where it is there, else the original."""
    if sources.local_folder("jeggers/gpqa_formatted") is None and sources.local_folder("Idavidrein/gpqa"):
        return original_items(sources)
    columns = ("Question", "options", "answer")
    closing = closing_instruction(sources)
    rows = sources.rows("jeggers/gpqa_formatted", config="diamond", split="train", columns=columns)
    return [
        choice_item(
            closing, f"gpqa-{index}", row["Question"], row["options"], int(row["answer"]), private=True
        )
        for index, row in enumerate(rows)
    ]


def original_items(sources: Sources) -> list[Item]:
    """Options of the original, shuffled; the order depends on the row alone."""
    wrong = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    columns = ("Question", "Correct Answer", *wrong)
    rows = sources.rows("Idavidrein/gpqa", config="gpqa_diamond", split="train", columns=columns)
    closing = closing_instruction(sources)
    items = []
    for index, row in enumerate(rows):
        order = [0, 1, 2, 3]
        random.Random(f"{SHUFFLE_SEED}/{index}").shuffle(order)
        options = [row["Correct Answer"], *(row[name] for name in wrong)]
        shuffled = [options[position].strip() for position in order]
        items.append(
            choice_item(closing, f"gpqa-{index}", row["Question"], shuffled, order.index(0), private=True)
        )
    return items


def generating(item: Item, family: str) -> Generating:
    """Greedy; prompt and answer together may take 8192 tokens here."""
    return greedy_choice(family, max_total_tokens=8192)
