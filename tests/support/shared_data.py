"""Real files that some tests use, which are not part of the repository."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SHARED = Path(os.environ.get("SEAICE_SHARED", ROOT.parent / "shared" / "data"))

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"there are no real files at {str(SHARED)!r}"
)
