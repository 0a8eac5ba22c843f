"""The end of a sampling run: what was read, sampled and skipped, and the answers in their final order."""

from pathlib import Path
from typing import Any

from fusechat.errors import BadInput
from fusechat.jsonl import read_jsonl
from fusechat.output_file import OutputFile
from fusechat.records import Response
from sampling.answer_plan import AnswerPlan


def finish(output: OutputFile, plan: AnswerPlan) -> dict[str, Any]:
    """Counts what is there, puts it in its final order under its final name, and tells the counts."""
    answers = tokens = cut = empty = 0
    prompts: set[str] = set()
    for response in read_jsonl([output.partial], Response) if output.done else ():
        answers += 1
        tokens += response.num_tokens or 0
        cut += response.finish_reason == "length"
        empty += not response.text.strip()
        prompts.add(response.prompt_id)
    counts = {
        "prompts_read": plan.prompts_read,
        "prompts_sampled": len(prompts),
        "prompts_skipped": dict(plan.skipped),
        "answers": answers,
        "cut_by_length": cut,
        "empty": empty,
        "tokens": tokens,
    }
    if answers == 0 and plan.prompts:
        raise BadInput(
            f"no prompt could be sampled: {dict(plan.skipped)}; see --max-model-len and --max-tokens"
        )
    order = (answer.response_id for answer in plan.answers() if answer.response_id in output.done)
    output.finish(counts=counts, order=order)
    return counts


def say_counts(counts: dict[str, Any], path: Path) -> None:
    """The last lines of a run: read / sampled / skipped (why)."""
    skipped = (
        ", ".join(f"{reason} {number}" for reason, number in counts["prompts_skipped"].items()) or "none"
    )
    print(
        f"prompts read {counts['prompts_read']} / sampled {counts['prompts_sampled']} / skipped: {skipped}\n"
        f"answers {counts['answers']} ({counts['tokens']} tokens), cut by length {counts['cut_by_length']}, "
        f"empty {counts['empty']}\n{path}"
    )
