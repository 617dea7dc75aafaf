from collections.abc import Iterator

import pytest
from support.download_server import Served, serving


@pytest.fixture
def server() -> Iterator[Served]:
    """Return a server on loopback."""
    with serving() as served:
        yield served
