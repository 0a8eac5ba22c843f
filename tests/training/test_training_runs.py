"""Whole runs of both trainers on tiny models: results, resuming, several processes, and every kind of bad input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fusechat.command_line import parse_args
from fusechat.errors import BadInput

Files = dict[str, Path]
Reader = Callable[[Path], list[dict[str, Any]]]
BASE = ("--report-to", "none", "--batch-size", 4, "--learning-rate", 1e-3, "--tokens-per-microbatch", 300)


def train(stage: str, *flags: object) -> None:
    """Runs a trainer in this process."""
    script: Any = __import__(f"training.train_{stage}", fromlist=["Args"])
    args = parse_args(script.Args, [str(flag) for flag in (*BASE, *flags)])
    getattr(script, "check_own_settings", script.check_settings)(args)
    script.train(args)


def losses(lines: list[dict[str, Any]]) -> list[float]:
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_the_result_is_a_bf16_folder_that_transformers_loads_with_the_trained_weights(
    family: str, tiny_folders: Files, data_files: Files, read_metrics: Reader, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    output = tmp_path / "model"
    train(
        "sft",
        "--model",
        tiny_folders[family],
        "--train-file",
        data_files["sft"],
        "--output-dir",
        output,
        "--epochs",
        4,
    )
    model, loading = AutoModelForCausalLM.from_pretrained(output, dtype="auto", output_loading_info=True)
    assert model.dtype == torch.bfloat16
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert AutoTokenizer.from_pretrained(output).chat_template
    assert "fusechat" not in (output / "config.json").read_text(encoding="utf-8")
    assert (output / "README.md").read_text(encoding="utf-8").startswith("---\nlibrary_name: transformers")
    from safetensors.torch import load_file

    trained = load_file(output / "checkpoints" / "step-000024" / "model.safetensors")
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, trained[f"model.{name}"].bfloat16()), name
    found = losses(read_metrics(output))
    assert len(found) == 24
    assert found[-1] < found[0] - 1


def test_sft_loss_of_the_first_step_is_that_of_transformers_on_the_same_rows(
    tiny_folders: Files, data_files: Files, read_metrics: Reader, tmp_path: Path
) -> None:
    """All 21 rows in one batch: the mean over all trained tokens, computed row by row by transformers itself."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_folders["qwen2"]
    train(
        "sft", "--model", folder, "--train-file", data_files["sft"], "--output-dir", tmp_path / "model",
        "--batch-size", 21, "--max-steps", 1,
    )  # fmt: skip
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    total = tokens = 0.0
    for row in data_files["sft"].read_text(encoding="utf-8").splitlines():
        messages = json.loads(row)["messages"]
        prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
        answer = messages[-1]["content"].strip() + "<|im_end|>"
        prompt_ids, answer_ids = (
            tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, answer)
        )
        labels = torch.tensor([[-100] * len(prompt_ids) + answer_ids])
        with torch.no_grad():
            total += model(torch.tensor([prompt_ids + answer_ids]), labels=labels).loss.item() * len(
                answer_ids
            )
        tokens += len(answer_ids)
    (line,) = read_metrics(tmp_path / "model")
    assert line["trained_tokens"] == tokens
    assert line["loss"] == pytest.approx(total / tokens, abs=1e-5)


def test_lndpo_starts_at_ln_2_and_logs_trls_names(
    tiny_folders: Files, data_files: Files, read_metrics: Reader, tmp_path: Path
) -> None:
    output = tmp_path / "model"
    train(
        "lndpo", "--model", tiny_folders["gemma2"], "--train-file", data_files["lndpo"], "--output-dir", output,
        "--eval-size", 4, "--epochs", 3, "--checkpoint-every", 4, "--beta", 10, "--length-normalize", "true",
    )  # fmt: skip
    lines = read_metrics(output)
    assert lines[0]["loss"] == pytest.approx(0.69314718, abs=1e-6)
    assert lines[0]["rewards/margins"] == 0
    names = {"step", "loss", "learning_rate", "grad_norm", "tokens_per_second"}
    names |= {f"rewards/{name}" for name in ("chosen", "rejected", "margins", "accuracies")}
    names |= {"logps/chosen", "logps/rejected"}
    assert all(names <= set(line) for line in lines if "loss" in line)
    assert [line["step"] for line in lines if "eval/loss" in line] == [4, 8, 12, 15]
    assert losses(lines)[-1] < 0.6
    record = json.loads((output / "run.json").read_text(encoding="utf-8"))
    evaluated = {line["step"]: line["eval/loss"] for line in lines if "eval/loss" in line}
    assert record["counts"]["exported_step"] == min((12, 15), key=evaluated.__getitem__)
    assert record["counts"]["trained_on"] == 17
    # vLLM takes every safetensors file at the top for weights.
    assert [path.name for path in output.glob("*.safetensors")] == ["model.safetensors"]


