r"""Check the final answer of every maths response against its prompt's gold answer.

    python scoring/check_math.py --prompts runs/demo/prompts.jsonl --responses runs/demo/responses \
        --output runs/demo/math_checks.jsonl --workers 2

Reads prompts and responses (files, folders, globs); only prompts of domain `math` count. Writes one line a
response, {response_id, correct, extracted, reason}, in the order of the input: correct is null, with the reason,
where the prompt has no gold answer or the comparison could not be decided within the time limit.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fusechat.command_line import ShardArgs, StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.inputs import Shard, resolve_shard
from fusechat.jsonl import count_answers, read_jsonl, read_prompts, read_responses
from fusechat.math_answers import AnswerChecker, find_answer, normalise_answer
from fusechat.output_file import OutputFile
from fusechat.progress import Progress
from fusechat.records import MathVerdict, Prompt
from fusechat.run_manifest import Manifest
from fusechat.tracking import start_tracking

NO_GOLD_ANSWER = "no gold answer"
# What is kept of an extracted answer: more is no answer, and would only blow up the file.
MAX_EXTRACTED_CHARACTERS = 1_000


@dataclass(kw_only=True)
class Args(StepArgs, ShardArgs):
    """Settings of check_math.py."""

    prompts: list[str]
    """Prompt files, folders or globs; math prompts need gold_answer."""
    responses: list[str]
    """Response files, folders or globs."""
    output: Path
    """File that gets the verdicts."""
    workers: int = max(1, os.cpu_count() or 1)
    """Processes for symbolic comparison (none is started while strings and numbers are enough)."""
    timeout: float = 5.0
    """Limit of one symbolic comparison, seconds of processor time (six times as much of wall time)."""
    accept_percent_factor: bool = False
    """Accept gold x 100 and gold / 100 for numbers, as the Qwen2.5-Math evaluation does; risks false passes."""


def check(args: Args) -> None:
    """Reads the responses, writes the verdicts, prints the summary."""
    if args.workers < 1 or args.timeout <= 0:
        raise BadInput(f"--workers {args.workers} --timeout {args.timeout:g}: both must be above 0")
    shard = resolve_shard(args.num_shards, args.shard_index)
    inputs = {"prompts": args.prompts, "responses": args.responses}
    manifest = Manifest(script=__file__, args=args, inputs=inputs, free=("workers",))
    output = OutputFile(
        shard.path(args.output), id_field="response_id", manifest=manifest, overwrite=args.overwrite
    )
    if output.is_complete:
        output.say_complete()
        return
    prompts = read_prompts(args.prompts)
    total = shard.size(count_answers(args.responses, prompts, "math"))
    tracker = start_tracking(
        args.report_to,
        step="check_math",
        name=args.run_name,
        config=manifest.arguments,
        directory=args.output.parent,
    )
    counts: Counter[str] = Counter()
    order: list[str] = []
    with (
        output,
        AnswerChecker(args.workers, args.timeout, percent_factor=args.accept_percent_factor) as checker,
    ):
        if output.done:
            counts.update(_outcome(verdict) for verdict in read_jsonl([output.partial], MathVerdict))
        answers = _answers(args, shard, prompts, order, output, counts)
        with Progress(total, unit="answers", description="check", initial=len(output.done)) as progress:
            for (response_id, extracted), comparison in checker.compare_all(answers):
                verdict = MathVerdict(response_id, comparison.correct, extracted, comparison.reason)
                output.write(verdict)
                counts[_outcome(verdict)] += 1
                progress.update(len(output.done) - progress.count)
        output.finish(counts=dict(counts), order=order)
    _print_summary(counts, len(order), output.path)
    tracker.log({f"answers/{name}": count for name, count in counts.items()})
    tracker.finish()


def _answers(
    args: Args,
    shard: Shard,
    prompts: dict[str, Prompt],
    order: list[str],
    output: OutputFile,
    counts: Counter[str],
) -> Iterator[tuple[tuple[str, str | None], str | None, str]]:
    """((response_id, extracted), answer as written, gold) of every answer that is still to be compared."""
    position = 0
    for response in read_responses(args.responses, prompts):
        prompt = prompts[response.prompt_id]
        if prompt.domain != "math":
            continue
        position += 1
        if not shard.owns(position - 1):
            continue
        order.append(response.response_id)
        if response.response_id in output.done:
            continue
        answer = find_answer(response.text)
        extracted = normalise_answer(answer)[:MAX_EXTRACTED_CHARACTERS] or None
        if not (prompt.gold_answer or "").strip():
            verdict = MathVerdict(response.response_id, None, extracted, NO_GOLD_ANSWER)
            output.write(verdict)
            counts[_outcome(verdict)] += 1
            continue
        yield (response.response_id, extracted), answer, prompt.gold_answer or ""


def _outcome(verdict: MathVerdict) -> str:
    if verdict.correct is None:
        return f"null: {verdict.reason}"
    if verdict.correct:
        return "correct"
    return "wrong" if verdict.extracted else "wrong: no answer found"


def _print_summary(counts: Counter[str], total: int, path: Path) -> None:
    print(f"read {total} maths answers -> {path}")
    for outcome in ("correct", "wrong", "wrong: no answer found"):
        share = f" ({100 * counts[outcome] / total:.1f} %)" if total else ""
        print(f"  {outcome}: {counts[outcome]}{share}")
    for outcome in sorted(name for name in counts if name.startswith("null")):
        print(f"  {outcome}: {counts[outcome]}")


def main() -> None:
    """Command line."""
    check(parse_args(Args))


if __name__ == "__main__":
    run(main)
