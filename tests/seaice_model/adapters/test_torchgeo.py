"""torchgeo trains from a store, and its augmentations know image and masks."""

from pathlib import Path

import pytest
import torch

from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
from seaice_model.adapters.patches import PatchDataset
from seaice_model.adapters.sample_form import SampleForm

trainers = pytest.importorskip("torchgeo.trainers", reason="run by `make adapters`")
pytestmark = pytest.mark.adapters


def test_a_task_of_torchgeo_trains_and_scores(tmp_path: Path, store: Store) -> None:
    import lightning

    from seaice import class_weights
    from seaice_model.adapters.lightning import StoreDataModule

    patches = PatchSampler(store, channels=["hh", "hv"], size=32, augmentation="default")
    data = StoreDataModule(patches, 8, 4, form=SampleForm(charts="SOD"))
    task = trainers.SemanticSegmentationTask(
        model="unet",
        backbone="resnet18",
        in_channels=2,
        num_classes=6,
        ignore_index=255,
        class_weights=torch.from_numpy(class_weights(store, "SOD")),
    )
    trainer = lightning.Trainer(
        default_root_dir=tmp_path,
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(task, data)
    assert trainer.current_epoch == 2
    assert 0 <= float(trainer.callback_metrics["val_MulticlassAccuracy"]) <= 1
    assert trainer.test(task, data, verbose=False)[0]["test_loss"] > 0
    pieces = trainer.predict(task, data)
    assert pieces is not None
    assert pieces[0].shape == (4, 6, 32, 32)  # probabilities of each class


@pytest.mark.parametrize("charts", ["SOD", ("SIC", "FLOE")])
def test_augmentations_of_kornia_turn_image_and_masks_alike(
    store: Store, charts: str | tuple[str, ...]
) -> None:
    import kornia.augmentation as K  # noqa: N812 - as its documentation does

    patches = PatchSampler(store, channels=["hh", "hv"], size=16)
    sample = PatchDataset(patches, SampleForm(charts=charts))[3]
    batch = {name: plane[None] for name, plane in sample.items()}
    batch |= {name: p.float() for name, p in batch.items() if name.startswith("mask")}
    flip = K.AugmentationSequential(K.RandomHorizontalFlip(p=1), data_keys=None)
    for name, plane in flip(batch).items():
        assert torch.equal(plane.squeeze(), sample[name].flip(-1).to(plane.dtype))
