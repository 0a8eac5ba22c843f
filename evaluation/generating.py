"""Generate the answers of all benchmarks for one model: one engine, everything in one pass.

Each benchmark's answers go to generations/<model>/<benchmark>.jsonl by the usual file protocol, so that a killed run
goes on where it was. Second turns (MT-Bench) are a second pass of the same engine.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.benchmark import Benchmark, Generating, Generation, Item
from evaluation.prompting import Prompter
from evaluation.switches import ChatStyle
from fusechat.jsonl import read_jsonl
from fusechat.output_file import OutputFile
from fusechat.progress import Progress
from fusechat.run_manifest import Manifest


@dataclass(frozen=True)
class Model:
    """A model to evaluate under its display name."""

    name: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the answers besides model and items; part of each file's manifest."""

    benchmark: str
    limit: int | None
    max_tokens: int | None
    max_model_len: int | None
    seed: int
    dtype: str
    # Switches that change the answers; None where they are the benchmark's own.
    chat_style: ChatStyle | None = None
    stop_at_comments: bool | None = None


@dataclass
class Work:
    """One benchmark for one model."""

    name: str
    module: Benchmark
    items: list[Item]
    settings: Settings
    output: OutputFile
    generating: dict[str, Generating] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)  # first-turn answers that a later turn needs

    def ids(self) -> list[str]:
        """The ids of all answers, in their final order."""
        return [
            generation_id(item.item_id, sample, turn)
            for item in self.items
            for sample in range(self.generating[item.item_id].samples)
            for turn in range(1 + len(item.later_turns))
        ]


def generation_id(item_id: str, sample: int, turn: int) -> str:
    """`<item_id>:<sample>`, and `:turn2` behind it for a second turn."""
    return f"{item_id}:{sample}" + (f":turn{turn + 1}" if turn else "")


def plan_work(
    name: str,
    module: Benchmark,
    items: list[Item],
    settings: Settings,
    path: Path,
    *,
    model: str | None,
    overwrite: bool,
) -> Work:
    """The work of one benchmark; nothing is written or loaded yet. Without a model it can only be scored again."""
    manifest = Manifest(script=__file__, args=settings, models={"model": model} if model else {})
    manifest.extra["items"] = items_fingerprint(items)
    output = OutputFile(path, id_field="generation_id", manifest=manifest, overwrite=overwrite)
    return Work(name, module, items, settings, output)


def items_fingerprint(items: Sequence[Item]) -> str:
    """SHA-256 over the ids and prompts of all items: a changed question is another setting."""
    digest = hashlib.sha256()
    for item in items:
        content = [item.item_id, item.messages, item.prefill, item.later_turns]
        digest.update(json.dumps(content, ensure_ascii=True).encode())
    return digest.hexdigest()[:32]


def prepare(models: Sequence[Model], works: Mapping[str, Sequence[Work]]) -> dict[str, Prompter]:
    """A prompter for each model whose answers are not all there; BadInput for a tokenizer that makes no chats."""
    from fusechat.chat import load_tokenizer

    prompters = {}
    for model in models:
        if all(work.output.is_complete for work in works[model.name]):
            print(f"{model.name}: all answers are there", flush=True)
        else:
            prompters[model.name] = Prompter(load_tokenizer(model.path))
    return prompters


def generate(model: Model, works: Sequence[Work], prompter: Prompter, tensor_parallel_size: int = 1) -> None:
    """Makes the answers that are not there yet, in one engine for all benchmarks."""
    from fusechat.vllm_engine import VLLMEngine

    missing = [work for work in works if not work.output.is_complete]
    family, context = model_family(model.path)
    for work in missing:
        work.generating = {item.item_id: effective(work, item, family) for item in work.items}
        work.output.manifest.extra |= {"generating": fingerprint_of(work.generating), "family": family}
    longest = min(context, max(one.max_total_tokens for work in missing for one in work.generating.values()))
    first = missing[0].settings
    with contextlib.ExitStack() as stack:
        for work in missing:
            stack.enter_context(work.output)
            if work.output.done:
                kept = read_jsonl([work.output.partial], Generation)
                work.texts.update((one.generation_id, one.text) for one in kept)
        start = time.monotonic()
        engine = stack.enter_context(
            VLLMEngine(
                model.path, max_model_len=longest, tensor_parallel_size=tensor_parallel_size,
                seed=first.seed, dtype=first.dtype,
            )
        )  # fmt: skip
        print(f"{model.name}: engine started in {time.monotonic() - start:.1f} s", flush=True)
        total = sum(len(work.ids()) for work in missing)
        done = sum(len(work.output.done) for work in missing)
        with Progress(total, unit="answers", description=f"generate {model.name}", initial=done) as progress:
            for turn in range(1 + max(len(item.later_turns) for work in missing for item in work.items)):
                run_turn(engine, missing, prompter, turn, longest, progress)
        for work in missing:
            work.output.finish(counts={"answers": len(work.output.done)}, order=work.ids())


