"""Fitting a head: each stage recovers a known rule, and the packed checkpoint scores as the fit did."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import make_tiny_model

torch = pytest.importorskip("torch")

from fusechat.errors import BadInput  # noqa: E402
from scoring import fit_armorm, fit_data, score_armorm  # noqa: E402
from scoring.armorm_fit import (  # noqa: E402
    GateSettings,
    Pairs,
    fit_gate,
    fit_ridge,
    pair_accuracy,
    transform_matrix,
    verbosity_penalties,
)
from scoring.fit_data import FitData, split_prompts  # noqa: E402
from scoring.rm_inputs import Encoded  # noqa: E402
from scoring.score_summary import rank_correlation  # noqa: E402

SMALL_GATE = GateSettings(hidden_dim=64, steps=400, batch_size=256, logit_scale=20.0, seed=0)


def test_ridge_without_noise_recovers_the_weights() -> None:
    generator = np.random.default_rng(0)
    x, weights = generator.normal(size=(400, 16)), generator.normal(size=16)
    fit = fit_ridge(x, x @ weights, np.arange(400) % 5 == 0)
    assert fit.alpha == 1e-4
    assert np.abs(fit.weights - weights).max() < 1e-4


def test_ridge_solves_its_normal_equations() -> None:
    """X = diag(1, 2), y = (3, 4), alpha 1: w = (1*3/(1+1), 2*4/(4+1)) = (1.5, 1.6).

    With labels that are pure noise on the validation rows only the shape of the solution matters, so alpha
    is read off the result: X'X + alpha I has the same closed form for every alpha.
    """
    x = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    fit = fit_ridge(x, np.array([3.0, 4.0, 3.0]), np.array([False, False, True]))
    gram = x.T @ x + fit.alpha * np.eye(2)
    assert gram @ fit.weights == pytest.approx(x.T @ np.array([3.0, 4.0, 3.0]))


def test_noisy_labels_choose_a_strong_ridge() -> None:
    generator = np.random.default_rng(1)
    fit = fit_ridge(generator.normal(size=(60, 40)), generator.normal(size=60), np.arange(60) % 3 == 0)
    assert fit.alpha >= 100


def test_rank_correlation_by_hand_with_ties() -> None:
    """Ranks 1.5, 1.5, 3 and 1, 2, 3: covariance 0.5, deviations sqrt(0.5) and sqrt(2/3): 0.8660."""
    assert rank_correlation([(5.0, 1.0), (5.0, 7.0), (9.0, 8.0)]) == pytest.approx(0.8660254)
    assert rank_correlation([(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]) is None


def test_penalties_take_the_correlation_with_verbosity_below_the_threshold() -> None:
    generator = np.random.default_rng(2)
    verbosity = generator.normal(size=3000)
    independent = generator.normal(size=3000)
    rewards = np.stack([0.6 * verbosity + independent, -0.3 * verbosity + independent, verbosity], axis=1)
    penalties, report = verbosity_penalties(rewards, 2)
    assert penalties[0] == pytest.approx(0.6, abs=0.051)
    assert penalties[1] == 0.0  # goes against verbosity already: the rule is signed
    assert report[0]["before"] > 0.4  # type: ignore[operator]
    after = rewards[:, 0] - penalties[0] * verbosity
    assert rank_correlation(list(zip(after, verbosity, strict=True))) <= 0.03  # type: ignore[operator]
    one_step_less = rewards[:, 0] - (penalties[0] - 0.05) * verbosity
    assert rank_correlation(list(zip(one_step_less, verbosity, strict=True))) > 0.03  # type: ignore[operator]


def test_a_higher_threshold_leaves_more_of_the_correlation() -> None:
    generator = np.random.default_rng(2)
    verbosity = generator.normal(size=3000)
    rewards = np.stack([0.6 * verbosity + generator.normal(size=3000), verbosity], axis=1)
    strict, _ = verbosity_penalties(rewards, 1, 0.0)
    lax, report = verbosity_penalties(rewards, 1, 0.3)
    assert lax[0] < strict[0]
    assert 0.2 < report[0]["after"] <= 0.3  # type: ignore[operator]
    assert verbosity_penalties(rewards, 1, 1.0)[0][0] == 0.0


def test_a_reward_that_is_verbosity_twice_over_keeps_penalty_one_and_says_so() -> None:
    verbosity = np.random.default_rng(3).normal(size=500)
    penalties, report = verbosity_penalties(np.stack([2 * verbosity, verbosity], axis=1), 1)
    assert penalties[0] == 1.0
    assert report[0]["met"] is False


def test_transform_subtracts_the_penalised_verbosity_and_zeroes_it() -> None:
    """r = (1, 2, 4), verbosity is the last, lambda = (0.5, 0.25): r T = (1 - 2, 2 - 1, 0)."""
    matrix = transform_matrix(3, 2, np.array([0.5, 0.25, 1.0]))
    assert (torch.tensor([1.0, 2.0, 4.0]) @ matrix).tolist() == pytest.approx([-1.0, 1.0, 0.0])
    assert torch.equal(transform_matrix(3, None, None), torch.diag(torch.ones(3)))


def synthetic_pairs(seed: int, count: int) -> Pairs:
    """Preference = a fixed mix of four objectives, 0.7, 0.2, 0.1 and 0."""
    generator = torch.Generator().manual_seed(seed)
    prompts = torch.randn(count, 8, generator=generator)
    first, second = torch.rand(count, 4, generator=generator), torch.rand(count, 4, generator=generator)
    better = ((first - second) @ torch.tensor([0.7, 0.2, 0.1, 0.0])) > 0
    chosen, rejected = (
        torch.where(better[:, None], first, second),
        torch.where(better[:, None], second, first),
    )
    return Pairs(prompts, torch.arange(count), chosen, rejected)


def test_gate_learns_a_fixed_mix_of_objectives() -> None:
    gate, losses = fit_gate(synthetic_pairs(0, 2000), SMALL_GATE)
    held_out = synthetic_pairs(1, 1000)
    with torch.inference_mode():
        coefficients = gate(held_out.prompts)
    accuracy = pair_accuracy(
        (coefficients * held_out.chosen).sum(1), (coefficients * held_out.rejected).sum(1)
    )
    assert accuracy is not None
    assert accuracy > 0.95
    assert losses[-1] < losses[0]
    assert coefficients[:, 0].mean() > coefficients[:, 1].mean() > coefficients[:, 2].mean()


def test_gate_of_the_published_scale_puts_all_on_the_strongest_objective() -> None:
    """Why --gate-logit-scale exists: with a sum near 1 the loss is nearly linear, and mixing does not pay."""
    gate, _ = fit_gate(synthetic_pairs(0, 2000), replace(SMALL_GATE, logit_scale=1.0))
    with torch.inference_mode():
        coefficients = gate(synthetic_pairs(1, 100).prompts).mean(0)
    assert coefficients[0] > 0.99 * coefficients.sum()


def test_gate_learns_which_objective_a_kind_of_prompt_asks_for() -> None:
    """The sign of the prompt's first feature says which of two objectives decides."""
    generator = torch.Generator().manual_seed(4)
    prompts = torch.randn(300, 6, generator=generator)
    index = torch.randint(300, (3000,), generator=generator)
    first, second = torch.rand(3000, 2, generator=generator), torch.rand(3000, 2, generator=generator)
    column = (prompts[index, 0] > 0).long()
    better = (first - second).gather(1, column[:, None])[:, 0] > 0
    chosen, rejected = (
        torch.where(better[:, None], first, second),
        torch.where(better[:, None], second, first),
    )
    gate, _ = fit_gate(Pairs(prompts, index, chosen, rejected), SMALL_GATE)
    coefficients = gate(torch.tensor([[3.0, 0, 0, 0, 0, 0], [-3.0, 0, 0, 0, 0, 0]]))
    assert coefficients[0, 1] > 3 * coefficients[0, 0]
    assert coefficients[1, 0] > 3 * coefficients[1, 1]


