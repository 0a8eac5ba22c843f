r"""Makes SFT rows and preference pairs from answers, RM scores and verdicts, and reports the composition.

    python scoring/make_pairs.py --prompts RUN/prompts.jsonl --responses RUN/responses --rm-scores \
        RUN/rm_scores.jsonl --code-tests RUN/code_tests.jsonl --math-checks RUN/math_checks.jsonl \
        --preset paper --output-dir RUN/pairs

Reads prompts, responses, scores and verdicts (files, folders, globs), joined by response_id. Writes sft.jsonl,
dpo.jsonl, composition.json, composition.md, three composition_*.png, and dataset_info.json for LLaMA-Factory.
Chinese prompts need no score (rm_score is null in their rows). The rules are explained in scoring/pairs.yaml.
"""

import dataclasses
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fusechat.command_line import StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.jsonl import read_prompts
from fusechat.output_file import OutputFile, write_atomically, write_json
from fusechat.progress import Progress
from fusechat.records import Prompt
from fusechat.run_manifest import Manifest, differing_settings
from fusechat.tracking import start_tracking
from scoring.pairing.rules import PairRules, preset_values, rules_of

if TYPE_CHECKING:
    from scoring.pairing.answer_table import AnswerTable
    from scoring.pairing.decisions import DatasetDecisions


@dataclass(kw_only=True)
class Args(PairRules, StepArgs):
    """Settings of make_pairs.py: files, and the switches of the rules."""

    prompts: list[str]
    """Prompt files, folders or globs."""
    responses: list[str]
    """Response files, folders or globs, of all sources."""
    rm_scores: list[str] = field(default_factory=list)
    """RM score files, folders or globs (needed unless all prompts are Chinese)."""
    code_tests: list[str] = field(default_factory=list)
    """Code verdicts (needed for code prompts)."""
    math_checks: list[str] = field(default_factory=list)
    """Maths verdicts (needed for math prompts)."""
    output_dir: Path
    """Folder that gets sft.jsonl, dpo.jsonl, composition.* and dataset_info.json."""
    preset: Literal["paper"] | None = None
    """paper: the rules of scoring/pairs.yaml; --config and flags win over it."""
    allow_missing: bool = False
    """Go on where answers lack a score or verdict, or prompts an answer; what is left out is counted."""
    llama_factory_columns: bool = True
    """Give each pair chosen_message and rejected_message too, which LLaMA-Factory needs (texts stand twice)."""


def parse() -> Args:
    """The arguments; with a preset, its values are the defaults under --config and flags."""
    args = parse_args(Args)
    if args.preset is None:
        return args
    preset = [
        (name, hint, field(default_factory=lambda value=value: value))  # type: ignore[misc]
        for name, (hint, value) in preset_values(args.preset).items()
    ]
    return parse_args(dataclasses.make_dataclass("PresetArgs", preset, bases=(Args,), kw_only=True))


class Outputs:
    """The two row files, and whether all of the step's files are there."""

    def __init__(self, args: Args, manifest: Manifest) -> None:
        folder = args.output_dir
        self.sft = OutputFile(
            folder / "sft.jsonl", id_field="response_id", manifest=manifest, overwrite=args.overwrite
        )
        self.dpo = OutputFile(
            folder / "dpo.jsonl", id_field="pair_id", manifest=manifest, overwrite=args.overwrite
        )
        self.composition_json = folder / "composition.json"
        self.composition_md = folder / "composition.md"
        self.dataset_info = folder / "dataset_info.json"
        self.manifest = manifest

    def are_complete(self) -> bool:
        """Whether nothing is left to do."""
        others = (self.composition_json, self.composition_md, self.dataset_info)
        return self.sft.is_complete and self.dpo.is_complete and all(path.exists() for path in others)

    def say_complete(self) -> None:
        """Tells that nothing is left to do, and if the files were made with other settings."""
        for output in (self.sft, self.dpo):
            output.say_complete()
            differences = self.differences(output)
            if differences:
                print(f"note: {output.path}: was made with other settings: {differences}", file=sys.stderr)

    def differences(self, output: OutputFile) -> str:
        """How the settings of a finished file differ from these; empty where they agree."""
        try:
            earlier = json.loads(output.sidecar.read_text(encoding="utf-8"))["settings"]
        except (OSError, ValueError, KeyError):
            return f"its {output.sidecar.name} cannot be read"
        try:
            return "; ".join(differing_settings(earlier, self.manifest.settings()))
        except BadInput:  # the inputs are gone: no reason to doubt what is finished
            return ""

    def unfinished(self) -> list[OutputFile]:
        """The row files that are still to be made. BadInput where the other one is of other settings."""
        for output in (self.sft, self.dpo):
            if output.is_complete and (differences := self.differences(output)):
                raise BadInput(
                    f"{output.path}: was made with other settings: {differences}; "
                    "give another --output-dir, or --overwrite to start anew"
                )
        return [output for output in (self.sft, self.dpo) if not output.is_complete]


