"""What was read is kept up to a limit, in one process."""

import os
import pickle

import numpy as np
import pytest

from seaice_data.arrays import FloatArray
from seaice_data.sampling.scene_cache import SceneCache

EIGHT_BYTES = np.zeros(1)


@pytest.fixture
def kept() -> SceneCache[str, FloatArray]:
    """Return what keeps two values."""
    return SceneCache([], 16)


def test_the_least_recently_used_is_dropped_first(
    kept: SceneCache[str, FloatArray],
) -> None:
    kept._keep({"a": EIGHT_BYTES, "b": EIGHT_BYTES})
    assert list(kept._kept(["a", "x"])) == ["a"]
    kept._keep({"c": EIGHT_BYTES})
    assert list(kept._kept(["a", "b", "c"])) == ["a", "c"]
    assert kept.n_kept_bytes == 16


def test_more_than_the_limit_is_not_kept(kept: SceneCache[str, FloatArray]) -> None:
    kept._keep({"a": np.zeros(3)})
    assert kept.n_kept_bytes == 0


def test_other_processes_start_with_nothing(
    kept: SceneCache[str, FloatArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept._keep({"a": EIGHT_BYTES})
    sent = pickle.loads(pickle.dumps(kept))  # noqa: S301 - our own
    assert sent.n_kept_bytes == 0
    kept._forget_parent()
    assert kept.n_kept_bytes == 8
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    kept._forget_parent()
    assert kept.n_kept_bytes == 0
