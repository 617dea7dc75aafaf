"""Convert AI4Arctic scenes into a zarr patch store, and sample random patches from it.

The public names are listed in ``__init__.pyi`` and imported on first use, so a sampler
loads neither dask nor h5py. Code inside the project imports the modules themselves.
"""

from lazy_loader import attach_stub

from seaice_data.deprecation import former_names

_find, __dir__, __all__ = attach_stub(__name__, __file__)
__getattr__ = former_names(_find, {"Drawing": "Sampling"})
