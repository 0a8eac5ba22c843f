"""--download-only against a Hub and a GitHub on 127.0.0.1, then a look at what a machine without a network has."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmark_files import write_benchmark_files
from fake_hub import FakeHub, fake_hub

from evaluation.benchmark import REPORT_ORDER, load_benchmark
from evaluation.dataset_files import Sources


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    with fake_hub(write_benchmark_files(tmp_path / "served")) as served:
        yield served


def download(run_script: Any, hub: FakeHub, root: Path, *more: object, **environment: str) -> Any:
    settings = {
        "HF_ENDPOINT": hub.url, "GITHUB_RAW_URL": f"{hub.url}/raw", "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(root.parent / "hf_home"), "HF_HUB_DISABLE_TELEMETRY": "1", **environment,
    }  # fmt: skip
    return run_script("evaluation/run_evals.py", "--download-only", "--data-root", root, *more, **settings)


def test_everything_that_the_14_benchmarks_need_is_fetched_once_and_its_size_told(
    hub: FakeHub, tmp_path: Path, run_script: Any
) -> None:
    root = tmp_path / "data"
    result = download(run_script, hub, root)
    assert result.returncode == 0, result.stderr
    served = {path.relative_to(hub.root).as_posix(): path for path in hub.root.rglob("*") if path.is_file()}
    unwanted = {"openai/gsm8k/main/train-00000-of-00001.parquet"}
    there = [path for path in root.rglob("*") if path.is_file() and ".cache" not in path.parts]
    names = {path.relative_to(root).as_posix() for path in there} - {"downloads.json"}
    assert names == set(served) - unwanted
    assert all((root / name).read_bytes() == served[name].read_bytes() for name in names)
    size = sum((root / name).stat().st_size for name in names)
    assert f"in all: {size / 1e6:.1f} MB" in result.stdout
    # Without the Hub, every benchmark is read from there, with the published prompts.
    sources = Sources(data_root=root)
    items = {name: load_benchmark(name).load(sources) for name in REPORT_ORDER}
    for name, some in items.items():
        assert f"{name}: {len(some)} items" in result.stdout and some
    assert items["gsm8k"][0].messages[0]["content"] == "Box it in {}."
    assert items["mmlu_pro"][0].messages[0]["content"].endswith("D. up\n\n- Be brief.\n\nThink.")
    assert items["mmlu_redux"][0].messages[0]["content"].endswith('- (D) up\n\nAs {"answer": "_"}\n')
    assert items["mt_bench"][1].fields["reference"] == ["mended one", "mended two"]
    assert items["livecodebench_2408_2411"][0].messages[0]["content"] == "Be a programmer."
    assert items["livecodebench_2408_2411"][0].messages[1]["content"].endswith("### Answer: (here)\n\n")

    before = len(hub.fetched)
    again = download(run_script, hub, root)
    assert again.returncode == 0 and again.stdout == result.stdout
    assert len(hub.fetched) == before  # nothing is fetched twice
    record = json.loads((root / "downloads.json").read_text(encoding="utf-8"))
    assert sum(one["size"] for entry in record.values() for one in entry["files"].values()) == size


def test_what_cannot_be_fetched_is_named_and_the_rest_is_there(
    hub: FakeHub, tmp_path: Path, run_script: Any
) -> None:
    root = tmp_path / "data"
    hub.gated = {"jeggers/gpqa_formatted"}
    (hub.root / "QwenLM/Qwen2.5-Math/evaluation/utils.py").unlink()
    names = ("gpqa_diamond", "amc23", "mbpp")
    result = download(run_script, hub, root, "--benchmarks", *names)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "jeggers/gpqa_formatted: is gated; accept its terms" in result.stderr
    assert "QwenLM/Qwen2.5-Math: evaluation/utils.py: HTTPStatusError" in result.stderr
    assert (root / "evalplus/mbppplus/data").is_dir() and (root / "math-ai/amc23/data").is_dir()
    hub.gated = set()
    write_benchmark_files(tmp_path / "again")
    source = tmp_path / "again/QwenLM/Qwen2.5-Math/evaluation/utils.py"
    (hub.root / "QwenLM/Qwen2.5-Math/evaluation/utils.py").write_bytes(source.read_bytes())
    mended = download(run_script, hub, root, "--benchmarks", *names)
    assert mended.returncode == 0, mended.stderr


@pytest.mark.parametrize(
    ("more", "environment", "message"),
    [
        (["--benchmarks", "glue"], {}, "known are"),
        (["--benchmarks", "mbpp"], {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        (["--benchmarks", "mbpp"], {"HF_ENDPOINT": "http://127.0.0.1:9"}, "not everything could be fetched"),
        (["--benchmarks", "mbpp", "--model", "no/model"], {}, "--model no/model: cannot be fetched"),
    ],
)
def test_a_download_that_cannot_be_says_why_in_one_line(
    more: list[str], environment: dict[str, str], message: str, hub: FakeHub, tmp_path: Path, run_script: Any
) -> None:
    result = download(run_script, hub, tmp_path / "data", *more, **environment)
    assert result.returncode == 2, result.stderr
    assert message in result.stderr and "Traceback" not in result.stderr


def test_a_download_needs_a_place(run_script: Any) -> None:
    result = run_script("evaluation/run_evals.py", "--download-only", "--benchmarks", "gsm8k")
    assert result.returncode == 2 and "--data-root" in result.stderr
