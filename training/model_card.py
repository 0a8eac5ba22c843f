"""The README.md of a trained model: from what, with which data and settings, which checkpoint and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.checkpoints import Checkpoint


def write_model_card(
    *,
    title: str,
    stage: str,
    base_model: str,
    manifest: Mapping[str, Any],
    data: Mapping[str, Any],
    checkpoints: Sequence[Checkpoint],
    chosen: Checkpoint,
    choice: str,
) -> str:
    """Markdown with the Hub's YAML header. `choice` says how the exported checkpoint was chosen."""
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        f"base_model: {_name(base_model)}",
        f"tags: [fusechat-3.0, {stage}]",
        "---",
        "",
        f"# {title}",
        "",
        f"{_stage_sentence(stage)} of `{_name(base_model)}` by the FuseChat-3.0 recipe (implicit model fusion).",
        "",
        "## Which checkpoint",
        "",
        f"Step {chosen.step}: {choice}.",
        "",
        *_checkpoint_table(checkpoints, chosen),
        "",
        "## Settings",
        "",
        "| setting | value |",
        "|---|---|",
        *(
            f"| {name} | {_cell(value)} |"
            for name, value in manifest["arguments"].items()
            if value is not None
        ),
        "",
        "## Data",
        "",
        "| file | bytes | SHA-256 |",
        "|---|---|---|",
    ]
    for files in manifest["inputs"].values():
        lines += [f"| {_name(file['path'])} | {file['size']} | {file['sha256']} |" for file in files]
    lines += ["", f"Rows: {data['summary']}. Trained on {data['train']}, held out {data['held_out']}.", ""]
    for kind, counts in data["composition"].items():
        lines += [
            f"| {kind} | rows |",
            "|---|---|",
            *(f"| {name} | {count} |" for name, count in counts.items()),
            "",
        ]
    lines += [
        "## Versions",
        "",
        ", ".join(f"{name} {version}" for name, version in manifest["libraries"].items()),
        "",
    ]
    if manifest.get("git_commit"):
        lines += [f"Code: commit {manifest['git_commit']}.", ""]
    return "\n".join(lines)


def _stage_sentence(stage: str) -> str:
    return {"sft": "Supervised fine-tuning", "lndpo": "Length-normalised DPO"}[stage]


def _checkpoint_table(checkpoints: Sequence[Checkpoint], chosen: Checkpoint) -> list[str]:
    names = sorted({name for checkpoint in checkpoints for name in checkpoint.state["evaluation"]})
    if not names:
        return ["No held-out part was measured."]
    lines = [f"| step | {' | '.join(names)} | |", "|---|" + "---|" * len(names) + "---|"]
    for checkpoint in checkpoints:
        figures = " | ".join(
            f"{checkpoint.state['evaluation'].get(name, float('nan')):.6g}" for name in names
        )
        lines.append(
            f"| {checkpoint.step} | {figures} | {'exported' if checkpoint.step == chosen.step else ''} |"
        )
    return lines


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_name(str(item)) for item in value)
    text = str(value)
    return (_name(text) if text.startswith("/") else text).replace("|", "\\|")


def _name(path: str) -> str:
    """The last two parts of a path: enough to know the file, nothing about the machine."""
    return "/".join(path.split("/")[-2:])
