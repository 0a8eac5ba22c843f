"""Every script of the recipe with its flags for the sweep, and what of its output must be the same each time."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pair_files import SOURCES
from sweep.launching import Command, clean_environment

Kind = Literal["prompts", "responses", "rm_scores", "verdicts", "sft", "dpo", "rated", "rated_pairs"]
# A field that a row of each kind must have.
NEEDED_FIELD: dict[Kind, str] = {
    "prompts": "dataset", "responses": "text", "rm_scores": "response_id", "verdicts": "response_id",
    "sft": "messages", "dpo": "chosen", "rated": "messages", "rated_pairs": "chosen",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One script.

    arguments: flags and values; output_flags: flags whose values are places in the output folder. compared: globs
    below the output folder; dropped: fields of their rows that differ from run to run (times). records: flags of
    JSONL inputs; models: flags of model folders. exclusive: a second copy on the same output is refused.
    """

    name: str
    script: str
    arguments: dict[str, tuple[str, ...]]
    output_flags: dict[str, str]
    compared: tuple[str, ...]
    dropped: frozenset[str] = frozenset()
    records: dict[str, Kind] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    loads_torch: bool = False
    stand_in: bool = False
    exclusive: bool = True

    def command(
        self, output: Path, *more: str, preloaded: bool = True, report_to: str = "none", **environment: str
    ) -> Command:
        """The command that writes below `output`."""
        arguments = [word for flag, values in self.arguments.items() for word in (flag, *values)]
        for flag, place in self.output_flags.items():
            arguments += [flag, str(output / place) if place else str(output)]
        return Command(
            self.script, (*arguments, "--report-to", report_to, *more), clean_environment(**environment),
            stand_in=self.stand_in, preloaded=preloaded and self.loads_torch,
        )  # fmt: skip

    def with_input(self, flag: str, *values: str | Path) -> "Step":
        """The same step with another value of an input flag."""
        return replace(self, arguments={**self.arguments, flag: tuple(map(str, values))})

    def results(self, output: Path) -> dict[str, bytes]:
        """The finished files by name, without what differs from run to run."""
        found = {}
        for pattern in self.compared:
            for path in sorted(output.glob(pattern)):
                found[str(path.relative_to(output))] = self._comparable(path)
        return found

    def _comparable(self, path: Path) -> bytes:
        data = path.read_bytes()
        if not self.dropped or path.suffix != ".jsonl":
            return data
        rows = [json.loads(line) for line in data.split(b"\n") if line]
        kept = [{name: value for name, value in row.items() if name not in self.dropped} for row in rows]
        return json.dumps(kept).encode()


