import numpy as np
from support.learnable_scenes import TINY

from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.store.store import Store
from seaice_model.networks.unet import MultiTaskUNet
from seaice_model.training.stop import StopRequest
from seaice_model.training.validation import Validation


def scored(store: Store, network: MultiTaskUNet, largest_kept: int) -> list[np.ndarray]:
    scenes = [store.scene(scene_id) for scene_id in store.splits["train"]]
    ready = Validation(scenes, TINY.model.channels, "float32", largest_kept=largest_kept)
    first, second = (ready.score(network, StopRequest()).confusion for _ in range(2))
    for chart in CHARTS:
        np.testing.assert_array_equal(first[chart.name], second[chart.name])
    return [first[chart.name] for chart in CHARTS]


def test_scenes_that_stay_on_the_device_are_counted_as_on_the_cpu(store: Store) -> None:
    network = MultiTaskUNet(TINY.model, seed=4)
    read, too_large, kept = (scored(store, network, side) for side in (0, 44, 45))
    labelled = [store.scene(i).charts != CHART_FILL for i in store.splits["train"]]
    for k in range(len(CHARTS)):
        assert read[k].sum() == sum(valid[..., k].sum() for valid in labelled)
        np.testing.assert_array_equal(kept[k], read[k])
        np.testing.assert_array_equal(too_large[k], read[k])


def test_validation_stops_between_scenes(store: Store) -> None:
    scenes = [store.scene(scene_id) for scene_id in store.splits["train"]]
    stop = StopRequest()
    stop.is_made = True
    for side in (0, 45):
        ready = Validation(scenes, TINY.model.channels, "float32", largest_kept=side)
        scorer = ready.score(MultiTaskUNet(TINY.model), stop)
        assert not any(counts.any() for counts in scorer.confusion.values())
