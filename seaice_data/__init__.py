"""AI4Arctic scenes to a zarr patch store, and random patches from it.

The public names are listed in ``__init__.pyi`` and imported when they are first used: a
sampler needs neither dask nor h5py. Inside the project import the modules.
"""

from lazy_loader import attach_stub

from seaice_data.deprecation import former_names

_find, __dir__, __all__ = attach_stub(__name__, __file__)
__getattr__ = former_names(_find, {"Drawing": "Sampling"})
