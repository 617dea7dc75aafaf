"""Copy a folder of scenes, packed as on mirrors: shuffled, and deflated at level 4."""

import sys
from pathlib import Path

import xarray as xr

PACKING = {"zlib": True, "complevel": 4, "shuffle": True}

if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.mkdir()
    for path in sorted(source.glob("*.nc")):
        with xr.open_dataset(path, mask_and_scale=False) as scene:
            packing = {name: PACKING for name in scene.variables if scene[name].ndim}
            scene.to_netcdf(target / path.name, engine="netcdf4", encoding=packing)
