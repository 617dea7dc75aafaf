"""What is known about each pixel of the 80 m grid, as bits of ``uint8`` planes.

They are plain integers: numpy treats a member of an `enum.IntFlag` as ``int64``, so a
mask of a scene would need eight bytes per pixel.
"""

FLAG_NO_SAR = 1
"""No SAR, or masked by the chart's footprint in files with charts."""

FLAG_LAND = 2
"""Distance zone 0, land."""

FLAG_REMAINDER = 4
"""After the last whole block, so not seen by a network."""

FLAGS = {"no_sar": FLAG_NO_SAR, "land": FLAG_LAND, "remainder": FLAG_REMAINDER}
"""All flags by their names in a store."""
