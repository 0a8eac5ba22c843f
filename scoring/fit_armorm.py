r"""Fits an ArmoRM head on a frozen decoder and packs both into one checkpoint that score_armorm.py loads.

    python scoring/fit_armorm.py --backbone HuggingFaceTB/SmolLM2-135M-Instruct --rated RUN/rm_training/rated.jsonl \
        --pairs RUN/rm_training/pairs.jsonl --objective correctness 0 1 verbosity 1 5 --debias verbosity \
        --output-dir RUN/models/armorm

Reads rated answers, lines of {messages, labels: {name: value or null}}, and preference pairs, lines of
{prompt: messages, chosen: [message], rejected: [message]}. Writes OUTPUT_DIR (config, weights, tokenizer),
OUTPUT_DIR/fit_report.json with the quality on held-out prompts and a margin window for the pairs, and
OUTPUT_DIR/features/ (the backbone's states; a second fit with other gate settings reuses them). Everything is
split by prompt: no answer to a held-out prompt is fitted on. A killed run goes on by the same command.
"""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fusechat.chat import load_tokenizer
from fusechat.command_line import StepArgs, parse_args, read_yaml, run
from fusechat.errors import BadInput
from fusechat.folder_lock import lock_folder
from fusechat.model_folder import check_model_folder, written_whole
from fusechat.output_file import write_atomically, write_json
from fusechat.run_manifest import Manifest
from fusechat.tracking import start_tracking
from scoring.prefix_batches import DEFAULT_TOKENS_PER_BATCH

if TYPE_CHECKING:
    from scoring.fit_data import FitData
    from scoring.fit_features import Features
    from scoring.fit_heads import Heads

# Settings that the features do not depend on: a fit with others of these reuses them.
HEAD_SETTINGS = (
    "held_out", "validation", "split_seed", "seed", "debias", "debias_threshold", "gate_temperature",
    "gate_hidden_dim", "gate_n_hidden", "gate_dropout", "gate_logit_scale", "gate_learning_rate", "gate_steps",
    "gate_batch_size", "gate_rewards",
)  # fmt: skip
REPORT_NAME = "fit_report.json"


@dataclass(kw_only=True)
class Args(StepArgs):
    """Settings of the fit; the gate's defaults are the published ones."""

    backbone: str
    """Folder or Hub id of the decoder that becomes the backbone; it stays as it is."""
    rated: list[str]
    """Files, folders or globs of rated answers."""
    pairs: list[str]
    """Files, folders or globs of preference pairs."""
    output_dir: Path
    """Folder for checkpoint, report and features."""
    objectives_file: Path | None = None
    """YAML file with one `name: [lowest, highest]` rating per line, in the order of the rewards."""
    objective: list[tuple[str, float, float]] = field(default_factory=list)
    """Instead of a file: NAME LOWEST HIGHEST for each objective, one behind the other."""
    debias: str = "helpsteer-verbosity"
    """Objective to take out of the others by rank correlation, or none."""
    debias_threshold: float = 0.03
    """Highest rank correlation with that objective that may be left (signed: below is always all right)."""
    reference_pairs: list[str] = field(default_factory=list)
    """Pairs on whose answers these correlations are taken (default: the pairs that the gate is fitted on)."""
    max_length: int | None = None
    """Longest conversation in tokens; longer ones are skipped (default: 4096, or the backbone's limit if lower)."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number format of the backbone, here and in the checkpoint; the heads are always float32."""
    tokens_per_batch: int | None = None
    """Tokens in one forward pass (default: 2048 on CPU, 16384 on a GPU)."""
    held_out: float = 0.2
    """Share of prompts that nothing is fitted on, for the report."""
    validation: float = 0.16
    """Share of prompts on which the ridge strength is chosen (0.16: a fifth of the rest)."""
    split_seed: int = 42
    """Seed of the split by prompt."""
    gate_temperature: float = 10.0
    """Temperature of the gate's softmax."""
    gate_hidden_dim: int = 1024
    """Width of the gate's hidden layers."""
    gate_n_hidden: int = 3
    """Number of the gate's hidden layers."""
    gate_dropout: float = 0.2
    """Dropout behind each hidden layer, in training."""
    gate_logit_scale: float = 1.0
    """Where the gate's learned scale starts; near 1 the gate picks one objective, from about 20 on it mixes."""
    gate_learning_rate: float = 1e-3
    """Peak learning rate of AdamW; falls to 0 along a cosine."""
    gate_steps: int = 2000
    """Optimizer steps of the gate."""
    gate_batch_size: int = 1024
    """Pairs in one optimizer step, drawn with replacement."""
    gate_rewards: Literal["transformed", "plain"] = "transformed"
    """Fit the gate on r T, which it mixes in use, or on r alone as the published script does."""
    seed: int = 0
    """Seed of the gate's start, batches and dropout."""


