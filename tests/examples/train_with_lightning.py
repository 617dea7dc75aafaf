"""Train a network of your own in PyTorch Lightning, with class weights, and resume it."""

import sys
import tempfile

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from seaice import SOD, PatchSampler, SampleForm, Store, class_weights
from seaice_model.adapters.lightning import StoreDataModule

CHANNELS = ["hh", "hv", "t2m"]


class Network(lightning.LightningModule):
    """A small network for the stage of development."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(len(CHANNELS), 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, SOD.n_classes, 1),
        )
        self.loss = nn.CrossEntropyLoss(weight=weights, ignore_index=255)

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the loss of random patches."""
        return self.loss(self.layers(batch["image"]), batch["mask"])

    def validation_step(self, batch: dict[str, Tensor]) -> None:
        """Log the loss of tiles of the validation scenes."""
        self.log("val_loss", self.loss(self.layers(batch["image"]), batch["mask"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser."""
        return torch.optim.Adam(self.parameters(), lr=1e-2)


if __name__ == "__main__":
    store = Store.open(sys.argv[1])
    patches = PatchSampler(store, channels=CHANNELS, size=32, augmentation="default")
    data = StoreDataModule(patches, 64, batch_size=8, form=SampleForm(charts="SOD"))
    network = Network(torch.from_numpy(class_weights(store, "SOD")))
    with tempfile.TemporaryDirectory() as folder:
        for n_epochs in (1, 2):  # twice, as if this program were started again
            last = ModelCheckpoint(folder, save_last=True)
            trainer = lightning.Trainer(max_epochs=n_epochs, callbacks=last, logger=False)
            trainer.fit(network, data, ckpt_path="last", weights_only=True)
        print("resumed:", bool(trainer.ckpt_path), trainer.callback_metrics)
