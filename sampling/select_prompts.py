r"""Chooses the prompts of the recipe from the report's eight public datasets.

    python sampling/select_prompts.py --preset paper --output runs/full/prompts.jsonl \
        --dataset-responses runs/full/responses/Llama-3.1-405B-Instruct.jsonl

Reads:  the datasets, from --data-root DIR/org/name (parquet, json, jsonl) or else from the Hub; the filters and
        caps of sampling/selection.yaml; benchmark questions, with --decontaminate-against.
Writes: prompts.jsonl (Prompt rows), its .run.json with the table of what was read, kept and dropped;
        with --dataset-responses the answers that OpenMathInstruct-2 brings along (Response rows);
        with --report-dropped what the checks between prompts dropped, and what each collided with.

The same rows give the same ids and the same choice in any order and with any number of workers.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fusechat.command_line import StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.output_file import OutputFile, write_atomically
from fusechat.progress import Progress
from fusechat.run_manifest import Manifest
from fusechat.tracking import start_tracking
from sampling.selection.layouts import BY_NAME, Layout, chosen_layouts
from sampling.selection.settings import DEFAULT_SETTINGS, Settings, load_settings
from sampling.selection.summary import DatasetFigures, table

if TYPE_CHECKING:
    from fusechat.records import Prompt
    from sampling.selection.gathering import DataSource


@dataclass(kw_only=True)
class Args(StepArgs):
    """Flags of the selection; the filters' settings stand in --settings."""

    output: Path
    """Where the prompts go (prompts.jsonl)."""
    datasets: list[str] = field(default_factory=lambda: list(BY_NAME))
    """Datasets to choose from, by Hub id or the name behind its slash."""
    data_root: Path | None = None
    """Folder with DIR/org/name; a dataset that is not there comes from the Hub."""
    settings: Path = DEFAULT_SETTINGS
    """YAML with the filters and caps of each dataset."""
    preset: str | None = None
    """A preset of --settings laid over it; `paper` caps each dataset at the report's size."""
    max_prompts: int | None = None
    """Most prompts of each dataset, instead of the caps in --settings."""
    dataset_responses: Path | None = None
    """Where the answers go that a dataset brings along (needs OpenMathInstruct-2 among --datasets)."""
    decontaminate_against: list[str] = field(default_factory=list)
    """Files of benchmark questions (jsonl, json, txt); prompts that overlap with one are dropped."""
    report_dropped: Path | None = None
    """Where duplicates, overlaps and failing tests are listed one by one (JSON lines)."""
    seed: int = 42
    """Seed of the order in which caps are filled."""
    workers: int = 1
    """Processes that read and filter, and that try tests."""


def main() -> None:
    """Reads, filters, chooses, writes."""
    args = parse_args(Args)
    layouts, settings = check_args(args)
    sources = find_sources(args, layouts, settings)
    manifest = make_manifest(args, sources, settings)
    prompts_file = OutputFile(args.output, id_field="prompt_id", manifest=manifest, overwrite=args.overwrite)
    responses_file = None
    if args.dataset_responses is not None:
        responses_file = OutputFile(
            args.dataset_responses, id_field="response_id", manifest=manifest, overwrite=args.overwrite
        )
    if prompts_file.is_complete and (responses_file is None or responses_file.is_complete):
        prompts_file.say_complete()
        return
    tracker = start_tracking(
        args.report_to,
        step="select",
        name=args.run_name,
        config=manifest.arguments,
        directory=args.output.parent,
    )
    figures: dict[str, DatasetFigures] = {}
    if prompts_file.is_complete:  # the answers are wanted as well now: the same choice again, to know whose
        prompt_ids = select(args, sources, settings, figures, keep=_ignore)
        _check_same_prompts(args.output, prompt_ids)
        write_responses(args, responses_file, prompt_ids, sources, settings, figures)
    else:
        with prompts_file:
            prompt_ids = select(args, sources, settings, figures, keep=partial(write_new, prompts_file))
            if responses_file is not None and not responses_file.is_complete:
                write_responses(args, responses_file, prompt_ids, sources, settings, figures)
            finish_prompts(prompts_file, prompt_ids, figures)
    print(table(figures))
    rows = [[name, item.read, item.kept, item.read - item.kept] for name, item in figures.items()]
    tracker.table("composition", ["dataset", "read", "kept", "dropped"], rows)
    tracker.finish()


