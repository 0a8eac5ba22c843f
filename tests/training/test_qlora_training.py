"""QLoRA on CPU with bitsandbytes: only adapters change, gradients reach them all, merged equals unmerged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fusechat.command_line import parse_args
from training.packing import pack
from training.policy import Policy, load_policy
from training.qlora import add_adapters, quantised_loading

pytest.importorskip("bitsandbytes")
pytest.importorskip("peft")
CPU = torch.device("cpu")


def test_adapter_gradients_equal_those_over_the_dequantised_weights(
    tiny_folders: dict[str, Path], make_examples: Callable[..., Any]
) -> None:
    """A no-grad pass first: it must not turn the 4-bit weights into bitsandbytes' inference layout, which loses
    the gradient on the way down to the lower layers."""
    gradients = []
    for dequantise in (False, True):
        torch.manual_seed(0)
        language_model = load_policy(tiny_folders["llama"], "segments", CPU, **quantised_loading(CPU)).model
        if dequantise:
            language_model = language_model.dequantize()
        policy = Policy(add_adapters(language_model, 4).float())
        for name, parameter in policy.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02)
        batch = pack(make_examples(4, 2))
        policy.train()
        with torch.no_grad():
            policy(**vars(batch))
        policy(**vars(batch)).sum().backward()
        gradients.append({name: p.grad for name, p in policy.named_parameters() if p.requires_grad})
    assert len(gradients[0]) == 2 * 2 * 7  # 2 layers, A and B of 7 linear maps
    for name, gradient in gradients[0].items():
        expected = gradients[1][name]
        assert expected.norm() > 0, name
        assert (gradient - expected).norm() / expected.norm() < 0.05, name  # 4-bit layers compute in bf16


@pytest.mark.slow
def test_qlora_learns_changes_adapters_only_resumes_and_merges(
    tiny_folders: dict[str, Path],
    data_files: dict[str, Path],
    tmp_path: Path,
    read_metrics: Callable[..., Any],
) -> None:
    import training.train_sft as trainer

    output = tmp_path / "out"
    flags = [
        "--report-to", "none", "--model", tiny_folders["llama"], "--train-file", data_files["sft"], "--batch-size", 7,
        "--learning-rate", 2e-2, "--epochs", 6, "--qlora", "--merge", "--lora-rank", 8, "--checkpoint-every", 9,
        "--activation-checkpointing", "--output-dir", output,
    ]  # fmt: skip
    args = parse_args(trainer.Args, [str(flag) for flag in flags])
    trainer.train(args)
    losses = [line["loss"] for line in read_metrics(output)]
    assert losses[-1] < losses[0] - 0.5
    from safetensors.torch import load_file

    assert all("lora_" in name for name in load_file(output / "adapter_model.safetensors"))
    assert all(
        "lora_" in name for name in load_file(output / "checkpoints" / "step-000018" / "model.safetensors")
    )

    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tokens = torch.arange(20, 60)[None]
    base: Any = AutoModelForCausalLM.from_pretrained(tiny_folders["llama"], **quantised_loading(CPU))
    merged = AutoModelForCausalLM.from_pretrained(output / "merged", dtype=torch.float32)
    with torch.no_grad():
        plain = base.train()(tokens).logits.float()
        adapted = PeftModel.from_pretrained(base, output).train()(tokens).logits.float()
        difference = (merged(tokens).logits - adapted).norm() / adapted.norm()
        change = (plain - adapted).norm() / adapted.norm()
    assert difference < 0.03
    assert change > 0.3

    # As if killed after the first checkpoint: the same losses again.
    shutil.rmtree(output / "checkpoints" / "step-000018")
    record = json.loads((output / "run.json").read_text(encoding="utf-8"))
    (output / "run.json").write_text(json.dumps({**record, "status": "running"}), encoding="utf-8")
    trainer.train(args)
    assert [line["loss"] for line in read_metrics(output)] == losses