def run_turn(
    engine: Any, works: Sequence[Work], prompter: Prompter, turn: int, longest: int, progress: Progress
) -> None:
    """One pass of the engine over every answer of this turn that is missing."""
    origin: dict[str, tuple[Work, Item, int]] = {}

    def requests() -> Iterator[Any]:
        from fusechat.vllm_engine import GenerationRequest

        for work, item, sample in missing_answers(works, turn):
            how = work.generating[item.item_id]
            key = generation_id(item.item_id, sample, turn)
            earlier = [work.texts[generation_id(item.item_id, sample, before)] for before in range(turn)]
            ids = prompter.token_ids(item, how, earlier)
            room = min(how.max_total_tokens, longest) - len(ids)
            if room < 1:  # the prompt alone fills the context: an empty answer, not a dropped item
                write(work, item, sample, turn, "", "length", 0)
                progress.update(1)
                continue
            origin[f"{work.name}/{key}"] = (work, item, sample)
            yield GenerationRequest(
                request_id=f"{work.name}/{key}", prompt_token_ids=ids, max_tokens=min(how.max_tokens, room),
                temperature=how.temperature, top_p=how.top_p, top_k=how.top_k, stop=how.stop,
                stop_token_ids=prompter.stop_token_ids, seed=request_seed(work.settings.seed, work.name, key),
            )  # fmt: skip

    for result in engine.generate(requests()):
        work, item, sample = origin.pop(result.request_id)
        write(work, item, sample, turn, result.text, result.finish_reason, result.num_tokens)
        progress.update(1)


def missing_answers(works: Sequence[Work], turn: int) -> Iterator[tuple[Work, Item, int]]:
    """(work, item, sample) of every answer of this turn that is not written yet."""
    for work in works:
        for item in work.items:
            if turn > len(item.later_turns):
                continue
            for sample in range(work.generating[item.item_id].samples):
                if generation_id(item.item_id, sample, turn) not in work.output.done:
                    yield work, item, sample


def write(
    work: Work, item: Item, sample: int, turn: int, text: str, finish_reason: Any, num_tokens: int
) -> None:
    """Appends one answer."""
    key = generation_id(item.item_id, sample, turn)
    if item.later_turns:
        work.texts[key] = text
    work.output.write(Generation(key, item.item_id, sample, turn, text, finish_reason, num_tokens))


def effective(work: Work, item: Item, family: str) -> Generating:
    """The benchmark's own settings, with the limits that the command line gives."""
    how = work.module.generating(item, family)
    changes: dict[str, Any] = {}
    if work.settings.max_tokens is not None:
        changes["max_tokens"] = work.settings.max_tokens
    if work.settings.max_model_len is not None:
        changes["max_total_tokens"] = work.settings.max_model_len
    if work.settings.chat_style is not None:
        changes["chat_style"] = work.settings.chat_style
    return Generating(**{**how.__dict__, **changes})


def fingerprint_of(generating: dict[str, Generating]) -> list[str]:
    """The different sampling settings of a benchmark's items."""
    return sorted({repr(how) for how in generating.values()})


def request_seed(seed: int, benchmark: str, key: str) -> int:
    """A seed of its own for each answer, the same in every run and batch."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{benchmark}/{key}".encode()).digest()[:4], "big")


def model_family(path: str) -> tuple[str, int]:
    """The model type (llama, qwen2, gemma2 ...) and the longest context of a model."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(path)
    text_config = config.get_text_config()
    return str(config.model_type), int(getattr(text_config, "max_position_embeddings", 4096))