def check_args(args: Args) -> dict[str, tuple[float, float]]:
    """Reports all bad settings at once, before a model is loaded; returns the objectives with their ranges."""
    faults: list[str] = []
    ranges: dict[str, tuple[float, float]] = {}
    if (args.objectives_file is None) == (not args.objective):
        faults.append("--objectives-file or --objective: give one of the two")
    elif args.objectives_file is not None:
        for name, value in read_yaml(args.objectives_file).items():
            if not (
                isinstance(value, list)
                and len(value) == 2
                and all(isinstance(v, (int, float)) for v in value)
            ):
                faults.append(f"{args.objectives_file}: {name}: must be [lowest, highest]")
            else:
                ranges[str(name)] = (float(value[0]), float(value[1]))
    for name, low, high in args.objective:
        if name in ranges:
            faults.append(f"--objective: {name} comes twice")
        ranges[name] = (low, high)
    faults += [
        f"objective {name}: lowest {low} is not below highest {high}"
        for name, (low, high) in ranges.items()
        if not (math.isfinite(low) and math.isfinite(high) and low < high)
    ]
    if args.debias != "none" and args.debias not in ranges and ranges:
        faults.append(
            f"--debias: {args.debias} is not among the objectives {', '.join(ranges)}; name one, or none"
        )
    faults += [
        f"--{name.replace('_', '-')}: is {getattr(args, name)}; it must be at least {lowest}"
        for name, lowest in (
            ("max_length", 8), ("tokens_per_batch", 8), ("gate_hidden_dim", 1), ("gate_n_hidden", 0),
            ("gate_steps", 1), ("gate_batch_size", 1),
        )
        if getattr(args, name) is not None and getattr(args, name) < lowest
    ]  # fmt: skip
    faults += [
        f"--{name.replace('_', '-')}: is {getattr(args, name)}; it must be above 0 and finite"
        for name in ("gate_temperature", "gate_learning_rate", "gate_logit_scale")
        if not 0 < getattr(args, name) < math.inf
    ]
    if not 0 <= args.gate_dropout < 1:
        faults.append(f"--gate-dropout: is {args.gate_dropout}; it must be at least 0 and below 1")
    if not -1 <= args.debias_threshold <= 1:
        faults.append(f"--debias-threshold: is {args.debias_threshold}; a correlation is between -1 and 1")
    for name in ("held_out", "validation"):
        if not 0 < getattr(args, name) < 0.5:
            faults.append(
                f"--{name.replace('_', '-')}: is {getattr(args, name)}; it must be between 0 and 0.5"
            )
    if faults:
        raise BadInput("; ".join(faults))
    check_model_folder(args.backbone)
    return ranges


def extract_features(
    args: Args, manifest: Manifest, data: "FitData", tokenizer: Any, gate_offset: int
) -> tuple[Any, "Features"]:
    """The backbone (without its language-model head), and its states at the places that the heads read."""
    import torch
    from transformers import AutoModel

    from scoring.armorm import load_whole, read_config
    from scoring.fit_features import check_folder, extract
    from scoring.hidden_states import plain_attention

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens_per_batch = args.tokens_per_batch or DEFAULT_TOKENS_PER_BATCH[device]
    manifest.extra["tokens_per_batch"] = tokens_per_batch
    folder = args.output_dir / "features"
    check_folder(folder, json.loads(json.dumps(manifest.settings())), args.overwrite)
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[args.dtype]
    attention = plain_attention(read_config(args.backbone))
    decoder = load_whole(AutoModel, args.backbone, extra_tensors=True, dtype=dtype, **attention)
    decoder = decoder.to(device).eval()
    pad_id = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    features = extract(
        decoder, data, folder, gate_offset=gate_offset, pad_id=pad_id, tokens_per_batch=tokens_per_batch
    )
    return decoder, features


