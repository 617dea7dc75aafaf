from collections.abc import Callable

import pytest
from support.command_results import Result


@pytest.fixture
def seaice() -> Callable[..., Result]:
    """Return what runs a command in process."""
    return Result
