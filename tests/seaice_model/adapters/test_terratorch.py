"""terratorch trains from a store."""

from pathlib import Path

import pytest

from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
from seaice_model.adapters.sample_form import SampleForm

tasks = pytest.importorskip("terratorch.tasks", reason="run by `make adapters`")
pytestmark = pytest.mark.adapters


def test_a_task_of_terratorch_trains_and_scores(tmp_path: Path, store: Store) -> None:
    import lightning
    from lightning.pytorch.loggers import TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from seaice import class_weights
    from seaice_model.adapters.lightning import StoreDataModule

    patches = PatchSampler(store, channels=["hh", "hv"], size=32, augmentation="default")
    data = StoreDataModule(patches, 8, 4, form=SampleForm(charts="SIC"))
    task = tasks.SemanticSegmentationTask(
        model_factory="EncoderDecoderFactory",
        model_args={
            "backbone": "timm_resnet18",
            "backbone_pretrained": False,
            "backbone_in_chans": 2,
            "decoder": "FCNDecoder",
            "num_classes": 11,
        },
        ignore_index=255,
        class_weights=class_weights(store, "SIC").tolist(),
        plot_on_val=True,  # each epoch, to the logger
    )
    trainer = lightning.Trainer(
        default_root_dir=tmp_path,
        max_epochs=2,
        accelerator="cpu",
        logger=TensorBoardLogger(tmp_path, "figures"),
        log_every_n_steps=1,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(task, data)
    assert trainer.current_epoch == 2
    events = EventAccumulator(trainer.logger.log_dir)
    events.Reload()
    assert events.Tags()["images"] == ["image/0"]
    assert 0 <= float(trainer.callback_metrics["val/Accuracy"]) <= 1