def join(args: Args, prompts: Mapping[str, Prompt], rules: PairRules) -> tuple["AnswerTable", dict[str, int]]:
    """Indexes the answers and joins scores and verdicts; returns the table and what is missing."""
    from scoring.pairing.answer_table import read_answers
    from scoring.pairing.joins import join_code_verdicts, join_math_verdicts, join_rm_scores
    from scoring.pairing.missing import missing_figures

    table = read_answers(args.responses, prompts, rules.chinese_min_cjk_share)
    unknown = sorted(set(rules.on_policy_sources) - set(table.sources))
    if unknown:
        raise BadInput(
            f"--on-policy-sources {' '.join(unknown)}: no answer is theirs; "
            f"the sources are {', '.join(sorted(table.sources))}"
        )
    print(
        f"read {len(prompts):,} prompts and {len(table):,} answers of {len(table.sources)} sources",
        flush=True,
    )
    null_reasons = join_rm_scores(table, args.rm_scores)
    # The checks leave an empty file where there was nothing for them to check.
    domains = {prompt.domain for prompt in prompts.values()}
    join_code_verdicts(table, args.code_tests, may_be_empty="code" not in domains)
    join_math_verdicts(table, args.math_checks, may_be_empty="math" not in domains)
    missing = missing_figures(table, prompts, null_reasons, allow=args.allow_missing)
    return table, {**missing, "repeated_response_rows": table.repeated_rows}


def write_rows(
    args: Args,
    outputs: Outputs,
    table: "AnswerTable",
    prompts: Mapping[str, Prompt],
    datasets: list["DatasetDecisions"],
) -> None:
    """Writes sft.jsonl and dpo.jsonl; a finished one stays if the same settings made it."""
    from scoring.pairing.located_lines import LineReader
    from scoring.pairing.rows import RowMaker, dpo_ids, sft_ids

    planned_sft, planned_dpo = sft_ids(datasets, args.seed), dpo_ids(datasets, args.seed)
    counts = {"sft": len(planned_sft), "dpo": len(planned_dpo)}
    unfinished = outputs.unfinished()
    with ExitStack() as stack:
        reader = stack.enter_context(LineReader(table.paths))
        maker = RowMaker(table, prompts, reader, llama_factory_columns=args.llama_factory_columns)
        for output in unfinished:
            stack.enter_context(output)
        # Both are whole under their partial names before one of them gets its final name.
        progress = stack.enter_context(Progress(sum(counts.values()), unit="rows", description="write"))
        if outputs.sft in unfinished:
            for row in maker.missing_sft_rows(planned_sft, outputs.sft.done):
                outputs.sft.write(row)
                progress.update()
        if outputs.dpo in unfinished:
            for row in maker.missing_dpo_rows(planned_dpo, outputs.dpo.done):
                outputs.dpo.write(row)
                progress.update()
        for output in unfinished:
            output.finish(counts=counts)


