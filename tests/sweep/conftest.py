"""The sweep's table at the end of a test run."""

from typing import Any

import pytest
from sweep.faults import Outcome
from sweep.run_sweep import table

OUTCOMES = pytest.StashKey[list[Outcome]]()


@pytest.fixture(scope="session")
def sweep_outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    """Takes what came of each trial, for the table."""
    return request.config.stash.setdefault(OUTCOMES, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the table, where the sweep was run."""
    outcomes = config.stash.get(OUTCOMES, [])
    if outcomes:
        terminalreporter.write_line(table(outcomes))
