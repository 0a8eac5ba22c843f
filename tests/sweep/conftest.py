"""The sweep's table at the end of a test run."""

from collections.abc import Iterator

import pytest
from sweep.faults import Outcome
from sweep.run_sweep import table


@pytest.fixture(scope="session")
def sweep_outcomes(lines_at_end: list[str]) -> Iterator[list[Outcome]]:
    """Takes what came of each trial, for the table."""
    outcomes: list[Outcome] = []
    yield outcomes
    lines_at_end += table(outcomes).splitlines()
