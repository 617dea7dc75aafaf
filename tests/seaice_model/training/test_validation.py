import numpy as np
import pytest
from support.learnable_scenes import TINY

from seaice_data.charts import CHARTS
from seaice_data.store.store import Store
from seaice_model.networks.unet import MultiTaskUNet
from seaice_model.training import validation
from seaice_model.training.stop import StopRequest
from seaice_model.training.validation import Validation


def scored(store: Store, network: MultiTaskUNet, *, is_kept: bool) -> list[np.ndarray]:
    scenes = [store.scene(scene_id) for scene_id in store.splits["train"]]
    kept = Validation(scenes, TINY.model.channels, "float32", is_kept=is_kept)
    first, second = (kept.score(network, StopRequest()).confusion for _ in range(2))
    for chart in CHARTS:
        np.testing.assert_array_equal(first[chart.name], second[chart.name])
    return [first[chart.name] for chart in CHARTS]


def test_scenes_that_stay_on_the_device_are_counted_as_on_the_cpu(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = MultiTaskUNet(TINY.model, seed=4)
    read = scored(store, network, is_kept=False)
    kept = scored(store, network, is_kept=True)
    monkeypatch.setattr(validation, "TILE", 40)  # the scenes are 40 x 45: too large
    large = scored(store, network, is_kept=True)
    assert sum(counts.sum() for counts in read) > 0
    for ours, theirs, others in zip(kept, read, large, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(others, theirs)


def test_validation_stops_between_scenes(store: Store) -> None:
    scenes = [store.scene(scene_id) for scene_id in store.splits["train"]]
    stop = StopRequest()
    stop.is_made = True
    for is_kept in (True, False):
        ready = Validation(scenes, TINY.model.channels, "float32", is_kept=is_kept)
        scorer = ready.score(MultiTaskUNet(TINY.model), stop)
        assert not any(counts.any() for counts in scorer.confusion.values())
