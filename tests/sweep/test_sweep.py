"""Every script of the recipe, disturbed in every way: the short form of the sweep (`make sweep` has many moments).

The scripts are tried two at a time; the table of what was tried and survived comes at their end.
"""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sweep.faults import Outcome
from sweep.materials import make_materials
from sweep.run_sweep import FAULTS, try_step
from sweep.steps import all_steps

MOMENTS = 1
SEED = 20241212
NAMES = [step.name for step in all_steps(Path())]


@pytest.fixture(scope="module")
def trials(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[list[Outcome]]]]:
    """The trials of all steps that are tested, on their way."""
    asked = {item.callspec.params["name"] for item in request.session.items if item.fspath == request.path}  # type: ignore[attr-defined]
    folder = Path(tempfile.mkdtemp(prefix="sweep."))
    try:
        steps = [step for step in all_steps(make_materials(folder / "materials")) if step.name in asked]
        trial = partial(try_step, folder=folder, faults=list(FAULTS), moments=MOMENTS, seed=SEED)
        with ThreadPoolExecutor(2) as pool:
            yield {step.name: pool.submit(trial, step) for step in steps}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_lost_doubled_or_half_made_whatever_happens(
    name: str, trials: dict[str, "Future[list[Outcome]]"], sweep_outcomes: list[Outcome]
) -> None:
    outcomes = trials[name].result()
    sweep_outcomes += outcomes
    assert [complaint for outcome in outcomes for complaint in outcome.complaints] == []
    assert all(outcome.tried or outcome.skipped for outcome in outcomes)
