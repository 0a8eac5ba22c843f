"""make_pairs.py and bad input: each kind is named by file, line and field, and nothing is written."""

import json
from pathlib import Path
from typing import Any

import pytest
from pair_files import Make, changed, code_rows, math_rows, prompt_rows, response_rows, score_rows, write_run

from fusechat.errors import BadInput


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    """Runs make_pairs.py in this process on a small run folder; returns the output folder."""
    return Make(monkeypatch, tmp_path)


def nan_line(value: str) -> list[Any]:
    """The score rows with one score as Python's json writes it, or as text."""
    rows: list[Any] = score_rows()
    rows[4] = f'{{"response_id": "{rows[4]["response_id"]}", "rm_score": {value}}}'
    return rows


BAD_INPUTS: dict[str, tuple[dict[str, list[Any]], list[str], str]] = {
    "a NaN score": ({"rm_scores": nan_line("NaN")}, [], r"rm_scores.jsonl:5: rm_score: is NaN or infinite"),
    "an infinite score": (
        {"rm_scores": nan_line("-Infinity")},
        [],
        r"rm_scores.jsonl:5: rm_score: is NaN or infinite",
    ),
    "a huge score": ({"rm_scores": nan_line("1e999")}, [], r"rm_scores.jsonl:5: .*(infinite|out of range)"),
    "a score as text": (
        {"rm_scores": nan_line('"0.5"')},
        [],
        r"rm_scores.jsonl:5: rm_score: expected `float \| null`",
    ),
    "a null score": (
        {"rm_scores": changed(score_rows(), 4, rm_score=None, reason="too long")},
        [],
        r"1 answer has no RM score \(1 null: too long\): instruction-0:bob:1, by source: bob 1; give --allow-missing",
    ),
    "a missing score": (
        {"rm_scores": score_rows()[2:]},
        [],
        r"2 answers have no RM score .*instruction-0:ann:0, inst",
    ),
    "a score of an unknown answer": (
        {"rm_scores": [*score_rows(), {"response_id": "x:ann:0", "rm_score": 0.1}]},
        [],
        r"rm_scores.jsonl:109: response_id: x:ann:0 is not among the responses",
    ),
    "two scores for one answer": (
        {"rm_scores": [*score_rows(), {**score_rows()[0], "rm_score": 0.5}]},
        [],
        r"rm_scores.jsonl:109: rm_score: instruction-0:ann:0 has 0.5 here and 0.2 in an earlier line",
    ),
    "a missing verdict": (
        {"math_checks": math_rows()[1:]},
        [],
        r"1 answer has no maths verdict .*: math-0:ann:0",
    ),
    "a verdict of an unknown answer": (
        {"code_tests": changed(code_rows(), 0, response_id="y")},
        [],
        r"code_tests.jsonl:1: response_id: y is not among the responses",
    ),
    "an unknown verdict": (
        {"code_tests": changed(code_rows(), 2, verdict="maybe")},
        [],
        r"code_tests.jsonl:3: verdict: invalid enum value 'maybe'",
    ),
    "two verdicts on one answer": (
        {"math_checks": [*math_rows(), {"response_id": "math-0:ann:0", "correct": False}]},
        [],
        r"math_checks.jsonl:25: math-0:ann:0 is wrong here and right in an earlier line",
    ),
    "an answer to an unknown prompt": (
        {"responses": changed(response_rows(), 3, prompt_id="nobody")},
        [],
        r"responses.jsonl:4: prompt_id: nobody is not among the prompts",
    ),
    "two texts under one id": (
        {"responses": [*response_rows(), {**response_rows()[0], "text": "another"}]},
        [],
        r"responses.jsonl:111: response_id: instruction-0:ann:0 stands already at .*responses.jsonl:1 with another text",
    ),
    "a prompt without an answer": (
        {"prompts": [*prompt_rows(), {**prompt_rows()[0], "prompt_id": "lonely"}]},
        [],
        r"1 prompt has no answer at all: lonely; give --allow-missing",
    ),
    "a broken line": ({"responses": ["{", *response_rows()]}, [], r"responses.jsonl:1: is not valid JSON"),
    "an empty file": ({"rm_scores": []}, [], r"rm_scores.jsonl: is empty"),
    "a missing field": (
        {"rm_scores": [{"response_id": "instruction-0:ann:0"}]},
        [],
        r"rm_scores.jsonl:1: rm_score: this field is missing",
    ),
    "a window upside down": (
        {},
        ["--margin", "0.1", "0.01"],
        r"--margin 0.1 0.01: the window is upside down",
    ),
    "an infinite window": ({}, ["--margin", "0.1", "inf"], r"--margin 0.1 inf: both ends must be finite"),
    "a code window upside down": (
        {},
        ["--code-margin", "1", "0"],
        r"--code-margin 1 0: the window is upside down",
    ),
    "an answer without its fields": (
        {"responses": ["{}"]},
        [],
        r"responses.jsonl:1: response_id: this field is missing",
    ),
    "falling quantiles": ({}, ["--margin-quantiles", "0.9", "0.3"], r"--margin-quantiles 0.9 0.3: must rise"),
    "too many tenths": (
        {},
        ["--instruction-sft-tenths", "11"],
        r"--instruction-sft-tenths 11: must be 0 to 10",
    ),
    "on-policy answers of an unknown source": (
        {},
        ["--on-policy-sources", "target", "--pairing", "cross-source"],
        r"--on-policy-sources target: no answer is theirs; the sources are ann, bob",
    ),
    "on-policy answers within one source": (
        {},
        ["--on-policy-sources", "bob"],
        r"give --pairing cross-source or best-worst-overall",
    ),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input_is_named_and_leaves_nothing_under_a_final_name(
    make: Make, tmp_path: Path, name: str
) -> None:
    replaced, flags, message = BAD_INPUTS[name]
    with pytest.raises(BadInput, match=message):
        make(*flags, **replaced)
    assert not list((tmp_path / "run" / "pairs").glob("*"))


def test_all_that_is_missing_is_told_at_once_and_allow_missing_goes_on(make: Make) -> None:
    """math-0 loses both sources' sample 0, its only right answers: nothing right is left of it."""
    scores = [row for row in score_rows() if row["response_id"] not in ("math-0:ann:0", "math-0:bob:0")]
    codes = [row for row in code_rows() if not row["response_id"].startswith("code-0")]
    with pytest.raises(BadInput, match=r"2 answers have no RM score .*6 answers have no code verdict"):
        make(rm_scores=scores, code_tests=codes)
    folder = make("--allow-missing", rm_scores=scores, code_tests=codes)
    assert "math-0" not in pairs_of(folder)
    assert "code-0" not in pairs_of(folder)
    figures = json.loads((folder / "composition.json").read_text())
    assert figures["left_out"]["answers_without_rm_score"] == 2
    assert figures["left_out"]["answers_without_code_verdict"] == 6
    leetcode = next(row for row in figures["datasets"] if row["domain"] == "code")
    assert leetcode["not_selected_by_reason"] == {"no usable answer": 1}


def test_empty_answers_and_undecided_verdicts_need_no_score(make: Make) -> None:
    responses = changed(response_rows(), 0, text=" \n")
    verdicts = changed(math_rows(), 0, correct=None, reason="timeout")
    without = [
        row for row in score_rows() if row["response_id"] not in ("instruction-0:ann:0", "math-0:ann:0")
    ]
    figures = json.loads(
        (make(responses=responses, math_checks=verdicts, rm_scores=without) / "composition.json").read_text()
    )
    assert figures["left_out"]["answers_empty_or_not_chinese"] == 1
    assert figures["left_out"]["answers_with_undecided_verdict"] == 1


def write_sidecar(path: Path, **settings: Any) -> None:
    """A run.json such as score_armorm.py leaves."""
    base = {"script": "scoring/score_armorm.py", "model": "sha256:a", "dtype": "bfloat16", "max_length": 4096}
    content = {"settings": {**base, "shard": path.name, "responses": ["1:a"], **settings}}
    path.with_name(path.name + ".run.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"dtype": "float32"}, "dtype was 'bfloat16', is 'float32'"),
        ({"model": "sha256:b"}, "model was 'sha256:a', is 'sha256:b'"),
        ({"max_length": 2048}, "max-length was 4096, is 2048"),
    ],
)
def test_scores_of_different_settings_are_refused(
    make: Make, tmp_path: Path, setting: dict[str, Any], message: str
) -> None:
    flags = write_run(tmp_path)
    folder = tmp_path / "scores"
    folder.mkdir()
    for part, sidecar in enumerate(({}, setting)):
        path = folder / f"part{part}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in score_rows()[part::2]), encoding="utf-8")
        write_sidecar(path, **sidecar)
    flags[flags.index("--rm-scores") + 1] = str(folder)
    with pytest.raises(
        BadInput, match=rf"part1.jsonl: was scored with other settings than .*part0.jsonl: {message}"
    ):
        make.on(flags)
    write_sidecar(folder / "part1.jsonl", responses=["2:b"])
    make.on(flags)
    figures = json.loads((tmp_path / "pairs" / "composition.json").read_text())
    assert figures["rm_settings"]["dtype"] == "bfloat16"


