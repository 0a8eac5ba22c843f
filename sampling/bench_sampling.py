"""Measures what sample_vllm.py costs above a bare `LLM.generate` with the same prompts, seeds and engine.

Run:
    python sampling/bench_sampling.py --model MODEL_FOLDER

Reads: a model folder or Hub id. Writes: nothing that stays; prints both times of every round and the ratio.

One engine serves both, its prefix cache emptied before every run; the two alternate, and the medians count.
The bare run gets ready-made token ids and keeps its answers in memory. Ours reads the prompts' file, makes
the token ids, and writes, counts, sorts and renames its answers, as the script does.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusechat.command_line import parse_args, run
from fusechat.inputs import Shard
from fusechat.jsonl import read_prompts
from fusechat.output_file import OutputFile, encode_line
from fusechat.run_manifest import Manifest
from fusechat.tracking import NoTracker
from sampling.answer_counts import finish
from sampling.answer_plan import AnswerPlan
from sampling.monitor import SamplingMonitor
from sampling.sample_vllm import sample
from sampling.sources import Source


@dataclass(kw_only=True)
class Args:
    """Sizes of the measurement."""

    model: str
    """Folder or Hub id of the model."""
    prompts: int = 64
    """Prompts of a run."""
    samples_per_prompt: int = 4
    """Answers per prompt."""
    max_tokens: int = 64
    """Longest answer in tokens."""
    rounds: int = 3
    """Times that each of the two is run."""
    config: Path | None = None
    """YAML file with the same names as these flags."""


def write_prompts(path: Path, number: int) -> None:
    """Maths questions, told apart by their numbers."""
    with path.open("wb") as file:
        for i in range(number):
            question = f"Tom has {i + 3} apples and buys {i % 7 + 1} boxes of {i % 5 + 2} apples. How many has he now?"
            prompt = {
                "prompt_id": f"p{i}",
                "dataset": "bench",
                "domain": "math",
                "messages": [{"role": "user", "content": question}],
            }
            file.write(encode_line(prompt))


def make_plan(args: Args, prompts_file: Path) -> AnswerPlan:
    """The plan that the script would make."""
    return AnswerPlan(
        read_prompts([prompts_file]),
        source="bench",
        samples_per_prompt={"math": args.samples_per_prompt},
        run_seed=0,
        shard=Shard(0, 1),
    )


def time_bare(llm: Any, requests: list[Any]) -> float:
    """Seconds of one `LLM.generate` over all requests."""
    from vllm import SamplingParams

    params = [
        SamplingParams(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_k=request.top_k,
            stop_token_ids=list(request.stop_token_ids),
            seed=request.seed,
        )
        for request in requests
    ]
    token_ids = [{"prompt_token_ids": list(request.prompt_token_ids)} for request in requests]
    start = time.perf_counter()
    answers = llm.generate(token_ids, params, use_tqdm=False)
    seconds = time.perf_counter() - start
    print(f"  bare: {seconds:.2f} s, {sum(len(a.outputs[0].token_ids) for a in answers)} tokens", flush=True)
    return seconds


def time_ours(engine: Any, args: Args, source: Source, prompts_file: Path, folder: Path) -> float:
    """Seconds from reading the prompts to the renamed file."""
    from sampling.answer_requests import engine_requests

    start = time.perf_counter()
    plan = make_plan(args, prompts_file)
    manifest = Manifest(script=__file__, args=args, inputs={"prompts": [prompts_file]})
    output = OutputFile(folder / "answers.jsonl", id_field="response_id", manifest=manifest, overwrite=True)
    monitor = SamplingMonitor(plan.num_answers, 0, NoTracker(), "ours")
    with output:
        with monitor:
            sample(engine, engine_requests(plan, set(), source, engine.max_model_len), plan, output, monitor)
        counts = finish(output, plan)
    seconds = time.perf_counter() - start
    print(f"  ours: {seconds:.2f} s, {counts['tokens']} tokens", flush=True)
    return seconds


def main() -> None:
    """Runs both in turn and prints the medians and their ratio."""
    args = parse_args(Args)
    from fusechat.vllm_engine import VLLMEngine
    from sampling.answer_requests import engine_requests

    source = Source(model=args.model, temperature=0.8, top_p=1.0, top_k=40, max_tokens=args.max_tokens)

    class EngineInLLM(VLLMEngine):
        """Our engine around the very engine of an `LLM` object, so that both are timed on the same one."""

        llm: Any

        def _start(self) -> None:
            from vllm import LLM

            self.llm = LLM(**self._engine_arguments())
            self._engine = self.llm.llm_engine

    engine = EngineInLLM(args.model, max_model_len=2048)
    with tempfile.TemporaryDirectory() as name, engine:
        llm = engine.llm
        folder = Path(name)
        prompts_file = folder / "prompts.jsonl"
        write_prompts(prompts_file, args.prompts)
        requests = [
            request
            for _, request in engine_requests(
                make_plan(args, prompts_file), set(), source, engine.max_model_len
            )
        ]
        time_bare(llm, requests[: 2 * args.samples_per_prompt])  # warm-up
        bare, ours = [], []
        for round_number in range(args.rounds):
            print(f"round {round_number + 1} of {args.rounds}", flush=True)
            llm.reset_prefix_cache()
            bare.append(time_bare(llm, requests))
            llm.reset_prefix_cache()
            ours.append(time_ours(engine, args, source, prompts_file, folder))
    ratio = statistics.median(ours) / statistics.median(bare)
    print(
        f"median of {args.rounds}: bare LLM.generate {statistics.median(bare):.2f} s, sample_vllm "
        f"{statistics.median(ours):.2f} s: {100 * (ratio - 1):+.1f} %"
    )


if __name__ == "__main__":
    run(main)