def all_steps(materials: Path) -> list[Step]:
    """The scripts of the recipe in its order."""

    def at(*names: str) -> tuple[str, ...]:
        return tuple(str(materials / name) for name in names)

    prompts: dict[str, tuple[str, ...]] = {"--prompts": at("prompts.jsonl")}
    answers = {**prompts, "--responses": at(*(f"responses/{source}.jsonl" for source in SOURCES))}
    reads_answers: dict[str, Kind] = {"--prompts": "prompts", "--responses": "responses"}
    return [
        Step(
            "select_prompts", "sampling/select_prompts.py",
            {"--data-root": at("datasets"), "--max-prompts": ("6",)},
            {"--output": "prompts.jsonl", "--dataset-responses": "brought/answers.jsonl"},
            ("prompts.jsonl", "brought/answers.jsonl"),
        ),
        Step(
            "sample_vllm", "sampling/sample_vllm.py",
            {
                **prompts, "--source": ("tiny",), "--sources-file": at("sources.yaml"), "--model": at("model"),
                "--samples-per-prompt": ("2",), "--domains": ("math",),
            },
            {"--output": "answers.jsonl"}, ("answers.jsonl",),
            records={"--prompts": "prompts"}, models=("--model",), loads_torch=True, stand_in=True,
        ),
        Step(
            "score_armorm", "scoring/score_armorm.py",
            {**answers, "--model": at("armorm"), "--tokens-per-batch": ("512",), "--dtype": ("float32",)},
            {"--output": "rm_scores.jsonl"}, ("rm_scores.jsonl",),
            records=reads_answers, models=("--model",), loads_torch=True,
        ),
        Step(
            "fit_armorm", "scoring/fit_armorm.py",
            {
                "--backbone": at("model"), "--rated": at("rated.jsonl"), "--pairs": at("rated_pairs.jsonl"),
                "--objective": ("correctness", "0", "1", "verbosity", "1", "5"), "--debias": ("verbosity",),
                "--gate-hidden-dim": ("16",), "--gate-steps": ("60",), "--gate-batch-size": ("16",),
                "--dtype": ("float32",), "--tokens-per-batch": ("256",),
            },
            {"--output-dir": ""}, ("config.json", "model.safetensors", "tokenizer.json", "features/*.safetensors"),
            records={"--rated": "rated", "--pairs": "rated_pairs"}, models=("--backbone",), loads_torch=True,
        ),
        Step(
            "run_code_tests", "scoring/run_code_tests.py", {**answers, "--workers": ("2",)},
            {"--output": "code_tests.jsonl"}, ("code_tests.jsonl",),
            frozenset({"wall_s", "cpu_s", "max_rss_mb"}), records=reads_answers,
        ),
        Step(
            "check_math", "scoring/check_math.py", {**answers, "--workers": ("1",)},
            {"--output": "math_checks.jsonl"}, ("math_checks.jsonl",), records=reads_answers,
        ),
        Step(
            "make_pairs", "scoring/make_pairs.py",
            {
                **answers, "--rm-scores": at("rm_scores.jsonl"), "--code-tests": at("code_tests.jsonl"),
                "--math-checks": at("math_checks.jsonl"), "--preset": ("paper",),
            },
            {"--output-dir": ""}, ("sft.jsonl", "dpo.jsonl", "composition.json", "composition.md", "dataset_info.json"),
            records={
                **reads_answers, "--rm-scores": "rm_scores", "--code-tests": "verdicts", "--math-checks": "verdicts",
            },
        ),
        *(_trainer(materials, stage) for stage in ("sft", "lndpo")),
        Step(
            "run_evals", "evaluation/run_evals.py",
            {
                "--model": (f"base={materials / 'model'}",), "--benchmarks": ("demo_word_problems",),
                "--heldout": at("heldout.jsonl"), "--max-tokens": ("12",), "--workers": ("1",),
            },
            {"--output-dir": ""}, ("generations/*/*.jsonl", "items/*/*.jsonl", "scores.json", "scores.md"),
            records={"--heldout": "prompts"}, loads_torch=True, stand_in=True,
        ),
        Step(
            "report", "evaluation/report.py", {"--run-dir": at("run")}, {"--output": "report.html"},
            ("report.html",), exclusive=False,
        ),
    ]  # fmt: skip


def _trainer(materials: Path, stage: Literal["sft", "lndpo"]) -> Step:
    rows: Literal["sft", "dpo"] = "sft" if stage == "sft" else "dpo"
    return Step(
        f"train_{stage}", f"training/train_{stage}.py",
        {
            "--model": (str(materials / "model"),), "--train-file": (str(materials / f"{rows}.jsonl"),),
            "--batch-size": ("4",), "--eval-size": ("4",), "--epochs": ("3",), "--learning-rate": ("1e-3",),
            "--checkpoint-every": ("3",), "--tokens-per-microbatch": ("400",),
        },
        {"--output-dir": ""}, ("model.safetensors", "config.json", "tokenizer.json", "metrics.jsonl"),
        frozenset({"tokens_per_second", "examples_per_second", "peak_memory_gb"}),
        records={"--train-file": rows}, models=("--model",), loads_torch=True,
    )  # fmt: skip
