"""Score the generations of models, and put scores, errors and differences together as scores.json holds them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from evaluation.benchmark import REPORT_ORDER, Benchmark, Generation, Item, ItemScore, Tools
from evaluation.generating import Model, generation_id
from evaluation.judge import Judge, JudgeSettings
from evaluation.summary import mean_summary, paired_difference
from evaluation.switches import Switches
from fusechat.errors import BadInput
from fusechat.jsonl import read_jsonl
from fusechat.output_file import encode_line, write_atomically
from fusechat.run_manifest import library_versions

# What scores.json tells of how answers were generated.
PARAMETERS = (
    "family", "generating", "seed", "dtype", "max_tokens", "max_model_len", "chat_style", "stop_at_comments",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ScoringSettings:
    """What scoring needs to know besides benchmarks and models."""

    output_dir: Path
    workers: int
    isolation: str
    limit: int | None
    seed: int
    judge_model: str | None
    judge: JudgeSettings | None  # None: only judgments that are kept already
    switches: Switches


@dataclass
class Loaded:
    """A benchmark and its items."""

    name: str
    module: Benchmark
    items: list[Item]


def judge_of(one: Loaded, model: Model, settings: ScoringSettings) -> Judge | None:
    """The judge of one model's answers to one benchmark; scoring again makes no calls."""
    name = judge_model_of(one, settings)
    if name is None:
        return None
    path = settings.output_dir / "judgments" / model.name / f"{one.name}.jsonl"
    return Judge(path, name, settings.judge and replace(settings.judge, model=name))


def judge_model_of(one: Loaded, settings: ScoringSettings) -> str | None:
    """The judge model of a benchmark: the one named for all, or with `report` the one that the report had for it."""
    if not getattr(one.module, "NEEDS_JUDGE", False):
        return None
    return report_judge(one) if settings.judge_model == "report" else settings.judge_model


def report_judge(one: Loaded) -> str | None:
    """The judge that the report had for a benchmark."""
    return getattr(one.module, "REPORT_JUDGE", None)


def score_items(one: Loaded, model: Model, settings: ScoringSettings) -> list[ItemScore]:
    """Scores a model's generations of one benchmark and writes the scored items."""
    path = settings.output_dir / "generations" / model.name / f"{one.name}.jsonl"
    tools = Tools(
        workers=settings.workers, isolation=settings.isolation, judge=judge_of(one, model, settings),
        switches=settings.switches, family=recorded_parameters(path).get("family", ""),
    )  # fmt: skip
    answers: dict[str, list[Generation]] = {}
    if path.exists():
        for generation in read_jsonl([path], Generation):
            answers.setdefault(generation.item_id, []).append(generation)
    complete = [item for item in one.items if is_answered(one, item, answers)]
    scored = (
        {score.item_id: score for score in one.module.score(complete, answers, tools)} if complete else {}
    )
    scores = [
        scored.get(item.item_id) or ItemScore(item.item_id, None, reason="no generation")
        for item in one.items
    ]
    lines = [
        encode_line(item_line(item, score, answers.get(item.item_id, [])))
        for item, score in zip(one.items, scores, strict=True)
    ]
    write_atomically(settings.output_dir / "items" / model.name / f"{one.name}.jsonl", b"".join(lines))
    return scores