def check_args(args: Args) -> tuple[list[Layout], Settings]:
    """The datasets and settings asked for. BadInput names every argument that cannot work."""
    layouts = chosen_layouts(args.datasets)
    settings = load_settings(args.settings, args.preset, list(BY_NAME))
    faults = []
    if not layouts:
        faults.append("--datasets: names no dataset")
    if args.max_prompts is not None and args.max_prompts < 1:
        faults.append(f"--max-prompts: {args.max_prompts} is below 1")
    if args.workers < 1:
        faults.append(f"--workers: {args.workers} is below 1")
    if args.data_root is not None and not args.data_root.is_dir():
        faults.append(f"--data-root: {args.data_root} is no folder")
    if args.dataset_responses is not None:
        if not any(layout.response_column for layout in layouts):
            faults.append(
                "--dataset-responses: none of --datasets brings answers along; add nvidia/OpenMathInstruct-2"
            )
        if args.dataset_responses.resolve() == args.output.resolve():
            faults.append("--dataset-responses: is the same file as --output")
    if faults:
        raise BadInput("; ".join(faults))
    if args.max_prompts is not None:
        for dataset in settings.datasets.values():
            dataset.max_prompts = args.max_prompts
    return layouts, settings


def find_sources(args: Args, layouts: list[Layout], settings: Settings) -> list["DataSource"]:
    """Where each dataset comes from; its files' columns are checked before any row is read."""
    from sampling.selection.data_files import find_files
    from sampling.selection.gathering import DataSource
    from sampling.selection.hub_rows import resolve_commit
    from sampling.selection.row_readers import check_parquet_columns

    sources = []
    for layout in layouts:
        dataset = settings.datasets[layout.dataset]
        files = find_files(args.data_root, layout, dataset.splits)
        commit = None
        if files is None:
            commit = resolve_commit(layout, dataset.revision)
        for path in files or []:
            if path.name.endswith(".parquet"):
                check_parquet_columns(path, layout)
        sources.append(DataSource(layout, tuple(files or ()), commit, tuple(dataset.splits)))
    return sources


def make_manifest(args: Args, sources: list["DataSource"], settings: Settings) -> Manifest:
    """What decides the result: the settings in full, the files' hashes, the Hub's commits."""
    inputs: dict[str, list[str | Path]] = {
        source.layout.dataset: list(source.files) for source in sources if source.files
    }
    if args.decontaminate_against:
        inputs["decontaminate_against"] = list(args.decontaminate_against)
    free = (
        "workers",
        "data_root",
        "settings",
        "dataset_responses",
        "report_dropped",
        "max_prompts",
        "preset",
        "datasets",
    )
    manifest = Manifest(script=__file__, args=args, inputs=inputs, free=free)
    manifest.extra["selection"] = msgspec.to_builtins(settings)
    manifest.extra["commits"] = {source.layout.dataset: source.commit for source in sources if source.commit}
    return manifest


