r"""Samples answers of one source model to the prompts with vLLM; each answer is on disk as soon as it is done.

Run:
    python sampling/sample_vllm.py --prompts RUN/prompts.jsonl --source Llama-3.1-70B-Instruct \
        --output RUN/responses/Llama-3.1-70B-Instruct.jsonl

Reads: prompts (JSONL), the source's sampling parameters (sampling/sources.yaml), the model.
Writes: one Response row per answer (prompt order, then sample index), and OUTPUT.run.json.

Killed at any moment, it goes on by the same command: at most the answers in flight are sampled again, with
the same seeds. They come out the same where the batch they share does not change the rounding of a logit;
no engine promises more. Shards are independent runs: one that ends early waits for nobody.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fusechat.command_line import ShardArgs, StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.inputs import resolve_shard
from fusechat.jsonl import read_prompts
from fusechat.model_folder import check_model_folder
from fusechat.output_file import OutputFile
from fusechat.records import Domain, Prompt
from fusechat.run_manifest import Manifest
from sampling.answer_counts import finish, say_counts
from sampling.answer_plan import AnswerPlan, PlannedAnswer
from sampling.answer_server import RefusedRequest
from sampling.engines import check_context, check_ray, make_engine
from sampling.monitor import SamplingMonitor
from sampling.sources import DOMAINS, Source, find_source

SOURCES_FILE = Path(__file__).parent / "sources.yaml"


@dataclass(kw_only=True)
class Args(StepArgs, ShardArgs):
    """Settings of a sampling run; what is not given comes from the source's entry."""

    prompts: list[str]
    """Prompts: files, folders or globs."""
    source: str
    """Name of the source: a key of --sources-file; it becomes part of every response_id."""
    output: Path
    """Where the answers go, X.jsonl."""
    model: str | None = None
    """Folder or Hub id of the model (default: the source's)."""
    sources_file: Path = SOURCES_FILE
    """YAML file of the sources and their sampling parameters."""
    domains: list[Domain] | None = None
    """Only prompts of these domains (default: all that the source answers)."""
    samples_per_prompt: int | None = None
    """Answers per prompt, for every domain (default: the source's, else instruction 5, math 5, code 8, chinese 1)."""
    max_tokens: int | None = None
    """Longest answer in tokens (default: the source's, else 2048); longer ones are cut and marked `length`."""
    max_model_len: int | None = None
    """Longest prompt plus answer in tokens (default: the source's, else what the model allows, on a CPU 4096)."""
    seed: int = 0
    """Run seed; each answer's own seed comes from it, the prompt_id and the sample index."""
    tensor_parallel_size: int | None = None
    """GPUs that share one copy of the model (default: the source's)."""
    data_parallel: int | None = None
    """Engines, each with its own --tensor-parallel-size GPUs; one that dies does not end the others
    (default: 1; with --ray as many as the cluster has room for)."""
    ray: bool = False
    """Spread the engines over the nodes of the Ray cluster that RAY_ADDRESS names (requirements-ray.txt)."""
    server: str | None = None
    """Sample from this OpenAI-compatible server (http://host:8000/v1) instead; --model is its name there."""
    concurrency: int = 64
    """Requests on their way to --server at once."""
    api_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key of --server."""


class Engine(Protocol):
    """What answers requests: vLLM here, or a server."""

    def generate(self, requests: Iterable[Any]) -> Iterator[Any]:
        """Yields each answer when it is finished."""


def resolve_source(args: Args) -> Source:
    """The source's settings with the flags over them. BadInput names every flag that cannot be."""
    import msgspec

    source = find_source(args.sources_file, args.source)
    wrong = []
    for name in (
        "samples_per_prompt",
        "max_tokens",
        "max_model_len",
        "tensor_parallel_size",
        "data_parallel",
        "concurrency",
    ):
        value = getattr(args, name)
        if value is not None and value < 1:
            wrong.append(f"--{name.replace('_', '-')} {value}: must be at least 1")
    foreign = [domain for domain in args.domains or [] if domain not in source.domains]
    if foreign:
        wrong.append(
            f"--domains {' '.join(foreign)}: {args.source} answers {', '.join(source.domains)} only; "
            f"change its domains in {args.sources_file}"
        )
    if wrong:
        raise BadInput("; ".join(wrong))
    changes: dict[str, Any] = {
        name: getattr(args, name)
        for name in ("model", "max_tokens", "max_model_len", "tensor_parallel_size", "domains")
        if getattr(args, name) is not None
    }
    if args.samples_per_prompt is not None:
        changes["samples_per_prompt"] = dict.fromkeys(DOMAINS, args.samples_per_prompt)
    try:
        return msgspec.structs.replace(source, **changes)
    except ValueError as error:
        raise BadInput(f"--source {args.source} with these flags: {error}") from None


