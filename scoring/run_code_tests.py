r"""Run the code of every answer to a code prompt against the prompt's tests, isolated, and write verdicts.

    python scoring/run_code_tests.py --prompts runs/demo/prompts.jsonl --responses runs/demo/responses \
        --output runs/demo/code_tests.jsonl --workers 2

Reads prompts and responses (files, folders, globs); only prompts of domain `code` count, others are skipped and
counted. Writes one line a response, in the order of the input: {response_id, verdict, reason, passed_tests,
total_tests, first_failure, static, code_sha256, tests_sha256, blocks_used, wall_s, cpu_s, ..., isolation}.
Only the verdict `pass` counts as right. Code runs in a sandbox: see fusechat/sandbox.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fusechat.code_blocks import find_code
from fusechat.command_line import ShardArgs, StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.inputs import Shard, resolve_shard
from fusechat.jsonl import count_answers, read_jsonl, read_prompts, read_responses
from fusechat.output_file import OutputFile
from fusechat.progress import Progress
from fusechat.records import CodeVerdict, Prompt
from fusechat.run_manifest import Manifest
from fusechat.sandbox import Case, CodeTests, Isolation, Limits, Sandbox, Unavailable, Verdict
from fusechat.tracking import start_tracking

VERDICTS = ("pass", "fail", "error", "timeout", "no_code", "bad_tests")


@dataclass(kw_only=True)
class Args(StepArgs, ShardArgs):
    """Settings of run_code_tests.py."""

    prompts: list[str]
    """Prompt files, folders or globs; code prompts need tests."""
    responses: list[str]
    """Response files, folders or globs."""
    output: Path
    """File that gets the verdicts."""
    workers: int = len(os.sched_getaffinity(0))
    """Answers judged at the same time; more than the machine has cores would make time-outs depend on load."""
    timeout: float = 10.0
    """Seconds of wall time, and of processor time, for one answer's tests (for each run, with stdin/stdout tests)."""
    isolation: Isolation = "auto"
    """auto takes A (bubblewrap), else B (Landlock and seccomp), else stops; none protects nothing."""
    prelude: bool = True
    """Offer usual imports (typing, math, collections ...) to answers and tests that forgot them."""


class Run:
    """One run over the answers: what was read, what is in flight, what is known already."""

    def __init__(self, args: Args, shard: Shard, prompts: dict[str, Prompt], output: OutputFile) -> None:
        self.args, self.shard, self.prompts, self.output = args, shard, prompts, output
        self.limits = Limits(wall_s=args.timeout, cpu_s=args.timeout, load_s=min(5.0, args.timeout))
        self.counts: Counter[str] = Counter()
        self.order: list[str] = []
        self.known: dict[str, CodeVerdict] = {}
        self.waiting: dict[str, list[str]] = {}
        self.cases: dict[str, Case] = {}
        if output.done:
            for record in read_jsonl([output.partial], CodeVerdict):
                self.count(record)
                self.known[f"{record.code_sha256}:{record.tests_sha256}:{record.limits_id}"] = record

    def new_cases(self) -> Iterator[Case]:
        """Answers still to be judged, the same code with the same tests only once."""
        for response in read_responses(self.args.responses, self.prompts):
            prompt = self.prompts[response.prompt_id]
            if prompt.domain != "code":
                self.counts["skipped: other domain"] += 1
                continue
            self.counts["read"] += 1
            if not self.shard.owns(self.counts["read"] - 1):
                continue
            self.order.append(response.response_id)
            if response.response_id in self.output.done:
                continue
            found = find_code(response.text)
            tests = CodeTests() if prompt.tests is None else CodeTests.of(prompt.tests)
            case = Case(
                response.response_id, found.blocks, tests, self.limits, self.args.prelude, found.whole_text
            )
            if case.key in self.known:
                self.counts["same code and tests as an earlier answer"] += 1
                self.write(response.response_id, self.known[case.key])
            elif case.key in self.waiting:
                self.counts["same code and tests as an earlier answer"] += 1
                self.waiting[case.key].append(response.response_id)
            else:
                self.waiting[case.key] = [response.response_id]
                self.cases[response.response_id] = case
                yield case

    def settle(self, verdict: Verdict) -> None:
        """Write a verdict for every answer that waited for it."""
        key = self.cases.pop(verdict.case_id).key
        record = record_of(verdict)
        self.known[key] = record
        for response_id in self.waiting.pop(key):
            self.write(response_id, record)

    def write(self, response_id: str, record: CodeVerdict) -> None:
        copy = record_of(record, response_id)
        self.output.write(copy)
        self.count(copy)

    def count(self, record: CodeVerdict) -> None:
        self.counts[f"verdict: {record.verdict}"] += 1
        if record.reason == "runner":
            self.counts["runner"] += 1


