"""What the tests of the sandbox share."""

from collections.abc import Iterator

import pytest

from fusechat.sandbox import Sandbox, Unavailable


@pytest.fixture(scope="module", params=["A", "B"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox with one worker, at each level that can be had here."""
    try:
        with Sandbox(request.param, workers=1, quiet=True) as sandbox:
            yield sandbox
    except Unavailable as error:
        pytest.skip(f"level {request.param} cannot be had here: {error}")
