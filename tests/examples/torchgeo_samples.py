"""Load random patches of a store in the form of torchgeo: dicts of image and mask."""

import sys

from seaice import PatchSampler, SampleForm, Store, loader

if __name__ == "__main__":
    store = Store.open(sys.argv[1])
    patches = PatchSampler(store, channels=["hh", "hv"], size=32)
    batches = loader(patches, 8, batch_size=4, form=SampleForm(charts="SOD"))
    for epoch in range(2):
        for sample in batches:  # other patches in each epoch
            shapes = {name: tuple(tensor.shape) for name, tensor in sample.items()}
            print(epoch, shapes, float(sample["image"].mean()))
