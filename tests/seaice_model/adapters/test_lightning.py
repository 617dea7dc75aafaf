"""PyTorch Lightning trains from a store: epochs, workers, validation, resuming."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from support.learnable_scenes import SCENES, TEST_SCENE
from torch import Tensor, nn

from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
from seaice_model.adapters.lightning import StoreDataModule
from seaice_model.adapters.sample_form import Sample, SampleForm
from seaice_model.errors import ConfigError

pytestmark = [
    # Of the number of workers, of processors, of batches.
    pytest.mark.filterwarnings(
        "ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"
    ),
    # Lightning 2.6 beside PyTorch 2.13.
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec:FutureWarning"),
]

N, BATCH = 12, 4
SOD = SampleForm(charts="SOD")


class Network(lightning.LightningModule):
    """One convolution; remembers the means of the images that it has seen."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(2, 6, 3, padding=1)
        self.loss = nn.CrossEntropyLoss(ignore_index=255)
        self.seen: list[float] = []

    def training_step(self, batch: Sample) -> Tensor:
        self.seen += batch["image"].mean(dim=(1, 2, 3)).tolist()
        return self.loss(self.layer(batch["image"]), batch["mask"])

    def validation_step(self, batch: Sample) -> None:
        self.log("val_loss", self.loss(self.layer(batch["image"]), batch["mask"]))

    def test_step(self, batch: Sample) -> None:
        self.log("test_loss", self.loss(self.layer(batch["image"]), batch["mask"]))

    def predict_step(self, batch: Sample) -> Tensor:
        return self.layer(batch["image"]).argmax(dim=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


@pytest.fixture
def data(store: Store) -> StoreDataModule:
    patches = PatchSampler(store, channels=["hh", "hv"], size=8, augmentation="default")
    return StoreDataModule(patches, N, BATCH, form=SOD)


def trainer(folder: Path, n_epochs: int, **options: Any) -> lightning.Trainer:
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=n_epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def weights(network: Network) -> Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach()


def test_each_epoch_has_new_patches_and_scenes_are_validated(
    tmp_path: Path, data: StoreDataModule
) -> None:
    network = Network()
    fit = trainer(tmp_path, 3, enable_checkpointing=False)
    fit.fit(network, data)
    assert len(network.seen) == len({*network.seen}) == 3 * N
    assert float(fit.callback_metrics["val_loss"]) > 0


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* is not empty:UserWarning")
@pytest.mark.parametrize(
    ("n_steps", "every", "n_workers"), [(3, None, 0), (3, 3, 0), (4, 4, 0), (4, 4, 1)]
)
def test_a_training_resumes_with_the_next_patch(
    tmp_path: Path, data: StoreDataModule, n_steps: int, every: int | None, n_workers: int
) -> None:
    data.options = {"num_workers": n_workers}
    whole, stopped, resumed = Network(), Network(), Network()
    trainer(tmp_path, 2, enable_checkpointing=False).fit(whole, data)

    def saving() -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path, every_n_train_steps=every)

    before = trainer(tmp_path, 2, max_steps=n_steps, callbacks=[saving()])
    before.fit(stopped, data)
    saved = before.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    assert len(stopped.seen) == n_steps * BATCH  # an epoch has three steps
    after = trainer(tmp_path, 2, callbacks=[saving()])
    after.fit(resumed, data, ckpt_path=saved, weights_only=True)
    assert stopped.seen + resumed.seen == whole.seen
    assert torch.equal(weights(resumed), weights(whole))


def test_scenes_are_tested_and_predicted(tmp_path: Path, data: StoreDataModule) -> None:
    network = Network()
    run = trainer(tmp_path, 1)
    assert run.test(network, data, verbose=False)[0]["test_loss"] > 0
    pieces = run.predict(network, data)
    assert pieces is not None
    tiles = data.predict_dataloader().dataset
    classes = torch.cat(pieces)
    assert len(classes) == len(tiles)  # type: ignore[arg-type]
    assert {tiles.place(k).scene for k in range(len(classes))} >= {TEST_SCENE}  # type: ignore[attr-defined]


def one_is_enough(sample: Sample) -> Sample:
    return {name: torch.ones_like(plane) for name, plane in sample.items()}


def test_what_is_meant_for_training_leaves_tiles_alone(data: StoreDataModule) -> None:
    form = replace(SOD, transforms=one_is_enough)
    unchanged = StoreDataModule(data.patches, 10, 7, form=SOD)
    augmented = StoreDataModule(data.patches, 10, 7, form=form, drop_last=True)
    (last,) = augmented.train_dataloader()  # the other three are dropped
    assert bool((last["image"] == 1).all())
    for name in ("val_dataloader", "test_dataloader", "predict_dataloader"):
        tiles, plain = getattr(augmented, name)(), getattr(unchanged, name)()
        assert sum(len(batch["image"]) for batch in tiles) == len(tiles.dataset)
        for ours, theirs in zip(tiles, plain, strict=True):
            assert torch.equal(ours["image"], theirs["image"])
    chosen = StoreDataModule(data.patches, form=form, tile_form=form)
    assert bool((next(iter(chosen.val_dataloader()))["image"] == 1).all())


class Recording(Network):
    """Writes down what each process has seen."""

    def on_train_end(self) -> None:
        path = Path(self.trainer.default_root_dir) / f"seen-{self.global_rank}.json"
        path.write_text(json.dumps(self.seen))


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* is not empty:UserWarning")
def test_two_processes_share_an_epoch_and_one_may_continue(
    tmp_path: Path, data: StoreDataModule
) -> None:
    whole, resumed = Network(), Network()
    trainer(tmp_path, 2, enable_checkpointing=False).fit(whole, data)
    shared = StoreDataModule(data.patches, N, BATCH // 2, form=SOD)
    saved = tmp_path / "saved.ckpt"

    def saving() -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path, "saved", every_n_train_steps=4)

    both = trainer(
        tmp_path, 2, max_steps=4, strategy="ddp_fork", devices=2, callbacks=[saving()]
    )
    both.fit(Recording(), shared)
    first, second = (json.loads((tmp_path / f"seen-{k}.json").read_text()) for k in (0, 1))
    assert len(first) == len(second) == 4 * BATCH // 2
    assert sorted(first + second) == sorted(whole.seen[: 4 * BATCH])
    after = trainer(tmp_path, 2, callbacks=[saving()])
    after.fit(resumed, data, ckpt_path=saved, weights_only=True)
    assert resumed.seen == whole.seen[4 * BATCH :]


def test_scenes_to_validate_on_may_be_given(data: StoreDataModule) -> None:
    n = len(data.val_dataloader().dataset)  # type: ignore[arg-type]
    data.validation = SCENES[:3]
    assert len(data.val_dataloader().dataset) > 2 * n  # type: ignore[arg-type]


def test_without_lightning_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "seaice_model.adapters.lightning")
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    with pytest.raises(ConfigError, match="extra `lightning` cannot be loaded") as error:
        importlib.import_module("seaice_model.adapters.lightning")
    assert error.value.hint == "install it with `pip install 'seaice[lightning]'`"