def test_the_objective_depends_on_length_normalize_and_beta(
    tiny_folders: Files, data_files: Files, read_metrics: Reader, tmp_path: Path
) -> None:
    """At the first step (margin 0) the gradient is proportional to beta, and to beta / length when normalised."""
    norms = {}
    for name, flags in {
        "a": ("--beta", 1),
        "b": ("--beta", 2),
        "c": ("--beta", 1, "--length-normalize", "false"),
    }.items():
        train(
            "lndpo", "--model", tiny_folders["llama"], "--train-file", data_files["lndpo"],
            "--output-dir", tmp_path / name, "--max-steps", 1, "--eval-size", 0, "--keep-checkpoints", 0, *flags,
        )  # fmt: skip
        norms[name] = read_metrics(tmp_path / name)[0]["grad_norm"]
    assert norms["b"] == pytest.approx(2 * norms["a"], rel=1e-4)
    assert norms["c"] > 10 * norms["a"]


def test_another_reference_model_gives_another_first_loss_than_ln_2(
    tiny_folders: Files, data_files: Files, read_metrics: Reader, tmp_path: Path
) -> None:
    from tiny_models import make_tiny_model

    other = make_tiny_model(tmp_path / "other", "llama", seed=9)
    train(
        "lndpo", "--model", tiny_folders["llama"], "--reference-model", other, "--train-file", data_files["lndpo"],
        "--output-dir", tmp_path / "model", "--max-steps", 1, "--eval-size", 0, "--keep-checkpoints", 0,
    )  # fmt: skip
    assert abs(read_metrics(tmp_path / "model")[0]["loss"] - 0.69314718) > 1e-4


