"""Hidden states of a frozen backbone, computed once and kept on disk (float32), so that a fit can be repeated."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from fusechat.errors import BadInput
from fusechat.output_file import write_atomically, write_json
from fusechat.progress import Progress
from fusechat.run_manifest import differing_settings
from scoring.fit_data import FitData
from scoring.hidden_states import StateReader
from scoring.prefix_batches import PromptGroup

CHUNK_ANSWERS = 512  # answers in one file; what a killed run may have to compute again


class Features:
    """`last` (answers, d) at each answer's end, `prompt` (prompts, d) at the gate's place; float32."""

    def __init__(self, last: torch.Tensor, prompt: torch.Tensor) -> None:
        self.last, self.prompt = last, prompt


def check_folder(folder: Path, settings: Mapping[str, Any], overwrite: bool) -> None:
    """Takes up a folder of features made with the same settings; refuses one made with others."""
    settings_file = folder / "settings.json"
    if overwrite:
        for path in (*folder.glob("chunk-*.safetensors"), settings_file):
            path.unlink(missing_ok=True)
    if settings_file.exists():
        differences = differing_settings(json.loads(settings_file.read_text(encoding="utf-8")), settings)
        if differences:
            raise BadInput(
                f"{folder}: its features were computed with other settings: {'; '.join(differences)}. "
                "Give the same settings, another --output-dir, or --overwrite to start anew"
            )
    else:
        write_json(settings_file, dict(settings))


def extract(
    decoder: Any, data: FitData, folder: Path, *, gate_offset: int, pad_id: int, tokens_per_batch: int
) -> Features:
    """Runs the backbone over all conversations, a prompt once for all its answers; goes on where it stopped."""
    from safetensors.torch import load_file, save

    reader = StateReader(decoder, gate_offset, pad_id)
    batches = reader.batches(data.groups(), tokens_per_batch)
    size = decoder.config.hidden_size
    features = Features(torch.empty(len(data.answers), size), torch.empty(len(data.prompts), size))
    with Progress(len(data.answers), unit="answers", description="features") as progress:
        for number, chunk in enumerate(_chunks(batches)):
            path = folder / f"chunk-{number:05d}.safetensors"
            answers = [int(key) for batch in chunk for group in batch for key in group.keys]
            prompts = [data.answers[int(group.keys[0])][0] for batch in chunk for group in batch]
            if not path.exists():
                states = []
                for batch in chunk:
                    states.append(reader.read(batch))
                    progress.update(sum(len(group.keys) for group in batch))
                last = torch.cat([state.last for state in states]).cpu()
                gate = torch.cat([state.gate for state in states]).cpu()
                write_atomically(path, save({"last": last, "gate": gate}))
            else:
                progress.update(len(answers))
            stored = load_file(path)
            features.last[answers], features.prompt[prompts] = stored["last"], stored["gate"]
    return features


def _chunks(batches: Sequence[list[PromptGroup]]) -> list[list[list[PromptGroup]]]:
    chunks: list[list[list[PromptGroup]]] = []
    size = CHUNK_ANSWERS
    for batch in batches:
        if size >= CHUNK_ANSWERS:
            chunks.append([])
            size = 0
        chunks[-1].append(batch)
        size += sum(len(group.keys) for group in batch)
    return chunks