def test_the_same_seed_gives_the_same_gate() -> None:
    settings = GateSettings(hidden_dim=8, steps=5, batch_size=16)
    first, _ = fit_gate(synthetic_pairs(0, 50), settings)
    torch.rand(3)  # other random numbers drawn in between must not matter
    second, _ = fit_gate(synthetic_pairs(0, 50), settings)
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_pair_accuracy_counts_a_tie_as_half() -> None:
    assert pair_accuracy(torch.tensor([2.0, 1.0, 1.0]), torch.tensor([1.0, 1.0, 3.0])) == 0.5
    assert pair_accuracy(torch.tensor([]), torch.tensor([])) is None


def split_data(prompts: list[tuple[int, ...]]) -> FitData:
    """One rated answer a prompt: objective a for even prompts, b for odd ones."""
    data = FitData(["a", "b"])
    for prompt in prompts:
        data.rated.append(data.add(Encoded(prompt, (1, 2), False)))
        data.labels.append([0.0, float("nan")] if prompt[0] % 2 == 0 else [float("nan"), 0.0])
        data.sources.append("")
    return data


def test_split_does_not_depend_on_the_order_of_prompts_and_serves_every_objective() -> None:
    prompts: list[tuple[int, ...]] = [(number, number + 1) for number in range(50)]
    split = split_prompts(split_data(prompts), held_out=0.2, validation=0.16, seed=42)
    for kind in (split[::2], split[1::2]):
        assert [int((kind == part).sum()) for part in range(3)] == [16, 4, 5]
    turned = split_prompts(split_data(prompts[::-1]), held_out=0.2, validation=0.16, seed=42)
    assert split.tolist() == turned[::-1].tolist()
    other = split_prompts(split_data(prompts), held_out=0.2, validation=0.16, seed=43)
    assert split.tolist() != other.tolist()


def test_two_prompts_of_a_kind_are_both_trained_on() -> None:
    data = split_data([(0,), (2,), (4,), (6,), (8,), (1,), (3,)])
    split = split_prompts(data, held_out=0.2, validation=0.16, seed=42)
    assert split[5:].tolist() == [0, 0]
    assert sorted(split[:5].tolist()) == [0, 0, 0, 1, 2]


def test_leaving_one_out_equals_fitting_without_each_row() -> None:
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(12, 4)), generator.normal(size=12)
    fit = fit_ridge(x, y, np.zeros(12, dtype=bool))
    for alpha, error in fit.validation_mse.items():
        errors = []
        for row in range(12):
            kept = np.arange(12) != row
            gram = x[kept].T @ x[kept] + alpha * np.eye(4)
            errors.append((x[row] @ np.linalg.solve(gram, x[kept].T @ y[kept]) - y[row]) ** 2)
        assert error == pytest.approx(np.mean(errors), rel=1e-6)


# The whole script, in this process.


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
