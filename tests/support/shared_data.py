"""Real files that tests read where they exist."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SHARED = Path(os.environ.get("SEAICE_SHARED", ROOT.parent / "shared" / "data"))

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the real files are not at {str(SHARED)!r}"
)
