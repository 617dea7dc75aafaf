import pytest
from support.export_stores import make_export_store

from seaice_data.store.store import Store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Make a small store; no test changes it."""
    return make_export_store(tmp_path_factory.mktemp("exports"))
