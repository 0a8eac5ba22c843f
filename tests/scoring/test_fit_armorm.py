"""fit_armorm.py: the packed checkpoint scores as the fit did, and bad input is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import make_tiny_model

torch = pytest.importorskip("torch")

from fusechat.errors import BadInput  # noqa: E402
from scoring import fit_armorm, fit_data, score_armorm  # noqa: E402
from scoring.fit_data import FitData, split_prompts  # noqa: E402


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def demo_rows(prompts: int = 20) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rated, pairs = [], []
    for number in range(prompts):
        question = message("user", f"What is {number} plus {number + 1}?")
        right, wrong = (
            f"The answer is {2 * number + 1}.",
            "I do not know, maybe red or green or blue, or yellow?",
        )
        texts = {"right": [right, right + " Yes."], "wrong": [wrong, wrong * 2]}
        for kind, answers in texts.items():
            for place, text in enumerate(answers):
                labels = {"correct": float(kind == "right"), "long": 1 + 2 * place if number % 2 else None}
                rated.append(
                    {"messages": [question, message("assistant", text)], "labels": labels, "source": kind}
                )
        pairs += [
            {
                "prompt": [question],
                "chosen": [message("assistant", good)],
                "rejected": [message("assistant", bad)],
            }
            for good, bad in zip(texts["right"], texts["wrong"], strict=True)
        ]
    return rated, pairs


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("backbone"), "qwen2")


def fit(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["fit_armorm.py", *map(str, arguments), "--report-to", "none"])
    fit_armorm.main()


def arguments_for(backbone: Path, rated: Path, pairs: Path, output: Path) -> list[object]:
    return [
        "--backbone", backbone, "--rated", rated, "--pairs", pairs, "--output-dir", output,
        "--objective", "correct", 0, 1, "long", 1, 5, "--debias", "long", "--dtype", "float32",
        "--gate-hidden-dim", 8, "--gate-steps", 30, "--gate-batch-size", 32,
    ]  # fmt: skip


def test_fitted_checkpoint_scores_as_the_fit_says(
    tmp_path: Path,
    backbone: Path,
    write_jsonl: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rated, pairs = demo_rows()
    output = tmp_path / "armorm"
    fit(
        monkeypatch,
        *arguments_for(
            backbone, write_jsonl("rated.jsonl", rated), write_jsonl("pairs.jsonl", pairs), output
        ),
    )
    assert "pair accuracy on 8 held-out pairs" in capsys.readouterr().out
    report = json.loads((output / "fit_report.json").read_text())
    assert report["counts"]["held_out_prompts"] == 4
    assert report["objectives"]["long"]["rated"] == 40
    assert set(report["spread"]["quantiles"]) == {"0.1", "0.3", "0.5", "0.9", "0.99"}
    assert report["spread"]["prompts_and_sources"] == 40
    prompts = [
        {"prompt_id": f"p{n}", "dataset": "d", "domain": "math", "messages": [row["messages"][0]]}
        for n, row in enumerate(rated[::4])
    ]
    responses = [
        {"response_id": f"p{n // 4}:{row['source']}:{n % 2}", "prompt_id": f"p{n // 4}", "source": row["source"],
         "sample_index": n % 2, "text": row["messages"][1]["content"], "finish_reason": "stop"}
        for n, row in enumerate(rated)
    ]  # fmt: skip
    scores = tmp_path / "rm_scores.jsonl"
    monkeypatch.setattr(
        "sys.argv",
        ["score_armorm.py", "--prompts", str(write_jsonl("prompts.jsonl", prompts)), "--responses",
         str(write_jsonl("responses.jsonl", responses)), "--model", str(output), "--output", str(scores),
         "--dtype", "float32", "--objectives", "--report-to", "none"],
    )  # fmt: skip
    score_armorm.main()
    rows = [json.loads(line) for line in scores.read_text().splitlines()]
    assert [row["response_id"] for row in rows] == [row["response_id"] for row in responses]
    by_group: dict[str, list[float]] = {}
    for row in rows:
        by_group.setdefault(row["response_id"].rsplit(":", 1)[0], []).append(row["rm_score"])
    spreads = [max(values) - min(values) for values in by_group.values()]
    assert float(np.quantile(spreads, 0.3)) == pytest.approx(report["margin"]["low"], abs=1e-5)
    assert float(np.quantile(spreads, 0.99)) == pytest.approx(report["margin"]["high"], abs=1e-5)


def test_fitting_again_says_complete_and_other_gate_settings_reuse_the_features(
    tmp_path: Path,
    backbone: Path,
    write_jsonl: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rated, pairs = demo_rows()
    output = tmp_path / "armorm"
    arguments = arguments_for(
        backbone, write_jsonl("rated.jsonl", rated), write_jsonl("pairs.jsonl", pairs), output
    )
    fit(monkeypatch, *arguments)
    chunk = output / "features" / "chunk-00000.safetensors"
    made = chunk.stat().st_mtime_ns
    fit(monkeypatch, *arguments)
    assert "is complete already" in capsys.readouterr().out
    (output / "fit_report.json").unlink()  # as if killed while it packed
    fit(monkeypatch, *arguments, "--gate-temperature", 5)
    assert chunk.stat().st_mtime_ns == made
    assert json.loads((output / "config.json").read_text())["gating_temperature"] == 5
    (output / "fit_report.json").unlink()
    with pytest.raises(BadInput, match="max-length was 4096, is 300"):
        fit(monkeypatch, *arguments, "--max-length", 300)


def test_heads_do_not_depend_on_the_budget_of_a_pass(
    tmp_path: Path, backbone: Path, write_jsonl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 60 tokens the answers to a prompt take several passes, the later ones behind its kept keys and values."""
    from safetensors.torch import load_file

    rated, pairs = demo_rows()
    files = write_jsonl("rated.jsonl", rated), write_jsonl("pairs.jsonl", pairs)
    heads, gates = [], []
    for budget in (4096, 60):
        output = tmp_path / str(budget)
        fit(monkeypatch, *arguments_for(backbone, *files, output), "--tokens-per-batch", budget)
        heads.append(load_file(output / "model.safetensors")["regression_layer.weight"])
        gates.append(len(load_file(output / "features" / "chunk-00000.safetensors")["gate"]))
    assert gates[0] == 20 < gates[1]  # prompts, parts of their groups
    assert torch.allclose(heads[0], heads[1], atol=1e-4)


