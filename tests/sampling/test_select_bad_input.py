"""What select_prompts.py says to bad input: one clear message, exit status 2, no output under its final name."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import selection_fixtures

Run = Callable[..., subprocess.CompletedProcess[str]]
SCRIPT = "sampling/select_prompts.py"


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return selection_fixtures.write_all(tmp_path_factory.mktemp("data"))


def run_on(run_script: Run, data: Path, tmp_path: Path, *flags: object) -> subprocess.CompletedProcess[str]:
    return run_script(
        SCRIPT, "--data-root", data, "--output", tmp_path / "out.jsonl", "--report-to", "none", *flags
    )


def assert_refused(process: subprocess.CompletedProcess[str], tmp_path: Path, *words: str) -> None:
    assert process.returncode == 2, process.stderr
    assert "Traceback" not in process.stderr
    for word in words:
        assert word in process.stderr
    assert not list(tmp_path.glob("out.jsonl*"))


def test_a_missing_dataset_names_its_licence_page_and_the_local_layout(
    run_script: Run, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    process = run_on(run_script, tmp_path / "data", tmp_path, "--datasets", "HelpSteer2")
    assert_refused(process, tmp_path, "huggingface.co/datasets/nvidia/HelpSteer2", "DIR/nvidia/HelpSteer2/")


def test_a_missing_parquet_column_is_named_with_the_layout_expected(run_script: Run, tmp_path: Path) -> None:
    rows = [{("question" if name == "problem" else name): value for name, value in row.items()} for row in selection_fixtures.MATH]  # fmt: skip
    path = tmp_path / "data/nvidia/OpenMathInstruct-2/data/train_1M-00000-of-00001.parquet"
    selection_fixtures.write_parquet(path, rows)
    process = run_on(run_script, tmp_path / "data", tmp_path, "--datasets", "nvidia/OpenMathInstruct-2")
    assert_refused(process, tmp_path, str(path), "'problem' is missing", "question", "November 2024")


def test_a_parquet_column_of_another_type_is_named(run_script: Run, tmp_path: Path) -> None:
    path = tmp_path / "data/nvidia/HelpSteer2/train.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"prompt": [["a", "list"]]}), path)
    process = run_on(run_script, tmp_path / "data", tmp_path, "--datasets", "HelpSteer2")
    assert_refused(process, tmp_path, str(path), "'prompt'", "list<")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"source": "x"}', ["instruction", "missing"]),
        ('{"instruction": 7, "source": "x"}', ["instruction", "int"]),
        ('{"instruction": "x", ', ["not valid JSON"]),
    ],
)
def test_a_bad_json_line_is_named_by_file_line_and_column(
    line: str, words: list[str], run_script: Run, tmp_path: Path
) -> None:
    path = tmp_path / "data/openbmb/UltraFeedback/flan.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(f'{{"instruction": "A good one.", "source": "flan"}}\n{line}\n', encoding="utf-8")
    process = run_on(run_script, tmp_path / "data", tmp_path, "--datasets", "UltraFeedback")
    assert_refused(process, tmp_path, f"{path}:2: ", *words)


def test_a_folder_without_the_wanted_split_is_refused(run_script: Run, tmp_path: Path) -> None:
    path = tmp_path / "data/nvidia/OpenMathInstruct-2/data/test-00000-of-00001.parquet"
    selection_fixtures.write_parquet(path, selection_fixtures.MATH)
    process = run_on(run_script, tmp_path / "data", tmp_path, "--datasets", "OpenMathInstruct-2")
    assert_refused(process, tmp_path, "train_1M", "test-00000-of-00001.parquet")


def test_a_missing_shard_of_a_json_set_is_refused(run_script: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data/openbmb/UltraFeedback"
    selection_fixtures.write_json_lines(
        folder / "train-00000-of-00002.jsonl", [{"instruction": "x", "source": "y"}]
    )
    process = run_on(run_script, tmp_path / "data", tmp_path, "--datasets", "UltraFeedback")
    assert_refused(process, tmp_path, "train-00001-of-00002", "missing")


def test_wrong_arguments_are_refused_together(data_root: Path, run_script: Run, tmp_path: Path) -> None:
    process = run_on(
        run_script, data_root, tmp_path, "--datasets", "HelpSteer2", "--max-prompts", 0, "--workers", 0,
        "--dataset-responses", tmp_path / "r.jsonl",
    )  # fmt: skip
    assert_refused(process, tmp_path, "--max-prompts", "--workers", "--dataset-responses")


def test_an_unknown_dataset_preset_or_setting_is_refused(
    data_root: Path, run_script: Run, tmp_path: Path
) -> None:
    assert_refused(
        run_on(run_script, data_root, tmp_path, "--datasets", "nvidia/Nothing"), tmp_path, "nvidia/Nothing"
    )
    assert_refused(
        run_on(run_script, data_root, tmp_path, "--preset", "papyrus"), tmp_path, "papyrus", "paper"
    )
    settings = tmp_path / "settings.yaml"
    settings.write_text("datasets:\n  nvidia/HelpSteer2: {max_promts: 3}\n", encoding="utf-8")
    assert_refused(run_on(run_script, data_root, tmp_path, "--settings", settings), tmp_path, "max_promts")


def test_nothing_left_is_refused_with_the_table(run_script: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data/openbmb/UltraFeedback"
    selection_fixtures.write_json_lines(
        folder / "flan.jsonl", [{"instruction": "Solve for x: 2x = 4.", "source": "flan"}]
    )
    process = run_on(run_script, tmp_path / "data", tmp_path, "--datasets", "UltraFeedback")
    assert_refused(process, tmp_path, "no prompt is left", "math by text")