def report(args: Args, outputs: Outputs, composition: dict[str, Any], plots: list[Path]) -> None:
    """Writes composition.json and .md and dataset_info.json, prints the table, tells the tracker."""
    from scoring.pairing.composition_markdown import as_markdown, composition_table
    from scoring.pairing.dataset_info import dataset_info

    write_json(outputs.dataset_info, dataset_info(with_pairs=args.llama_factory_columns))
    write_json(outputs.composition_json, composition)
    write_atomically(outputs.composition_md, as_markdown(composition))
    print(composition_table(composition["datasets"], composition["total"]))
    for row in composition["datasets"]:
        for reason, count in {**row["not_selected_by_reason"], **row["unused_by_reason"]}.items():
            print(f"{row['dataset']}: {count:,} prompts give nothing: {reason}")
    tracker = start_tracking(
        args.report_to,
        step="make_pairs",
        name=args.run_name,
        config={**outputs.manifest.arguments, "rm_settings": composition["rm_settings"]},
        directory=args.output_dir,
    )
    tracker.log({f"pairs/{name}": count for name, count in composition["total"].items()})
    columns = ["dataset", "prompts", "selected", "sft", "dpo", "both", "unused", "category"]
    tracker.table(
        "composition", columns, [[row[name] for name in columns] for row in composition["datasets"]]
    )
    tracker.table(
        "sources", list(composition["sources"][0]), [list(row.values()) for row in composition["sources"]]
    )
    for path in plots:
        tracker.image(path.stem, path)
    tracker.finish()


def check_inputs(args: Args, prompts: Mapping[str, Prompt]) -> None:
    """BadInput that names every input flag that these prompts need and that is not given."""
    domains = {prompt.domain for prompt in prompts.values()}
    needed = (
        ("--rm-scores", args.rm_scores, domains & {"instruction", "math", "code"}),
        ("--code-tests", args.code_tests, domains & {"code"}),
        ("--math-checks", args.math_checks, domains & {"math"}),
    )
    absent = [
        f"{flag} is needed for prompts of domain {', '.join(sorted(which))}"
        for flag, given, which in needed
        if which and not given
    ]
    if absent:
        raise BadInput("; ".join(absent))


def main() -> None:
    """Parses the command line, joins, decides, writes, reports."""
    args = parse()
    rules = rules_of(args)
    given = {
        "prompts": args.prompts,
        "responses": args.responses,
        "rm_scores": args.rm_scores,
        "code_tests": args.code_tests,
        "math_checks": args.math_checks,
    }
    manifest = Manifest(
        script=__file__,
        args=args,
        inputs={name: files for name, files in given.items() if files},
        free=("preset",),
    )
    outputs = Outputs(args, manifest)
    if outputs.are_complete():
        outputs.say_complete()
        return
    prompts = read_prompts(args.prompts)
    check_inputs(args, prompts)

    from scoring.pairing.composition import compose
    from scoring.pairing.decisions import decide_all
    from scoring.pairing.plots import draw_plots
    from scoring.pairing.rm_settings import agreed_rm_settings
    from scoring.pairing.spread import window_from_quantiles

    rm_settings = agreed_rm_settings(args.rm_scores)
    table, left_out = join(args, prompts, rules)
    if rules.margin_quantiles is not None:
        rules.margin = window_from_quantiles(table, rules.margin_quantiles)
        print(f"window from quantiles: --margin {rules.margin[0]:.6g} {rules.margin[1]:.6g}", flush=True)
    datasets = decide_all(table, prompts, rules)
    composition = {
        **compose(table, datasets),
        "left_out": left_out,
        "rules": dataclasses.asdict(rules),
        "rm_settings": rm_settings,
    }
    write_rows(args, outputs, table, prompts, datasets)
    plots = draw_plots(args.output_dir, table, datasets)
    report(args, outputs, composition, plots)
    if composition["total"]["entries"] == 0:
        print(
            "note: not one row came out; see the reasons above (--margin belongs to the reward model's scale)",
            file=sys.stderr,
        )
    print(f"wrote {outputs.sft.path}, {outputs.dpo.path}, {outputs.composition_md}")


if __name__ == "__main__":
    run(main)