def record_of(verdict: Verdict | CodeVerdict, response_id: str = "") -> CodeVerdict:
    """The line of the output for a verdict."""
    fields = CodeVerdict.__struct_fields__
    values = {name: getattr(verdict, name) for name in fields if name != "response_id"}
    return CodeVerdict(response_id=response_id or getattr(verdict, "case_id", ""), **values)


def judge_answers(args: Args) -> None:
    """Reads the responses, has them judged, writes the verdicts, prints the summary."""
    if args.workers < 1 or args.timeout <= 0:
        raise BadInput(f"--workers {args.workers} --timeout {args.timeout:g}: both must be above 0")
    shard = resolve_shard(args.num_shards, args.shard_index)
    inputs = {"prompts": args.prompts, "responses": args.responses}
    manifest = Manifest(script=__file__, args=args, inputs=inputs, free=("workers",))
    path = shard.path(args.output)
    output = OutputFile(path, id_field="response_id", manifest=manifest, overwrite=args.overwrite)
    if output.is_complete:
        output.say_complete()
        return
    prompts = read_prompts(args.prompts)
    total = shard.size(count_answers(args.responses, prompts, "code"))
    output.check_writable()
    try:
        sandbox = Sandbox(args.isolation, args.workers)
    except Unavailable as error:
        raise BadInput(f"--isolation {args.isolation}: {error}") from None
    manifest.extra["isolation_level"] = sandbox.level
    tracker = start_tracking(
        args.report_to, step="run_code_tests", name=args.run_name, config=manifest.arguments,
        directory=args.output.parent,
    )  # fmt: skip
    with sandbox, output:
        work = Run(args, shard, prompts, output)
        again: list[Case] = []
        with Progress(total, unit="answers", description="judge", initial=len(output.done)) as progress:
            for verdict in sandbox.judge_all(work.new_cases()):
                if verdict.reason == "runner":
                    again.append(work.cases[verdict.case_id])
                else:
                    work.settle(verdict)
                    progress.update(len(output.done) - progress.count)
            for case in again:  # a fault of ours, not the answer's: once more, alone, before it is written
                work.settle(sandbox.judge(case))
                progress.update(len(output.done) - progress.count)
        output.finish(counts=dict(work.counts), order=work.order)
    print_summary(work.counts, sandbox.level, path, progress.rate)
    tracker.log({f"answers/{name}": count for name, count in work.counts.items()})
    tracker.finish()


def print_summary(counts: Counter[str], level: str, path: Path, rate: float) -> None:
    """Counts by verdict; the rate leaves out bad tests and faults of the runner."""
    total = sum(counts[f"verdict: {name}"] for name in VERDICTS)
    rated = total - counts["verdict: bad_tests"] - counts["runner"]
    share = f" = {100 * counts['verdict: pass'] / rated:.1f} % of {rated}" if rated else ""
    print(f"read {counts['read']} code answers, judged {total} at isolation {level}, {rate:.1f}/s -> {path}")
    for name in VERDICTS:
        print(f"  {name}: {counts[f'verdict: {name}']}{share if name == 'pass' else ''}")
    print(
        f"  left out of the rate: {counts['verdict: bad_tests']} bad tests, {counts['runner']} runner faults"
    )
    print(f"  skipped (prompt of another domain): {counts['skipped: other domain']}")
    print(f"  same code and tests as an earlier answer: {counts['same code and tests as an earlier answer']}")


def main() -> None:
    """Command line."""
    judge_answers(parse_args(Args))


if __name__ == "__main__":
    run(main)
