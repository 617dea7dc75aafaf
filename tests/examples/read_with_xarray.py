"""Read a store with xarray alone, and name its classes with cf_xarray."""

import sys

import cf_xarray  # noqa: F401 - adds `.cf` to xarray
import numpy as np
import xarray as xr

store = sys.argv[1]
root = xr.open_zarr(store, consolidated=False)
scene_id = root.attrs["splits"]["train"][0]
scene = xr.open_zarr(store, group=f"scenes/{scene_id}", consolidated=False)

physical = scene.inputs.astype("float32") * scene.channel_std + scene.channel_mean
latitude, longitude = (physical.sel(channel=name) for name in ("latitude", "longitude"))

# Each chart has classes of its own; the attributes of the root name them.
names = next(
    chart["class_names"] for chart in root.attrs["charts"] if chart["name"] == "SOD"
)
sod = scene.charts.sel(chart="SOD", drop=True).assign_coords(
    latitude=(("y", "x"), latitude.values, {"standard_name": "latitude"}),
    longitude=(("y", "x"), longitude.values, {"standard_name": "longitude"}),
)
sod.attrs = {
    "standard_name": "sea_ice_classification",
    "flag_values": np.arange(len(names), dtype=np.uint8),
    "flag_meanings": " ".join(name.replace(" ", "_").replace("-", "_") for name in names),
}
for meaning in sod.attrs["flag_meanings"].split():
    there = sod.cf == meaning
    if there.any():
        north = float(sod.cf["latitude"].where(there).max())
        print(
            f"{meaning:<22} {int(there.sum()):7d} pixels, up to {north:.2f} degrees north"
        )