def test_the_better_of_the_last_two_checkpoints_is_exported(
    tiny_folders: Files, data_files: Files, tmp_path: Path
) -> None:
    """With a ruinous learning rate the earlier checkpoint is the better one, and its weights are exported."""
    from safetensors.torch import load_file

    output = tmp_path / "model"
    train(
        "lndpo", "--model", tiny_folders["qwen2"], "--train-file", data_files["lndpo"], "--output-dir", output,
        "--eval-size", 6, "--epochs", 2, "--checkpoint-every", 1, "--learning-rate", 0.3, "--warmup-ratio", 0.5,
    )  # fmt: skip
    steps = sorted(path.name for path in (output / "checkpoints").iterdir())
    evaluations = [
        json.loads((output / "checkpoints" / step / "state.json").read_text(encoding="utf-8"))["evaluation"][
            "eval/loss"
        ]
        for step in steps[-2:]
    ]
    better = steps[-2:][evaluations.index(min(evaluations))]
    saved = load_file(output / "checkpoints" / better / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(load_file(output / "model.safetensors")[name], saved[f"model.{name}"].bfloat16())
    assert evaluations[0] != evaluations[1]
    assert f"Step {int(better[5:])}: the better of the last two" in (output / "README.md").read_text(
        encoding="utf-8"
    )


def test_a_finished_run_says_so_and_other_settings_are_refused_by_name(
    tiny_folders: Files, data_files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [
        "--model",
        tiny_folders["llama"],
        "--train-file",
        data_files["sft"],
        "--output-dir",
        tmp_path / "model",
        "--max-steps",
        2,
    ]
    train("sft", *flags)
    before = (tmp_path / "model" / "model.safetensors").read_bytes()
    capsys.readouterr()
    train("sft", *flags)
    assert "is complete already" in capsys.readouterr().out
    with pytest.raises(BadInput, match=r"holds another run.*max-steps was 2, is 3.*seed was 42, is 7"):
        train("sft", *flags[:-1], 3, "--seed", 7)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    train("sft", *flags, "--seed", 7, "--overwrite")
    assert (tmp_path / "model" / "model.safetensors").read_bytes() != before


def test_a_run_that_never_got_to_a_checkpoint_may_begin_again_with_mended_input(
    tiny_folders: Files, data_files: Files, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(data_files["sft"].read_bytes() + b'{"messages":')
    flags = ["--model", tiny_folders["llama"], "--train-file", rows, "--output-dir", tmp_path / "model"]
    with pytest.raises(BadInput, match=r"rows\.jsonl:22: is not valid JSON"):
        train("sft", *flags, "--max-steps", 1)
    rows.write_bytes(data_files["sft"].read_bytes())
    train("sft", *flags, "--max-steps", 1)
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_a_folder_with_something_else_in_it_is_refused(
    tiny_folders: Files, data_files: Files, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("precious", encoding="utf-8")
    with pytest.raises(BadInput, match=r"holds thesis\.tex but no run\.json"):
        train(
            "sft",
            "--model",
            tiny_folders["llama"],
            "--train-file",
            data_files["sft"],
            "--output-dir",
            tmp_path,
            "--overwrite",
        )


def test_changed_training_data_is_another_run(tiny_folders: Files, data_files: Files, tmp_path: Path) -> None:
    data = tmp_path / "sft.jsonl"
    shutil.copy(data_files["sft"], data)
    flags = [
        "--model",
        tiny_folders["llama"],
        "--train-file",
        data,
        "--output-dir",
        tmp_path / "model",
        "--max-steps",
        1,
    ]
    train("sft", *flags)
    data.write_text(
        "".join(data.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8"
    )
    with pytest.raises(BadInput, match="train-file was"):
        train("sft", *flags)


def test_all_wrong_settings_are_told_at_once(tiny_folders: Files, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        train(
            "lndpo", "--model", tiny_folders["llama"], "--train-file", tmp_path / "absent.jsonl", "--output-dir",
            tiny_folders["llama"], "--learning-rate", -1, "--batch-size", 0, "--beta", 0, "--merge",
        )  # fmt: skip
    for part in ("--learning-rate", "--batch-size", "--beta", "--merge", "absent.jsonl", "--output-dir"):
        assert part in str(caught.value)


@pytest.mark.parametrize("stage", ["sft", "lndpo"])
def test_a_file_of_the_other_stage_is_named(
    stage: str, tiny_folders: Files, data_files: Files, tmp_path: Path
) -> None:
    other = {"sft": "lndpo", "lndpo": "sft"}[stage]
    with pytest.raises(BadInput, match=rf"{other}\.jsonl:1: .*made for training/train_{other}\.py"):
        train(
            stage,
            "--model",
            tiny_folders["llama"],
            "--train-file",
            data_files[other],
            "--output-dir",
            tmp_path / "model",
        )


def test_an_unsupported_family_is_refused(data_files: Files, tiny_folders: Files, tmp_path: Path) -> None:
    folder = tmp_path / "mystery"
    shutil.copytree(tiny_folders["llama"], folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "opt"}), encoding="utf-8")
    with pytest.raises(BadInput, match="model_type opt is not among llama, qwen2, gemma2"):
        train("sft", "--model", folder, "--train-file", data_files["sft"], "--output-dir", tmp_path / "model")


def test_a_bidirectional_gemma_is_refused(data_files: Files, tiny_folders: Files, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_folders["gemma2"], folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    encoder = {**config, "use_bidirectional_attention": True}
    (folder / "config.json").write_text(json.dumps(encoder), encoding="utf-8")
    with pytest.raises(BadInput, match="use_bidirectional_attention"):
        train("sft", "--model", folder, "--train-file", data_files["sft"], "--output-dir", tmp_path / "model")


def test_a_diverged_run_stops_before_the_update(
    tiny_folders: Files, data_files: Files, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "broken"
    shutil.copytree(tiny_folders["llama"], folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"step 1: loss nan.*diverged"):
        train("sft", "--model", folder, "--train-file", data_files["sft"], "--output-dir", tmp_path / "model")
    assert not (tmp_path / "model" / "config.json").exists()


@pytest.mark.slow
def test_two_and_three_processes_train_like_one(
    tiny_folders: Files, data_files: Files, run_trainer: Any, read_metrics: Reader, tmp_path: Path
) -> None:
    """16 pairs in batches of 7: the last one has 2 pairs, fewer than the ranks, so some passes are empty."""
    lines = {}
    for processes in (1, 2, 3):
        output = tmp_path / str(processes)
        finished = run_trainer(
            "lndpo", "--model", tiny_folders["llama"], "--train-file", data_files["lndpo"], "--output-dir", output,
            "--batch-size", 7, "--eval-size", 5, "--epochs", 2, "--learning-rate", 1e-3,
            "--tokens-per-microbatch", 200, "--keep-checkpoints", 0, processes=processes,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr[-3000:]
        lines[processes] = read_metrics(output)
    assert [line.get("examples") for line in lines[1]][:3] == [7, 7, 2]
    for processes in (2, 3):
        for line, other in zip(lines[1], lines[processes], strict=True):
            for name in ("loss", "eval/loss", "grad_norm", "rewards/margins"):
                if name in line:
                    assert other[name] == pytest.approx(line[name], abs=1e-4, rel=1e-3), (
                        processes,
                        line["step"],
                        name,
                    )


def test_processes_that_do_not_know_of_each_other_are_refused(
    tiny_folders: Files, data_files: Files, run_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An FSDP launch without a GPU: accelerate would start separate, unsharded processes."""
    from training.launch import check_processes, start_accelerator

    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(BadInput, match="separate, unsharded"):
        start_accelerator()
    monkeypatch.delenv("ACCELERATE_USE_FSDP")
    with pytest.raises(BadInput, match="2 processes were started, but each believes it is alone"):
        check_processes(start_accelerator(), 2)
