r"""Evaluate one or more models on benchmarks: generate with vLLM, score, compare with the first model.

    python evaluation/run_evals.py --model base=runs/demo/models/base sft=runs/demo/models/sft \
        --benchmarks demo_word_problems humaneval --heldout runs/demo/heldout.jsonl --output-dir runs/demo/evaluation

Reads models (folders or Hub ids) and benchmark data (`--data-root` in the Hub's layout, `--heldout` for the demo's
problems). Writes OUTPUT_DIR/generations/<model>/<benchmark>.jsonl, OUTPUT_DIR/items/<model>/<benchmark>.jsonl (one
scored line an item), OUTPUT_DIR/scores.json, scores.md, scores.tex and, where complete, pictures. `--rescore` scores
the generations that are there again, without any model. A benchmark with a missing item gets no score and makes the
exit status 2. `--download-only` fetches data and judge prompts for machines without a network.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmark import KNOWN, load_benchmark
from evaluation.dataset_files import Sources
from evaluation.downloads import download, download_models
from evaluation.generating import Model, Settings, Work, generate, plan_work, prepare
from evaluation.plots import draw
from evaluation.results import Loaded, assemble, incomplete, score_items
from evaluation.settings import Args, check_numbers, named_models, scoring_settings, switches_of
from evaluation.tables import latex_table, markdown_table
from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.folder_lock import lock_folder
from fusechat.model_folder import check_model_folder
from fusechat.output_file import write_atomically, write_json
from fusechat.run_manifest import differing_settings
from fusechat.tracking import start_tracking


def evaluate(args: Args) -> dict[str, Any]:
    """Generates what is missing, scores everything, writes the tables; returns the content of scores.json."""
    check_numbers(args)
    switches_of(args)
    models = named_models(args)
    # All of the data is read before the first model is loaded: a missing dataset shows at once.
    loaded = [load_items(name, args) for name in dict.fromkeys(args.benchmarks)]
    check_judge(args, loaded)
    if not args.rescore:
        for model in models:
            check_model_folder(model.path)
    # Judgments are paid for, and tables are of all models: one run at a time in this folder.
    with lock_folder(args.output_dir, doing="evaluating"):
        return generate_and_score(args, models, loaded)


def generate_and_score(args: Args, models: Sequence[Model], loaded: Sequence[Loaded]) -> dict[str, Any]:
    """What the evaluation does once all of its input is known to be good."""
    works = {model.name: [plan(model, one, args) for one in loaded] for model in models}
    for model in models:
        for work in works[model.name]:
            check_finished(work, rescore=args.rescore)
    # A tokenizer without chat template shows before the first engine starts.
    prompters = {} if args.rescore else prepare(models, works)
    tracker = start_tracking(
        args.report_to, step="evaluate", name=args.run_name, config={**vars(args)}, directory=args.output_dir
    )
    for model in models:
        if model.name in prompters:
            generate(model, works[model.name], prompters[model.name], args.tensor_parallel_size)
    scoring = scoring_settings(args)
    scores = {one.name: {model.name: score_items(one, model, scoring) for model in models} for one in loaded}
    results = {**assemble(scoring, loaded, models, scores), "compare_report": args.compare_report}
    write_json(args.output_dir / "scores.json", results)
    table = markdown_table(results)
    write_atomically(args.output_dir / "scores.md", table)
    write_atomically(args.output_dir / "scores.tex", latex_table(results))
    pictures = draw(results, args.output_dir)
    print(f"\n{table}\n-> {args.output_dir / 'scores.md'}, scores.json, items/, generations/")
    report(tracker, results, pictures)
    return results


def fetch(args: Args) -> None:
    """Everything that a machine without a network needs, below --data-root; then each benchmark is read from there."""
    switches_of(args)
    if args.data_root is None:
        raise BadInput("--download-only: needs --data-root DIR, the folder to fetch to")
    names = list(dict.fromkeys(args.benchmarks))
    download(
        [need for name in names for need in getattr(load_benchmark(name), "DOWNLOADS", ())], args.data_root
    )
    download_models([model.path for model in named_models(args)] if args.model else [])
    for name in names:
        print(f"{name}: {len(load_items(name, args).items)} items", flush=True)


def load_items(name: str, args: Args) -> Loaded:
    """A benchmark's module and its items, cut to the limit."""
    module = load_benchmark(name)
    try:
        items = module.load(Sources(args.data_root, args.heldout, switches_of(args)))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, SyntaxError) as error:
        # No values of the data: those of private sets do not get into logs.
        what = f"no {error}" if isinstance(error, KeyError) else type(error).__name__
        raise BadInput(
            f"{name}: its data are of another form ({what}); are these the published files?"
        ) from error
    ids = [item.item_id for item in items]
    if len(set(ids)) != len(ids):
        twice = next(item_id for item_id in ids if ids.count(item_id) > 1)
        raise BadInput(f"{name}: the item id {twice} comes twice in its data; each id once")
    return Loaded(name, module, items[: args.limit])


