"""sft.jsonl and dpo.jsonl load as they are: datasets, TRL's trainers, LLaMA-Factory's documented format."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pair_files import read_rows, write_run

from scoring import make_pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of one small run."""
    run = tmp_path_factory.mktemp("formats")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["make_pairs.py", *write_run(run)])
        make_pairs.main()
    return run / "pairs"


def load(folder: Path, name: str, cache: Path) -> Any:
    """The file as `datasets.load_dataset("json")` gives it."""
    from datasets import load_dataset

    return load_dataset("json", data_files=str(folder / name), split="train", cache_dir=str(cache))


@pytest.mark.parametrize("name", ["sft.jsonl", "dpo.jsonl"])
def test_load_dataset_gives_the_rows_as_they_stand(folder: Path, tmp_path: Path, name: str) -> None:
    assert load(folder, name, tmp_path).to_list() == read_rows(folder / name)


def trainer_settings(folder: Path) -> dict[str, Any]:
    """One step on the CPU."""
    return {
        "output_dir": str(folder),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "save_strategy": "no",
        "disable_tqdm": True,
    }


@pytest.mark.slow
def test_trls_sft_trainer_takes_a_step_on_sft_jsonl(folder: Path, tmp_path: Path) -> None:
    from tiny_models import make_tiny_model
    from trl import SFTConfig, SFTTrainer

    model = str(make_tiny_model(tmp_path / "model", "qwen2"))
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**trainer_settings(tmp_path / "out")),
        train_dataset=load(folder, "sft.jsonl", tmp_path),
    )
    assert trainer.train().training_loss > 0


@pytest.mark.slow
def test_trls_dpo_trainer_starts_at_ln_2_on_dpo_jsonl(folder: Path, tmp_path: Path) -> None:
    """Policy and reference are the same model before the first step, so the loss is ln 2 = 0.6931."""
    from tiny_models import make_tiny_model
    from trl import DPOConfig, DPOTrainer

    model = str(make_tiny_model(tmp_path / "model", "llama"))
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(**trainer_settings(tmp_path / "out")),
        train_dataset=load(folder, "dpo.jsonl", tmp_path),
    )
    assert trainer.train().training_loss == pytest.approx(0.6931, abs=1e-3)


def llama_factory_columns(info: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """What LLaMA-Factory's data/README.md says of the sharegpt format, applied to one row.

    `messages` names the column with the turns, user and assistant in turn; with `ranking`, the turns end with
    the user's, and `chosen` and `rejected` name columns that hold one object each, with role and content tags.
    """
    tags, columns = info["tags"], info["columns"]
    turns = row[columns["messages"]]
    roles = [turn[tags["role_tag"]] for turn in turns]
    expected = [tags["user_tag"], tags["assistant_tag"]] * len(roles)
    assert roles == expected[: len(roles)]
    contents = [turn[tags["content_tag"]] for turn in turns]
    if not info.get("ranking"):
        assert roles[-1] == tags["assistant_tag"]
        return {"prompt": contents[:-1], "response": contents[-1:]}
    assert roles[-1] == tags["user_tag"]
    answers = [row[columns[side]] for side in ("chosen", "rejected")]
    assert all(
        isinstance(answer, dict) and answer[tags["role_tag"]] == tags["assistant_tag"] for answer in answers
    )
    return {"prompt": contents, "response": [answer[tags["content_tag"]] for answer in answers]}


def test_llama_factory_finds_every_row_by_the_dataset_info(folder: Path) -> None:
    infos = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    assert set(infos) == {"fusechat_sft", "fusechat_dpo"}
    for name, info in infos.items():
        rows = read_rows(folder / info["file_name"])
        assert rows
        assert info["formatting"] == "sharegpt"
        for row in rows:
            found = llama_factory_columns(info, row)
            if name == "fusechat_sft":
                assert [*found["prompt"], *found["response"]] == [turn["content"] for turn in row["messages"]]
            else:
                assert found["prompt"] == [turn["content"] for turn in row["prompt"]]
                assert found["response"] == [row["chosen"][0]["content"], row["rejected"][0]["content"]]


def test_without_its_columns_llama_factory_is_told_of_no_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LLaMA-Factory would silently take a pair whose answers are lists for a plain conversation."""
    flags = write_run(tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_pairs.py", *flags, "--no-llama-factory-columns"])
    make_pairs.main()
    assert set(json.loads((tmp_path / "pairs" / "dataset_info.json").read_text())) == {"fusechat_sft"}
    assert not any("chosen_message" in row for row in read_rows(tmp_path / "pairs" / "dpo.jsonl"))