def log_fit(args: Args, manifest: Manifest, heads: "Heads", report: dict[str, Any]) -> None:
    """The gate's losses and the pair accuracies to the run tracker."""
    tracker = start_tracking(
        args.report_to, step="fit-armorm", name=args.run_name, config=manifest.arguments,
        directory=args.output_dir.parent,
    )  # fmt: skip
    for step in range(0, len(heads.gate_losses), max(1, len(heads.gate_losses) // 200)):
        tracker.log({"gate/loss": heads.gate_losses[step]}, step=step)
    tracker.log({f"pair_accuracy/{name}": value for name, value in report["pair_accuracy"].items()})
    tracker.finish()


def main() -> None:
    """Parses the command line, extracts features, fits, packs, reports."""
    args = parse_args(Args)
    ranges = check_args(args)
    report_path = args.output_dir / REPORT_NAME
    if report_path.exists() and not args.overwrite:
        print(f"{args.output_dir}: is complete already; nothing to do (--overwrite starts anew)")
        return
    started = time.monotonic()
    inputs = {"rated": args.rated, "pairs": args.pairs}
    if args.reference_pairs:
        inputs["reference_pairs"] = args.reference_pairs
    manifest = Manifest(
        script=__file__, args=args, inputs=inputs, models={"backbone": args.backbone},
        free=(*HEAD_SETTINGS, "objective", "objectives_file"),
    )  # fmt: skip
    manifest.extra["objectives"] = {name: list(bounds) for name, bounds in ranges.items()}
    tokenizer = load_tokenizer(args.backbone)

    import transformers

    from scoring.armorm import read_config
    from scoring.armorm_fit import GateSettings
    from scoring.fit_data import read_fit_data, split_prompts
    from scoring.fit_heads import Debias, assemble, check_data, fit_heads
    from scoring.fit_report import make_report, model_card, report_text
    from scoring.rm_inputs import check_chat, derive_gate_offset, resolve_max_length

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # a head left out here is meant; faults are BadInput
    manifest.extra["max_length"] = resolve_max_length(args.max_length, read_config(args.backbone))
    check_chat(args.backbone, tokenizer)
    data = read_fit_data(
        args.rated, args.pairs, ranges, tokenizer, manifest.extra["max_length"], args.reference_pairs
    )
    split = split_prompts(data, held_out=args.held_out, validation=args.validation, seed=args.split_seed)
    check_data(data, split)
    offset = derive_gate_offset(tokenizer)
    lock = lock_folder(args.output_dir, doing="fitting")
    decoder, features = extract_features(args, manifest, data, tokenizer, offset)
    extracted = time.monotonic()
    settings = GateSettings(
        temperature=args.gate_temperature, hidden_dim=args.gate_hidden_dim, n_hidden=args.gate_n_hidden,
        dropout=args.gate_dropout, logit_scale=args.gate_logit_scale, learning_rate=args.gate_learning_rate,
        steps=args.gate_steps, batch_size=args.gate_batch_size, seed=args.seed, rewards=args.gate_rewards,
    )  # fmt: skip
    debias = Debias(args.debias, args.debias_threshold)
    heads = fit_heads(data, split, features, debias, settings)
    model = assemble(decoder, heads, ranges, offset, args.debias)
    report_path.unlink(missing_ok=True)
    with written_whole(args.output_dir) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    report = make_report(model, data, split, features, heads)
    fitted = time.monotonic()
    report["seconds"] = {"features": round(extracted - started, 1), "heads": round(fitted - extracted, 1)}
    write_atomically(args.output_dir / "README.md", model_card(report, args.backbone))
    write_json(report_path, {**report, "run": manifest.as_dict()})
    lock.close()
    print(report_text(report, args.output_dir))
    log_fit(args, manifest, heads, report)


if __name__ == "__main__":
    run(main)
