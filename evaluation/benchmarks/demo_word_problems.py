"""The demo's held-out word problems: an ordinary prompts file with gold answers, asked as it stands.

Data: `--heldout FILE`, else DATA_ROOT/fusechat-demo/word-problems/heldout.jsonl. Score: share of right answers.
"""

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.maths_protocol import score_maths
from fusechat.errors import BadInput
from fusechat.jsonl import read_prompts

TITLE = "Held-out word problems"
SCALE = 100.0
PLACE = "fusechat-demo/word-problems/heldout.jsonl"

score = score_maths


def load(sources: Sources) -> list[Item]:
    """One item a prompt."""
    path = sources.heldout
    if path is None and sources.data_root is not None:
        path = sources.data_root / PLACE
    if path is None:
        raise BadInput(
            "demo_word_problems: needs its problems; give --heldout FILE (demo/make_prompts.py writes it)"
        )
    items = []
    for prompt in read_prompts([path]).values():
        if not prompt.gold_answer:
            raise BadInput(
                f"{path}: {prompt.prompt_id}: gold_answer: is missing; held-out problems need one each"
            )
        messages = tuple({"role": turn.role, "content": turn.content} for turn in prompt.messages)
        groups = {
            name: str(prompt.meta[name]) for name in ("family", "steps", "difficulty") if name in prompt.meta
        }
        items.append(
            Item(
                item_id=prompt.prompt_id,
                messages=messages,
                gold=prompt.gold_answer,
                fields={"groups": groups},
            )
        )
    return items


def generating(item: Item, family: str) -> Generating:
    """Greedy."""
    return Generating(max_tokens=512, max_total_tokens=2048)