def plan(model: Model, one: Loaded, args: Args) -> Work:
    """The generations of one benchmark for one model."""
    settings = Settings(
        benchmark=one.name, limit=args.limit, max_tokens=args.max_tokens, max_model_len=args.max_model_len,
        seed=args.seed, dtype=args.dtype, chat_style=switches_of(args).chat_style.get(one.name),
        stop_at_comments=True if args.stop_at_comments and one.name in ("humaneval", "mbpp") else None,
    )  # fmt: skip
    path = args.output_dir / "generations" / model.name / f"{one.name}.jsonl"
    known_model = None if args.rescore else model.path
    overwrite = args.overwrite and not args.rescore
    return plan_work(one.name, one.module, one.items, settings, path, model=known_model, overwrite=overwrite)


def check_finished(work: Work, rescore: bool) -> None:
    """Finished generations count only for the same model, items and settings."""
    if not work.output.is_complete:
        return
    try:
        earlier = json.loads(work.output.sidecar.read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError):
        return
    ignored = {"generating", "family", "limit"}
    if rescore:
        ignored |= {"model", "max_tokens", "max_model_len", "seed", "dtype", "chat_style", "stop_at_comments"}
    now = {name: value for name, value in work.output.manifest.settings().items() if name not in ignored}
    differences = differing_settings({name: earlier[name] for name in earlier if name not in ignored}, now)
    if differences:
        raise BadInput(
            f"{work.output.path}: was made with other settings: {'; '.join(differences)}. "
            "Give the same settings, another --output-dir, or --overwrite to generate again"
        )


def check_judge(args: Args, loaded: Sequence[Loaded]) -> None:
    """Judged benchmarks need a judge before anything is generated."""
    judged = [one.name for one in loaded if getattr(one.module, "NEEDS_JUDGE", False)]
    if judged and not (args.judge_model and (args.judge_base_url or args.rescore)):
        raise BadInput(
            f"{', '.join(judged)}: judged by a model; give --judge-model NAME and --judge-base-url URL"
        )


def report(tracker: Any, results: dict[str, Any], pictures: Sequence[Path]) -> None:
    """Scores to the run tracker."""
    rows = [
        [entry["title"], model, entry["models"][model]["score"], entry["models"][model]["standard_error"]]
        for entry in results["benchmarks"].values()
        for model in results["models"]
    ]
    tracker.table("scores", ["benchmark", "model", "score", "standard_error"], rows)
    tracker.log({f"{model}/{title}": score for title, model, score, _ in rows if score is not None})
    for path in pictures:
        tracker.image(path.stem, path)
    tracker.finish()


def main() -> None:
    """Command line."""
    args = parse_args(Args)
    unknown = [name for name in args.benchmarks if name not in KNOWN]
    if unknown or not args.benchmarks:
        raise BadInput(f"--benchmarks {' '.join(unknown)}: not there; known are: {', '.join(KNOWN)}")
    if args.download_only:
        fetch(args)
        return
    gaps = incomplete(evaluate(args))
    if gaps:
        raise BadInput("not complete, so not scored: " + "; ".join(gaps) + ". The same command goes on")


if __name__ == "__main__":
    run(main)
