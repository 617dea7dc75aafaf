"""What is known about each pixel of the 80 m grid, as bits of ``uint8`` planes.

They are plain integers: numpy treats a member of an `enum.IntFlag` as ``int64``, so a
mask of a scene would need eight bytes per pixel.
"""

FLAG_NO_SAR = 1
"""No SAR, or masked: outside the chart in AI4Arctic files with one, on land in own
scenes."""

FLAG_LAND = 2
"""Distance zone 0, land."""

FLAG_REMAINDER = 4
"""After the last whole block, so not seen by a network."""

FLAG_BELOW_NOISE = 8
"""HH or HV is at or below the floor after noise removal: SAR, but too weak to measure. Own
scenes only; the files of AI4Arctic are already in decibels."""

FLAGS = {
    "no_sar": FLAG_NO_SAR,
    "land": FLAG_LAND,
    "remainder": FLAG_REMAINDER,
    "below_noise": FLAG_BELOW_NOISE,
}
"""All flags by their names in a store."""
