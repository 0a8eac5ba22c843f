"""The plan of batches, ranks and micro-batches."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.batch_plan import count_steps, split_batch, step_indices, steps_per_epoch
from training.optimisation import learning_rate_factor

COSTS = st.lists(st.integers(1, 3000), min_size=1, max_size=40)


@given(costs=COSTS, world_size=st.integers(1, 9), budget=st.integers(1, 9000))
@settings(max_examples=150, deadline=None)
def test_every_example_goes_to_one_pass_and_all_ranks_make_the_same_number_of_passes(
    costs: list[int], world_size: int, budget: int
) -> None:
    shares = split_batch(range(len(costs)), costs, world_size, budget)
    assert len(shares) == world_size
    assert len({len(share) for share in shares}) == 1
    assert sorted(index for share in shares for members in share for index in members) == list(
        range(len(costs))
    )
    for members in (members for share in shares for members in share):
        assert len(members) <= 1 or sum(costs[index] for index in members) <= budget


def test_fewer_examples_than_ranks_leave_empty_passes() -> None:
    assert split_batch([4, 7], [0, 0, 0, 0, 10, 0, 0, 20], 3, 1000) == [[[7]], [[4]], [[]]]


def test_work_is_balanced_over_ranks() -> None:
    """Costs 8, 7, 6, 5, 4 over two ranks in one pass: 8+5+4 against 7+6 = 17 and 13, not 26 and 4."""
    shares = split_batch(range(5), [8, 7, 6, 5, 4], 2, 1000)
    assert sorted(sum([8, 7, 6, 5, 4][i] for i in share[0]) for share in shares) == [13, 17]


def test_an_epoch_sees_every_example_once_in_an_order_of_its_own() -> None:
    assert steps_per_epoch(10, 4) == 3
    epochs = [
        [index for step in range(3 * epoch, 3 * epoch + 3) for index in step_indices(step, 10, 4, 42)]
        for epoch in (0, 1)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert epochs[0] != epochs[1]
    assert len(step_indices(2, 10, 4, 42)) == 2
    assert [step_indices(step, 10, 4, 42) for step in range(3)] != [
        step_indices(step, 10, 4, 43) for step in range(3)
    ]


@pytest.mark.parametrize(
    ("epochs", "max_steps", "expected"),
    [(3, None, 9), (0.5, None, 2), (0.01, None, 1), (3, 4, 4), (1, 20, 20)],
)
def test_number_of_steps(epochs: float, max_steps: int | None, expected: int) -> None:
    assert count_steps(10, 4, epochs, max_steps) == expected


def test_learning_rate_rises_from_above_zero_and_falls_as_a_cosine() -> None:
    """20 steps, 10 %: two warm-up steps at 1/3 and 2/3, the peak at the third, half way down at 2 + 18/2 = 11."""
    factors = [learning_rate_factor(step, 20, 0.1) for step in range(20)]
    assert factors[:3] == pytest.approx([1 / 3, 2 / 3, 1])
    assert factors[11] == pytest.approx(0.5)
    assert factors[19] == pytest.approx(0.5 * (1 + math.cos(math.pi * 17 / 18)))
    assert all(factor > 0 for factor in factors)
    assert factors[2:] == sorted(factors[2:], reverse=True)