def select(
    args: Args,
    sources: list["DataSource"],
    settings: Settings,
    figures: dict[str, DatasetFigures],
    *,
    keep: Callable[["Prompt"], None],
) -> dict[str, list[str]]:
    """Hands the chosen prompts to `keep`, fills in the figures, returns the ids: in the order of the report's table."""
    from sampling.selection.candidate_pool import CandidatePool
    from sampling.selection.choosing import Chooser, Drop
    from sampling.selection.decontamination import Questions
    from sampling.selection.gathering import gather
    from sampling.selection.validation import Validator

    questions = None
    if args.decontaminate_against:
        questions = Questions(args.decontaminate_against, settings.decontamination)
        print(f"decontamination: {questions.count} questions", file=sys.stderr)
    drops: list[Drop] = []
    report = drops.append if args.report_dropped is not None else _ignore
    prompt_ids: dict[str, list[str]] = {}
    with Validator(settings.validation, args.workers) as validator:
        validate = validator.failing_reasons if settings.validation.enabled else None
        chooser = Chooser(settings.near_duplicates, questions, validate, report)
        for source in sources:
            name = source.layout.dataset
            dataset_settings = settings.datasets[name]
            with CandidatePool(args.output.parent) as pool:
                with Progress(None, unit="rows", description=f"{name}: read") as progress:
                    tally = gather(source, dataset_settings, pool, args.workers, progress)
                with Progress(None, unit="prompts", description=f"{name}: choose") as progress:
                    choice = chooser.choose(pool, dataset_settings, args.seed, keep, progress.update)
            prompt_ids[name] = choice.prompt_ids
            dropped = Counter(tally.dropped) + choice.dropped
            figures[name] = DatasetFigures(tally.read, len(choice.prompt_ids), dict(dropped))
    if args.report_dropped is not None:
        lines = [json.dumps(msgspec.to_builtins(drop), ensure_ascii=False) for drop in drops]
        write_atomically(args.report_dropped, "".join(f"{line}\n" for line in lines))
    return prompt_ids


def _ignore(drop: Any) -> None:
    """Reports nothing."""


def write_responses(
    args: Args,
    output: OutputFile | None,
    prompt_ids: dict[str, list[str]],
    sources: list["DataSource"],
    settings: Settings,
    figures: dict[str, DatasetFigures],
) -> None:
    """Writes the answers that datasets bring along to the chosen prompts."""
    from sampling.selection.dataset_responses import dataset_responses

    if output is None:
        return
    order: list[str] = []
    with output:
        for source in sources:
            name = source.layout.dataset
            if source.layout.response_column is None:
                continue
            limit = settings.datasets[name].max_responses_per_prompt
            before = len(order)
            for response in dataset_responses(
                source, prompt_ids[name], args.output.parent, limit, args.workers
            ):
                order.append(response.response_id)
                if response.response_id not in output.done:
                    output.write(response)
            figures[name].extra["answers_of_the_dataset"] = len(order) - before
        if not order:
            raise BadInput(
                f"{output.path}: the chosen prompts have no answers in the dataset; nothing to write"
            )
        output.finish(counts={"responses": len(order)}, order=order)


def write_new(output: OutputFile, prompt: "Prompt") -> None:
    """Writes a prompt, unless an interrupted run has done so."""
    if prompt.prompt_id not in output.done:
        output.write(prompt)


def finish_prompts(
    output: OutputFile, prompt_ids: dict[str, list[str]], figures: dict[str, DatasetFigures]
) -> None:
    """Completes the prompts' file, with the table in the sidecar. BadInput where no prompt is left."""
    order = [prompt_id for ids in prompt_ids.values() for prompt_id in ids]
    if not order:
        print(table(figures), file=sys.stderr)
        raise BadInput("no prompt is left; the table above says what was dropped and why: loosen --settings")
    counts = {"prompts": len(order), "datasets": {name: item.as_dict() for name, item in figures.items()}}
    output.finish(counts=counts, order=order)


def _check_same_prompts(path: Path, prompt_ids: dict[str, list[str]]) -> None:
    from fusechat.jsonl import read_prompts

    if list(read_prompts([path])) != [prompt_id for ids in prompt_ids.values() for prompt_id in ids]:
        raise BadInput(
            f"{path}: holds another choice than these settings make; give --overwrite to make both anew"
        )


if __name__ == "__main__":
    run(main)