def recorded_parameters(generations: Path) -> dict[str, Any]:
    """How the generations were made, from what is written beside them; empty where nothing is."""
    try:
        record = json.loads(Path(f"{generations}.run.json").read_text(encoding="utf-8"))["settings"]
        return {name: record[name] for name in PARAMETERS if record.get(name) is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def item_line(item: Item, score: ItemScore, generations: Sequence[Generation]) -> dict[str, Any]:
    """What items/ says of one item. A private item's question is left out, and so are answers, which repeat it."""
    line = msgspec.to_builtins(score)
    if item.private:
        return {**line, "prompt": None, "outputs": None, "private": True}
    texts = [generation.text for generation in generations]
    return {**line, "prompt": [dict(message) for message in item.messages], "outputs": texts}


def is_answered(one: Loaded, item: Item, answers: dict[str, list[Generation]]) -> bool:
    """Whether every sample and turn of an item is there."""
    there = {generation.generation_id for generation in answers.get(item.item_id, [])}
    samples = one.module.generating(item, "").samples
    turns = 1 + len(item.later_turns)
    return all(generation_id(item.item_id, s, t) in there for s in range(samples) for t in range(turns))


def assemble(
    settings: ScoringSettings,
    loaded: Sequence[Loaded],
    models: Sequence[Model],
    scores: dict[str, dict[str, list[ItemScore]]],
) -> dict[str, Any]:
    """The content of scores.json."""
    benchmarks = {}
    for one in loaded:
        first = scores[one.name][models[0].name]
        entries = {model.name: entry_of(one, scores[one.name][model.name]) for model in models}
        for model in models:
            path = settings.output_dir / "generations" / model.name / f"{one.name}.jsonl"
            entries[model.name]["parameters"] = recorded_parameters(path)
        for model in models[1:]:
            both = (entries[model.name], entries[models[0].name])
            complete = all(entry["complete"] for entry in both)
            entries[model.name]["difference_to_first"] = (
                difference_of(one, scores[one.name][model.name], first) if complete else None
            )
        benchmarks[one.name] = {"title": one.module.TITLE, "scale": one.module.SCALE, "models": entries}
    return {
        "models": [model.name for model in models],
        "model_paths": {model.name: model.path for model in models},
        "benchmarks": benchmarks,
        "average": None if settings.limit else averages(benchmarks, models),
        "limit": settings.limit,
        "seed": settings.seed,
        "judge": ", ".join(
            sorted({name for one in loaded if (name := judge_model_of(one, settings)) is not None})
        )
        or None,
        "other_judges": {
            one.name: report_judge(one)
            for one in loaded
            if (name := judge_model_of(one, settings)) is not None and name != report_judge(one)
        },
        "switches": {
            name: value
            for name, value in asdict(settings.switches).items()
            if value != getattr(Switches(), name)
        },
        "libraries": library_versions(),
    }


def difference_of(
    one: Loaded, scores: Sequence[ItemScore], reference: Sequence[ItemScore]
) -> dict[str, Any] | None:
    """The paired difference to the reference model, added up as the benchmark's score is."""
    own = getattr(one.module, "paired", None)
    if own:
        return own(scores, reference, one.items)
    return paired_difference(scores, reference, one.module.SCALE, getattr(one.module, "MEAN_LEVELS", ()))


def averages(benchmarks: Mapping[str, Any], models: Sequence[Model]) -> dict[str, float] | None:
    """Plain mean of the report's 14 rows in their own scales; only where all of them are complete."""
    if not set(REPORT_ORDER) <= set(benchmarks):
        return None
    rows = {
        model.name: [benchmarks[name]["models"][model.name]["score"] for name in REPORT_ORDER]
        for model in models
    }
    return {name: sum(values) / len(values) for name, values in rows.items() if None not in values} or None


def entry_of(one: Loaded, scores: Sequence[ItemScore]) -> dict[str, Any]:
    """Score of one model on one benchmark; none where an item is missing, or where no item is left."""
    missing = [score for score in scores if score.score is None and not score.dropped]
    dropped = sum(score.dropped for score in scores)
    entry: dict[str, Any] = {
        "score": None, "standard_error": None, "n": len(scores), "n_missing": len(missing), "n_dropped": dropped,
        "complete": False, "missing": [f"{score.item_id}: {score.reason}" for score in missing[:5]], "breakdown": {},
    }  # fmt: skip
    if missing:
        return entry
    summarise = getattr(one.module, "summarise", None)
    try:
        if dropped == len(scores):
            raise BadInput(f"all {dropped} items are left out: {scores[0].reason}")
        summary = summarise(scores, one.items) if summarise else mean_summary(scores, one.module.SCALE)
    except BadInput as error:
        return {**entry, "missing": [str(error)]}
    entry.update(complete=True, score=summary.score, standard_error=summary.standard_error)
    return {**entry, "breakdown": summary.breakdown}


def incomplete(results: dict[str, Any]) -> list[str]:
    """`<benchmark> of <model>: <k> of <n> items missing` for each that has no score."""
    return [
        f"{name} of {model}: {one['n_missing']} of {one['n']} items missing ({'; '.join(one['missing'][:2])})"
        if one["n_missing"]
        else f"{name} of {model}: {'; '.join(one['missing'])}"
        for name, entry in results["benchmarks"].items()
        for model, one in entry["models"].items()
        if not one["complete"]
    ]