def check_coverage(plan: AnswerPlan, prompts: dict[str, Prompt], name: str, source: Source) -> None:
    """Raises BadInput where the source answers none of the prompts' domains."""
    domains = Counter(prompt.domain for prompt in prompts.values())
    if not any(plan.samples_per_prompt.get(domain) for domain in domains):
        there = ", ".join(f"{domain} {number}" for domain, number in sorted(domains.items()))
        raise BadInput(
            f"--source {name}: answers {', '.join(source.domains)} only, and no prompt is of these "
            f"(there are: {there}); give other prompts or another source"
        )


def sample(
    engine: Engine,
    requests: Iterable[tuple[PlannedAnswer, Any]],
    plan: AnswerPlan,
    output: OutputFile,
    monitor: SamplingMonitor,
) -> None:
    """Sends the requests as the engine takes them and writes every answer the moment it is finished."""
    in_flight: dict[str, PlannedAnswer] = {}

    def noted() -> Iterator[Any]:
        for answer, request in requests:
            in_flight[answer.response_id] = answer
            yield request

    for result in engine.generate(noted()):
        answer = in_flight.pop(result.request_id)
        if isinstance(result, RefusedRequest):
            monitor.refused(answer.response_id, result.reason, result.message)
            plan.skip(answer.prompt, result.reason)
            continue
        response = plan.response(
            answer, text=result.text, finish_reason=result.finish_reason, num_tokens=result.num_tokens
        )
        output.write(response)
        monitor.saw(response)


def sample_missing(args: Args, source: Source, plan: AnswerPlan, output: OutputFile) -> None:
    """Starts the engine, or turns to the server, and samples every answer that is not there yet."""
    from fusechat.tracking import start_tracking
    from sampling.answer_requests import engine_requests, server_requests
    from sampling.answer_server import AnswerServer

    tracker = start_tracking(
        args.report_to,
        step="sample",
        name=args.run_name or f"sample-{args.source}",
        config=output.manifest.as_dict(),
        directory=args.output.parent,
    )
    monitor = SamplingMonitor(plan.num_answers, len(output.done), tracker, f"sample {args.source}")
    done = frozenset(output.done)
    try:
        if args.server is not None:
            server = AnswerServer(
                args.server, api_key_variable=args.api_key_variable, concurrency=args.concurrency
            )
            with server, monitor:
                sample(server, server_requests(plan, done, source), plan, output, monitor)
            return
        engine = make_engine(source, engines=args.data_parallel, seed=args.seed, ray=args.ray)
        with engine, monitor:
            requests = engine_requests(plan, done, source, engine.max_model_len)
            sample(engine, requests, plan, output, monitor)
    finally:
        tracker.finish()


def main() -> None:
    """Checks everything that can be checked without the model, then samples what is missing."""
    args = parse_args(Args)
    source = resolve_source(args)
    check_ray(args.ray, args.server)
    shard = resolve_shard(args.num_shards, args.shard_index)
    output = OutputFile(
        shard.path(args.output),
        id_field="response_id",
        manifest=make_manifest(args, source),
        overwrite=args.overwrite,
    )
    if output.is_complete:
        output.say_complete()
        return
    prompts = read_prompts(args.prompts)
    plan = AnswerPlan(
        prompts,
        source=args.source,
        samples_per_prompt={domain: source.samples_for(domain) for domain in DOMAINS},
        run_seed=args.seed,
        shard=shard,
    )
    check_coverage(plan, prompts, args.source, source)
    if args.server is None:
        check_model_folder(source.model)
        check_context(source)
    with output:
        if any(True for _ in plan.missing(output.done)):
            _sample_or_exit(args, source, plan, output)
        say_counts(finish(output, plan), output.path)


def make_manifest(args: Args, source: Source) -> Manifest:
    """What must agree before an unfinished run is gone on with: not the GPUs or the server's address."""
    import msgspec

    on_server = args.server is not None
    manifest = Manifest(
        script=__file__,
        args=args,
        inputs={"prompts": args.prompts},
        models={} if on_server else {"model": source.model},
        free=(
            "model",
            "tensor_parallel_size",
            "data_parallel",
            "ray",
            "sources_file",
            "server",
            "concurrency",
            "api_key_variable",
        ),
    )
    settings = msgspec.to_builtins(source)
    for name in ("model", "tensor_parallel_size", "role"):
        del settings[name]
    manifest.extra["source_settings"] = settings
    if on_server:
        manifest.extra["server_model"] = source.model
    return manifest


def _sample_or_exit(args: Args, source: Source, plan: AnswerPlan, output: OutputFile) -> None:
    from fusechat.vllm_engine import EngineFailure

    try:
        sample_missing(args, source, plan, output)
    except EngineFailure as error:
        kept = (
            f"{len(output.done)} answers are safe in {output.partial}; the same command goes on"
            if output.done
            else "no answer was finished; mend what is said above, then the same command begins anew"
        )
        print(f"error: {error}\n{kept}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run(main)