def test_flags_that_the_prompts_need_are_asked_for_at_once(make: Make, tmp_path: Path) -> None:
    flags = write_run(tmp_path)
    kept = flags[:4] + flags[-4:]
    with pytest.raises(
        BadInput, match=r"--rm-scores is needed .*--code-tests is needed .*--math-checks is needed"
    ):
        make.on(kept)


def test_a_set_of_empty_shards_holds_no_answers(make: Make, tmp_path: Path) -> None:
    flags = write_run(tmp_path)
    (tmp_path / "responses.jsonl").rename(tmp_path / "responses-00000-of-00001.jsonl")
    (tmp_path / "responses-00000-of-00001.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match=r"responses.jsonl: no answers; run sampling/sample_vllm.py first"):
        make.on(flags)


def test_the_script_ends_with_status_2_and_one_line_for_bad_input(run_script: Any, tmp_path: Path) -> None:
    flags = write_run(tmp_path, rm_scores=nan_line("NaN"))
    finished = run_script("scoring/make_pairs.py", *flags)
    assert finished.returncode == 2
    assert finished.stderr.strip().count("\n") <= 1
    assert finished.stderr.strip().split("\n")[-1].startswith("error: ")
    assert not (tmp_path / "pairs").exists()


def pairs_of(folder: Path) -> set[str]:
    """The prompts that gave a pair."""
    lines = (folder / "dpo.jsonl").read_text(encoding="utf-8").split("\n")
    return {json.loads(line)["prompt_id"] for line in lines if line}
