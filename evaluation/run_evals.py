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
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evaluation.benchmark import KNOWN, REPORT_ORDER, load_benchmark
from evaluation.dataset_files import Sources
from evaluation.downloads import download, download_models
from evaluation.generating import Model, Settings, Work, generate, plan_work, prepare
from evaluation.judge import JudgeSettings
from evaluation.plots import draw
from evaluation.results import Loaded, ScoringSettings, assemble, incomplete, score_items
from evaluation.switches import FIRST_DAY, LAST_DAY, Switches, chat_styles, check_window
from evaluation.tables import latex_table, markdown_table
from fusechat.command_line import StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.folder_lock import lock_folder
from fusechat.model_folder import check_model_folder
from fusechat.output_file import write_atomically, write_json
from fusechat.run_manifest import differing_settings
from fusechat.tracking import start_tracking


@dataclass(kw_only=True)
class Args(StepArgs):
    """Settings of run_evals.py."""

    model: list[str] = field(default_factory=list)
    """Models as NAME=PATH, or a path or Hub id (then its last part is the name); the first is compared with."""
    benchmarks: list[str] = field(default_factory=lambda: list(REPORT_ORDER))
    """Names of the benchmarks (default: the report's 14); an unknown name lists the known ones."""
    output_dir: Path = Path("runs/evaluation")
    """Folder that gets generations, scored items and tables."""
    data_root: Path | None = None
    """Folder with datasets in the Hub's layout (DIR/org/name); looked in before the Hub."""
    download_only: bool = False
    """Fetch what the benchmarks (and models named by a Hub id) need to --data-root, tell its size, and end."""
    heldout: Path | None = None
    """Prompts file of demo_word_problems (default: DATA_ROOT/fusechat-demo/word-problems/heldout.jsonl)."""
    limit: int | None = None
    """Only the first N items of each benchmark."""
    max_tokens: int | None = None
    """Longest answer in tokens (default: the benchmark's own)."""
    max_model_len: int | None = None
    """Longest prompt plus answer in tokens (default: the benchmark's own, 4096 or 8192)."""
    seed: int = 0
    """Seed of the engine and, with the item's name, of each sampled answer."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Number format of the models in the engine."""
    tensor_parallel_size: int = 1
    """GPUs that share one model."""
    compare_report: Literal["llama", "qwen", "gemma"] | None = None
    """Show the FuseChat-3.0 report's figures for this target beside one's own."""
    rescore: bool = False
    """Score the generations that are there again; needs no model."""
    workers: int = max(1, os.cpu_count() or 1)
    """Processes that check answers."""
    isolation: Literal["auto", "A", "B", "none"] = "auto"
    """How code is isolated when it is run, as in scoring/run_code_tests.py."""
    judge_model: str | None = None
    """Name of the judge model (judged benchmarks only); `report`: for each benchmark the report's own."""
    judge_base_url: str | None = None
    """Base URL of the OpenAI-compatible server of the judge; its key comes from OPENAI_API_KEY."""
    judge_concurrency: int = 16
    """Calls of the judge at the same time."""
    judge_tries: int = 16
    """Tries of a failing call of the judge."""
    judge_wait: float = 10.0
    """Seconds between two tries."""
    judge_timeout: float = 300.0
    """Seconds that one call may take."""
    unrated: Literal["missing", "drop", "minus-one"] = "missing"
    """What a judge's text without a rating or verdict is: missing, so that the benchmark has no score and the same
    command asks again; or left out of the mean and counted, as published tables do; or in align_bench a rating of -1,
    as in the authors' table (elsewhere left out)."""
    chat_style: list[str] = field(default_factory=list)
    """BENCHMARK=template or BENCHMARK=bare: the tokenizer's chat template as it is, or without what it adds by itself
    (Llama-3.1's date block, Qwen-2.5's system sentence). Default: bare for maths, for alpaca_eval_2 and arena_hard of
    Llama, for mmlu, mmlu_pro and gpqa_diamond of Qwen; else template."""
    stop_at_comments: bool = False
    """humaneval, mbpp: also stop an answer at a # at the left margin."""
    percent_factor: bool = False
    """Maths: the gold answer times 100 or divided by 100 is right too."""
    lcb_first_day: str = FIRST_DAY
    """livecodebench_2408_2411: first day of the window."""
    lcb_last_day: str = LAST_DAY
    """livecodebench_2408_2411: last day of the window, included."""
    lcb_fence: Literal["first", "last"] = "first"
    """livecodebench_2408_2411: whether the program stands in the first or, as in LiveCodeBench by now, the last fence."""


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


def check_numbers(args: Args) -> None:
    """Refuses impossible numbers, all of them at once."""
    wrong = [
        f"--{name.replace('_', '-')} {value}: must be 1 or more"
        for name in (
            "limit",
            "max_tokens",
            "max_model_len",
            "workers",
            "tensor_parallel_size",
            "judge_concurrency",
            "judge_tries",
        )
        if (value := getattr(args, name)) is not None and value < 1
    ]
    if not args.judge_timeout > 0:
        wrong.append(f"--judge-timeout {args.judge_timeout}: must be above 0")
    if not args.judge_wait >= 0:
        wrong.append(f"--judge-wait {args.judge_wait}: must be 0 or more")
    if wrong:
        raise BadInput("; ".join(wrong))


def switches_of(args: Args) -> Switches:
    """The switches that the flags name; BadInput for a benchmark, style or day that is none."""
    check_window(args.lcb_first_day, args.lcb_last_day)
    return Switches(
        chat_style=chat_styles(args.chat_style, KNOWN), stop_at_comments=args.stop_at_comments,
        percent_factor=args.percent_factor, code_fence=args.lcb_fence, first_day=args.lcb_first_day,
        last_day=args.lcb_last_day, unrated=args.unrated,
    )  # fmt: skip


def named_models(args: Args) -> list[Model]:
    """The models under their display names; BadInput for a name that comes twice."""
    texts = args.model
    if not texts and args.rescore and (args.output_dir / "generations").is_dir():
        folders = [path for path in (args.output_dir / "generations").iterdir() if path.is_dir()]
        texts = [path.name for path in sorted(folders, key=lambda path: path.stat().st_ctime)]
    if not texts:
        raise BadInput("--model: names no model; give NAME=PATH, a folder or a Hub id")
    models = []
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals:
            name, path = Path(text).name, text
        if not re.fullmatch(r"[\w.+-]+", name) or not path:
            raise BadInput(f"--model {text}: needs a name of letters, digits, . + - _; give NAME=PATH")
        models.append(Model(name, path))
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(
            f"--model: the name {', '.join(twice)} comes twice; give each model its own by NAME=PATH"
        )
    return models


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


def scoring_settings(args: Args) -> ScoringSettings:
    """What scoring needs; scoring again makes no calls of the judge."""
    judge = None
    if args.judge_model and args.judge_base_url and not args.rescore:
        judge = JudgeSettings(
            args.judge_model, args.judge_base_url, args.judge_concurrency, args.judge_tries, args.judge_wait,
            args.judge_timeout,
        )  # fmt: skip
    return ScoringSettings(
        output_dir=args.output_dir, workers=args.workers, isolation=args.isolation, limit=args.limit, seed=args.seed,
        judge_model=args.judge_model, judge=judge, switches=switches_of(args),
    )  # fmt: skip


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
