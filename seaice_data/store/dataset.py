"""A scene as an xarray dataset in physical units, with the attributes of CF."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.channels import Channel, find_channel
from seaice_data.charts import CHART_FILL, CHARTS, SIC, SIC_STEP_PERCENT, Chart
from seaice_data.conventions import CONVENTIONS, TIME
from seaice_data.scene_id import SceneId
from seaice_data.settings import fingerprint
from seaice_data.store.group import OWN_SOURCE, SOURCE
from seaice_data.store.origin import read_origin
from seaice_data.store.recipe import Recipe

_PLACES = ("latitude", "longitude")
_ICE_SERVICES = {
    "cis": "Canadian Ice Service (ice chart)",
    "dmi": "Danish Meteorological Institute (ice chart)",
}


def scene_dataset(
    scene_id: SceneId,
    inputs: FloatArray,
    charts: ChartArray,
    places: tuple[FloatArray, FloatArray],
    recipe: Recipe,
    attributes: Mapping[str, Any],
    software: str,
) -> xr.Dataset:
    """Return a scene in physical units.

    There is one variable for each channel, and two for each chart: `SIC` in percent, `SOD`
    and `FLOE` as class numbers, all float32 with NaN where there is no class; and
    `SIC_class` and so on, the classes as they are stored.

    Parameters
    ----------
    scene_id
        As ``20180607T184326_dmi``.
    inputs
        Standardised planes, shape ``(y, x, channel)``; NaN is fill.
    charts
        Classes, shape ``(y, x, chart)``; 255 is fill.
    places
        Latitudes and longitudes of the pixels, each of shape ``(y, x)``. The channels of
        these names are left out: they are rounded, and interpolated in degrees.
    recipe
        Recipe of the store.
    attributes
        Attributes of the scene's group; texts and numbers are kept.
    software
        Name and version of the program that made the store.
    """
    pixels = ("y", "x")
    variables: dict[str, Any] = {}
    for position, name in enumerate(recipe.channels):
        channel = find_channel(name)
        if channel.name in _PLACES:
            continue
        values = inputs[..., position].astype(np.float32) * channel.std + channel.mean
        variables[name] = (pixels, values.astype(np.float32), _channel_attributes(channel))
    for position, chart in enumerate(CHARTS):
        classes = charts[..., position]
        values = np.where(classes == CHART_FILL, np.float32(np.nan), classes)
        if chart is SIC:
            values *= SIC_STEP_PERCENT
        variables[chart.name] = (pixels, values, _value_attributes(chart))
        variables[f"{chart.name}_class"] = (pixels, classes, _class_attributes(chart))
    coordinates: dict[str, Any] = {
        name: (pixels, plane.astype(np.float32), _channel_attributes(find_channel(name)))
        for name, plane in zip(_PLACES, places, strict=True)
    }
    acquired = np.datetime64(scene_id.acquired.replace(tzinfo=None), "ns")
    coordinates["time"] = ((), acquired, dict(TIME))
    history = (
        f"{software}: downscaled by {recipe.ratio} ({recipe.sar}), "
        f"recipe {fingerprint(recipe)}"
    )
    return xr.Dataset(
        variables, coordinates, _global_attributes(scene_id, history, attributes)
    )


def _global_attributes(
    scene_id: SceneId, history: str, attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the CF attributes of the scene, and its texts and numbers."""
    origin = read_origin(attributes)
    plain = {
        name: int(value) if isinstance(value, bool) else value
        for name, value in attributes.items()
        if isinstance(value, (str, int, float))
    }
    # An own scene may lack them; `absent_channels` and `has_charts` say so.
    contents = " with ancillary data and ice charts" if origin.is_ai4arctic else ""
    return {
        "Conventions": CONVENTIONS,
        "title": f"Sentinel-1 scene {scene_id}{contents}",
        **_institution(scene_id.service),
        "history": history,
        "comment": "in physical units; NaN is fill, and 255 in classes",
        **(SOURCE if origin.is_ai4arctic else {"source": OWN_SOURCE}),
        **plain,
        "absent_channels": ", ".join(origin.absent_channels),
        "denoising": origin.denoising,
    }


def _institution(service: str) -> dict[str, str]:
    """Return who made the chart; nothing if there is no chart."""
    if not service:
        return {}
    named = _ICE_SERVICES.get(service, f"ice service {service!r} (ice chart)")
    return {"institution": named}


def _channel_attributes(channel: Channel) -> dict[str, Any]:
    """Return the CF attributes of a channel."""
    attributes = {"long_name": channel.long_name, "units": channel.unit}
    if channel.standard_name:
        attributes["standard_name"] = channel.standard_name
    if channel.unit == "K":
        attributes["units_metadata"] = "temperature: on_scale"
    return attributes


def _value_attributes(chart: Chart) -> dict[str, Any]:
    """Return the CF attributes of a chart in percent or as class numbers, with NaN."""
    attributes = chart.cf_attributes()
    if chart is SIC:
        attributes = {"long_name": chart.long_name, "units": "%"}
    else:  # CF: flag values have the type of the variable
        attributes["flag_values"] = attributes["flag_values"].astype(np.float32)
    if chart.standard_name:
        attributes["standard_name"] = chart.standard_name
    return attributes


def _class_attributes(chart: Chart) -> dict[str, Any]:
    """Return the CF attributes of the stored classes of a chart."""
    attributes = chart.cf_attributes("fill")
    attributes["long_name"] = f"class of {chart.long_name}"
    return attributes
