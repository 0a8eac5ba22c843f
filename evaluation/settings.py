"""Flags of run_evals.py, checked, and what they name: models, switches, the judge."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from evaluation.benchmark import KNOWN, REPORT_ORDER
from evaluation.generating import Model
from evaluation.judge import JudgeSettings
from evaluation.results import ScoringSettings
from evaluation.switches import FIRST_DAY, LAST_DAY, Switches, chat_styles, check_window
from fusechat.command_line import StepArgs
from fusechat.errors import BadInput


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