def switched_fit(
    monkeypatch: pytest.MonkeyPatch, arguments: list[object], *switches: object
) -> tuple[dict[str, Any], Any]:
    """The report and the heads of a fit with these switches, on the features of the one before."""
    from safetensors.torch import load_file

    output = Path(str(arguments[arguments.index("--output-dir") + 1]))
    (output / "fit_report.json").unlink(missing_ok=True)
    fit(monkeypatch, *arguments, *switches)
    return json.loads((output / "fit_report.json").read_text()), load_file(output / "model.safetensors")


def test_the_gate_may_be_fitted_on_plain_rewards_and_the_penalties_by_another_threshold(
    tmp_path: Path, backbone: Path, write_jsonl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both switches change what they name and leave the rest: the regression always, T under --gate-rewards."""
    rated, pairs = demo_rows()
    files = write_jsonl("rated.jsonl", rated), write_jsonl("pairs.jsonl", pairs)
    arguments = arguments_for(backbone, *files, tmp_path / "armorm")
    gate, matrix, regression = "gating.layers.0.weight", "reward_transform_matrix", "regression_layer.weight"
    strict, heads = switched_fit(monkeypatch, arguments, "--debias-threshold", -1)
    assert strict["objectives"]["correct"]["lambda"] == 1.0  # no penalty reaches a correlation of -1
    assert heads[matrix].tolist() == [[1.0, 0.0], [-1.0, 0.0]]
    lax, lax_heads = switched_fit(monkeypatch, arguments, "--debias-threshold", 1)
    assert lax["objectives"]["correct"]["lambda"] == 0.0
    assert lax_heads[matrix].tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert torch.equal(lax_heads[regression], heads[regression])
    _, plain = switched_fit(monkeypatch, arguments, "--debias-threshold", -1, "--gate-rewards", "plain")
    assert torch.equal(plain[matrix], heads[matrix])
    assert not torch.equal(plain[gate], heads[gate])
    # On plain rewards the gate does not know of T: it is the same whatever the penalties are.
    _, other = switched_fit(monkeypatch, arguments, "--debias-threshold", 1, "--gate-rewards", "plain")
    assert torch.equal(other[gate], plain[gate])


def test_correlations_are_taken_on_the_reference_pairs_where_there_are_any(
    tmp_path: Path, backbone: Path, write_jsonl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated, pairs = demo_rows()
    reference = pairs[::3]
    arguments = arguments_for(
        backbone, write_jsonl("rated.jsonl", rated), write_jsonl("pairs.jsonl", pairs), tmp_path / "armorm"
    )
    report, _ = switched_fit(
        monkeypatch, arguments, "--reference-pairs", write_jsonl("reference.jsonl", reference)
    )
    assert report["counts"]["reference_pairs"] == len(reference)
    assert report["counts"]["pairs"] == len(pairs)
    shouting = [
        pair | {"chosen": pair["rejected"], "rejected": [message("assistant", "No.")]} for pair in pairs
    ]
    other, _ = switched_fit(
        monkeypatch, [*arguments, "--overwrite"], "--reference-pairs", write_jsonl("other.jsonl", shouting)
    )
    figures = [
        one["objectives"]["correct"]["correlation_with_verbosity"]["before"] for one in (report, other)
    ]
    assert figures[0] != figures[1]


def test_held_out_prompts_are_not_fitted_on(
    tmp_path: Path, backbone: Path, write_jsonl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turning round every label and pair of the held-out prompts must leave the heads as they are."""
    from safetensors.torch import load_file

    seen: list[Any] = []

    def remember(data: FitData, **settings: Any) -> Any:
        split = split_prompts(data, **settings)
        seen.append((data, split))
        return split

    monkeypatch.setattr(fit_data, "split_prompts", remember)
    rated, pairs = demo_rows()
    files = write_jsonl("a/rated.jsonl", rated), write_jsonl("a/pairs.jsonl", pairs)
    fit(monkeypatch, *arguments_for(backbone, *files, tmp_path / "a" / "armorm"))
    data, split = seen[0]
    # Four rated rows and two pairs a prompt, prompts numbered in the order of the rows.
    held_out = {number for number in range(20) if split[number] == 2}
    assert len(held_out) == 4
    assert data.prompt_of(data.rated).tolist() == [number for number in range(20) for _ in range(4)]
    for place, row in enumerate(rated):
        if place // 4 in held_out:
            row["labels"]["correct"] = 1 - row["labels"]["correct"]
    for place, row in enumerate(pairs):
        if place // 2 in held_out:
            row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    files = write_jsonl("b/rated.jsonl", rated), write_jsonl("b/pairs.jsonl", pairs)
    fit(monkeypatch, *arguments_for(backbone, *files, tmp_path / "b" / "armorm"))
    first, second = (load_file(tmp_path / name / "armorm" / "model.safetensors") for name in "ab")
    for name in first:
        assert torch.equal(first[name], second[name]), name


def bad(rows: list[dict[str, Any]], **change: Any) -> list[dict[str, Any]]:
    return [*rows[:2], {**rows[2], **change}, *rows[3:]]


def test_bad_rows_are_named_by_file_line_and_field(
    tmp_path: Path, backbone: Path, write_jsonl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated, pairs = demo_rows()
    good_rated, good_pairs = write_jsonl("rated.jsonl", rated), write_jsonl("pairs.jsonl", pairs)
    cases = [
        (
            bad(rated, labels={"correct": 3}),
            pairs,
            r"bad_rated.jsonl:3: labels.correct: is 3.0, outside its range",
        ),
        (bad(rated, labels={"correct": "yes"}), pairs, r"bad_rated.jsonl:3: labels"),
        (
            bad(rated, messages=[message("user", "Hi")]),
            pairs,
            r"bad_rated.jsonl:3: messages: must end with an assist",
        ),
        (rated, bad(pairs, chosen=[]), r"bad_pairs.jsonl:3: chosen: must be one assistant turn"),
        (
            rated,
            bad(pairs, prompt=[message("assistant", "Hi")]),
            r"bad_pairs.jsonl:3: prompt: must end with a user",
        ),
    ]
    for some_rated, some_pairs, expected in cases:
        files = (
            good_rated if some_rated is rated else write_jsonl("bad_rated.jsonl", some_rated),
            good_pairs if some_pairs is pairs else write_jsonl("bad_pairs.jsonl", some_pairs),
        )
        with pytest.raises(BadInput, match=expected):
            fit(monkeypatch, *arguments_for(backbone, *files, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_too_little_data_is_told_by_objective(
    tmp_path: Path, backbone: Path, write_jsonl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated, pairs = demo_rows(20)
    for row in rated:
        row["labels"]["long"] = None
    rated[0]["labels"]["long"] = 3
    with pytest.raises(BadInput, match="objective long: 1 rated answers to fit on, at least 2 are needed"):
        fit(
            monkeypatch,
            *arguments_for(
                backbone, write_jsonl("r.jsonl", rated), write_jsonl("p.jsonl", pairs), tmp_path / "out"
            ),
        )


def test_bad_settings_are_all_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput) as caught:
        fit(
            monkeypatch, "--backbone", tmp_path, "--rated", "r", "--pairs", "p", "--output-dir", tmp_path / "out",
            "--objective", "a", 1, 1, "c", 0, "nan", "--debias", "b", "--gate-steps", 0, "--held-out", 0.9,
            "--debias-threshold", 1.5, "--gate-dropout", 1, "--gate-temperature", 0, "--gate-learning-rate", "nan",
        )  # fmt: skip
    for part in (
        "objective a: lowest 1.0 is not below",
        "objective c: lowest 0.0 is not below",
        "--debias: b is not among",
        "--debias-threshold: is 1.5",
        "--gate-dropout: is 1",
        "--gate-temperature: is 0",
        "--gate-learning-rate: is nan",
        "--gate-steps: is 0",
        "--held-out",
    ):
        assert part in str(caught.value)


def test_objectives_file_gives_names_and_ranges_in_order(tmp_path: Path, backbone: Path) -> None:
    path = tmp_path / "objectives.yaml"
    path.write_text("right: [0, 1]\nlong: [1, 5]\n")
    args = fit_armorm.Args(
        backbone=str(backbone),
        rated=["r"],
        pairs=["p"],
        output_dir=tmp_path,
        objectives_file=path,
        debias="none",
    )
    assert list(fit_armorm.check_args(args).items()) == [("right", (0.0, 1.0)), ("long", (1.0, 5.0))]
    path.write_text("right: 1\n")
    with pytest.raises(BadInput, match=r"objectives.yaml: right: must be \[lowest, highest\]"):
        fit_armorm.check_args(args)
