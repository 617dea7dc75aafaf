"""A store as data of PyTorch Lightning. Needs the extra `lightning`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch.utils.data import DataLoader

from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.division import divided
from seaice_data.system.extras import extra
from seaice_model.adapters.loading import PatchLoader, loader
from seaice_model.adapters.sample_form import Sample, SampleForm
from seaice_model.adapters.tiles import TileDataset
from seaice_model.errors import ConfigError

with extra("lightning", ConfigError):
    from lightning.pytorch import LightningDataModule

_EVERYTHING = SampleForm()


class StoreDataModule(LightningDataModule):
    """Patches to train on, and tiles of whole scenes to validate, test and predict.

    Each epoch has new patches, in every process of DDP its own. A checkpoint says which
    patch is next, so ``trainer.fit(..., ckpt_path=...)`` continues with it, even in the
    middle of an epoch. Lightning's ``reload_dataloaders_every_n_epochs`` would start with
    patch 0 again; leave it at 0.

    Parameters
    ----------
    patches
        Patches to train on; its store, channels and size are also those of the tiles.
    n_patches
        Patches in an epoch, of all processes together; 8000 as in the paper (500 batches of
        16: Chen et al. 2024, Table 3).
    batch_size
        Patches, or tiles, in a batch of one process.
    form
        What a sample is made of.
    tile_form
        The same for tiles; if not given, `form` without its transforms, because these are
        augmentations as a rule. Give `form` again if they are not.
    validation
        Ids of the scenes to validate on; the validation split of the store if not given.
    options
        For all loaders: ``num_workers``, ``pin_memory`` and others; ``drop_last`` only for
        that of patches.

    Attributes
    ----------
    val_dataset, test_dataset, predict_dataset
        The tiles, once their loader has been asked for, where terratorch looks for them;
        their `plot` makes the figures that it logs.

    Raises
    ------
    ConfigError
        When the module is imported: if Lightning is not installed.

    Notes
    -----
    With one process each labelled pixel of a scene is in one tile. With several, Lightning
    gives some tiles twice, so that all processes have as many: score with one.

    Examples
    --------
    >>> data = StoreDataModule(  # doctest: +SKIP
    ...     PatchSampler(store, channels=["hh", "hv"], augmentation="default"),
    ...     form=SampleForm(charts="SOD"),
    ...     num_workers=4,
    ... )
    >>> lightning.Trainer(max_epochs=300).fit(module, data)  # doctest: +SKIP
    """

    def __init__(
        self,
        patches: PatchSampler,
        n_patches: int = 8000,
        batch_size: int = 16,
        *,
        form: SampleForm = _EVERYTHING,
        tile_form: SampleForm | None = None,
        validation: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.patches, self.n_patches, self.batch_size = patches, n_patches, batch_size
        self.form, self.validation, self.options = form, validation, options
        self.tile_form = replace(form, transforms=None) if tile_form is None else tile_form

    def train_dataloader(self) -> PatchLoader:
        """Return the loader of random patches."""
        return loader(
            self.patches, self.n_patches, self.batch_size, form=self.form, **self.options
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """Return the loader of the tiles to validate on."""
        given = self.validation
        scenes = divided(self.patches.store)["validation"] if given is None else given
        self.val_dataset = self._tiles(scenes, self.tile_form)
        return self._loader(self.val_dataset)

    def test_dataloader(self) -> DataLoader[Sample]:
        """Return the loader of the tiles of the test scenes that have labels."""
        self.test_dataset = self._tiles(divided(self.patches.store)["test"], self.tile_form)
        return self._loader(self.test_dataset)

    def predict_dataloader(self) -> DataLoader[Sample]:
        """Return the loader of all tiles of the test scenes, without masks."""
        form = replace(self.tile_form, charts=())
        self.predict_dataset = self._tiles(divided(self.patches.store)["test"], form)
        return self._loader(self.predict_dataset)

    def _tiles(self, scenes: Sequence[str], form: SampleForm) -> TileDataset:
        return TileDataset(
            self.patches.store,
            scenes,
            channels=self.patches.channels,
            size=self.patches.size,
            form=form,
        )

    def _loader(self, tiles: TileDataset) -> DataLoader[Sample]:
        options = {name: of for name, of in self.options.items() if name != "drop_last"}
        return DataLoader(tiles, batch_size=self.batch_size, **options)
