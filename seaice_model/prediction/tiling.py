"""Predict planes of any size with a network that needs tiles of one size.

``predict_tiled`` works for any function of arrays. Tiles overlap, and what the function
returns is averaged where they do, by weights that fall off towards the borders of a tile.
Numbers and probabilities may be averaged; classes may not.

Networks that predict a tile with its margin exactly as they predict the whole plane need no
blending: see `seaice_model.prediction.predictor`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, order_hint
from seaice_data.sources.inputs import SceneInputs
from seaice_data.store.stored_scene import StoredScene
from seaice_model.errors import ConfigError, MapError

Planes = TypeVar("Planes", NDArray[Any], Mapping[str, NDArray[Any]])
"""Planes, or planes by name."""


def predict_tiled(
    function: Callable[[FloatArray], Planes],
    scene: FloatArray | SceneInputs | StoredScene,
    *,
    tile: int,
    overlap: int | None = None,
    weights: Literal["cosine", "flat"] | FloatArray = "cosine",
    fill: float = math.nan,
) -> Planes:
    """Apply a function of tiles to a whole scene, and blend what it returns.

    Where all tiles of a pixel agree, the result is exactly their value. Besides the scene,
    the result and one more plane are in memory.

    Parameters
    ----------
    function
        Called with one tile at a time, shape ``(tile, tile, channel)``. Returns planes of
        the tile, shape ``(..., tile, tile)``, floating-point numbers that may be averaged;
        or a mapping of such planes by name, the same names and shapes for each tile.
    scene
        Shape ``(y, x, channel)``, or a scene with such planes, with all its channels. A
        scene smaller than a tile is extended downwards and to the right.
    tile
        Pixels along one side of a tile.
    overlap
        Pixels that neighbours share, at least; a quarter of a tile if not given. The last
        tile of an axis ends with the scene, so it may share more.
    weights
        Weight of each pixel of a tile. "cosine": falls off within the overlap as a squared
        cosine; "flat": the same for all; or an array, shape ``(tile, tile)``, all positive.
    fill
        What a small scene is extended with.

    Returns
    -------
    NDArray or Mapping
        Planes of the scene, shape ``(..., y, x)``, as the function returned them.

    Raises
    ------
    ConfigError
        If tile, overlap or weights are invalid, or the scene is not such an array.
    MapError
        If the function returns something else.

    Notes
    -----
    A NaN in a tile makes the pixel NaN, even if other tiles have a value there.

    Examples
    --------
    >>> def thickness(part):  # a network: sees 4 x 4 pixels, no more and no fewer
    ...     assert part.shape == (4, 4, 2)
    ...     return 2 * part[..., 0] + part[..., 1]
    >>> scene = np.arange(60.0).reshape(5, 6, 2)
    >>> planes = predict_tiled(thickness, scene, tile=4, overlap=2)
    >>> planes.shape, bool((planes == 2 * scene[..., 0] + scene[..., 1]).all())
    ((5, 6), True)
    """
    inputs = _planes_of(scene)
    overlap = tile // 4 if overlap is None else overlap
    _check_tiles(tile, overlap)
    weight = _weights(weights, tile, overlap)
    height, width = inputs.shape[:2]
    inputs = _extended(inputs, tile, fill)
    blend = _Blend((inputs.shape[0], inputs.shape[1]), weight)
    for top in _starts(inputs.shape[0], tile, overlap):
        for left in _starts(inputs.shape[1], tile, overlap):
            part = inputs[top : top + tile, left : left + tile]
            blend.add(function(part), top, left)
    whole = {name: plane[..., :height, :width] for name, plane in blend.whole.items()}
    return whole if blend.is_named else whole[""]  # type: ignore[return-value]


class _Blend:
    """Weighted means of tiles, which are added one by one."""

    def __init__(self, shape: tuple[int, int], weight: FloatArray) -> None:
        self.whole: dict[str, NDArray[Any]] = {}
        self.is_named = False
        self._shape = shape
        self._weight = weight
        self._total = np.zeros(shape)

    def add(
        self, planes: NDArray[Any] | Mapping[str, NDArray[Any]], y: int, x: int
    ) -> None:
        """Add the planes of the tile that begins at row `y` and column `x`."""
        is_named = isinstance(planes, Mapping)
        named = dict(planes) if isinstance(planes, Mapping) else {"": planes}
        found = {name: self._checked(name, plane) for name, plane in named.items()}
        if not self.whole:
            self.is_named = is_named
            self.whole = {
                name: np.zeros((*plane.shape[:-2], *self._shape), plane.dtype)
                for name, plane in found.items()
            }
        self._check_alike(found, is_named=is_named)
        size = len(self._weight)
        window = (slice(y, y + size), slice(x, x + size))
        total = self._total[window]
        total += self._weight
        # A step towards the new value: where it equals the mean, the mean stays the same.
        share = self._weight / total
        for name, plane in found.items():
            mean = self.whole[name][..., *window]
            mean += (plane - mean) * share.astype(plane.dtype)

    def _checked(self, name: str, found: Any) -> NDArray[Any]:
        shown = f"planes {name!r}" if name else "planes"
        plane: NDArray[Any] = np.asarray(found)
        if not np.issubdtype(plane.dtype, np.floating):
            raise MapError(
                f"the function returns {shown} of type {plane.dtype}, which cannot be "
                "averaged",
                hint="return numbers or probabilities, and decide on classes afterwards",
            )
        if plane.shape[-2:] != self._weight.shape:
            raise MapError(
                f"the function returns {shown} of shape {plane.shape}, "
                f"not (..., {len(self._weight)}, {len(self._weight)})",
                hint=order_hint(plane.shape[-3:], (*plane.shape[-1:], *self._weight.shape)),
            )
        return plane.astype(np.float32) if plane.dtype == np.float16 else plane

    def _check_alike(self, found: Mapping[str, NDArray[Any]], *, is_named: bool) -> None:
        before = {name: plane.shape[:-2] for name, plane in self.whole.items()}
        now = {name: plane.shape[:-2] for name, plane in found.items()}
        if before != now or is_named != self.is_named:
            raise MapError(f"the function returns {now} for a tile, {before} for others")


def _planes_of(scene: FloatArray | SceneInputs | StoredScene) -> FloatArray:
    if isinstance(scene, SceneInputs):
        return scene.planes
    planes = np.asarray(scene.inputs if isinstance(scene, StoredScene) else scene)
    if planes.ndim != 3 or 0 in planes.shape:
        raise ConfigError(f"a scene has axes (y, x, channel), got shape {planes.shape}")
    return planes


def _check_tiles(tile: int, overlap: int) -> None:
    if tile < 1:
        raise ConfigError(f"tile must be at least 1, got {tile}")
    if not 0 <= overlap < tile:
        raise ConfigError(
            f"overlap must be at least 0 and below the tile {tile}, got {overlap}"
        )


def _weights(weights: str | FloatArray, tile: int, overlap: int) -> FloatArray:
    """Return the weight of each pixel of a tile."""
    if isinstance(weights, str):
        if weights == "flat":
            return np.ones((tile, tile))
        if weights == "cosine":
            return np.outer(_cosine(tile, overlap), _cosine(tile, overlap))
        raise ConfigError(f"unknown weights {weights!r}", hint="known are cosine, flat")
    own = np.asarray(weights, np.float64)
    if own.shape != (tile, tile) or not (np.isfinite(own) & (own > 0)).all():
        raise ConfigError(
            f"weights must be positive and finite, shape ({tile}, {tile}), got shape "
            f"{own.shape}"
        )
    return own


def _cosine(tile: int, overlap: int) -> FloatArray:
    """Return weights along an axis; those of two neighbours sum to 1.

    Examples
    --------
    >>> _cosine(6, 2).round(2)
    array([0.15, 0.85, 1.  , 1.  , 0.85, 0.15])
    """
    inwards = np.arange(tile) + 0.5
    distance = np.minimum(inwards, inwards[::-1])  # from the nearer border
    if overlap == 0:
        return np.ones(tile)
    return np.asarray(np.sin(np.pi / 2 * np.minimum(distance / overlap, 1)) ** 2)


def _starts(n_pixels: int, tile: int, overlap: int) -> Iterator[int]:
    """Yield where tiles begin along an axis: regularly, the last one at the end.

    Examples
    --------
    >>> [*_starts(10, 4, 1)], [*_starts(11, 4, 1)]
    ([0, 3, 6], [0, 3, 6, 7])
    """
    yield from range(0, n_pixels - tile, tile - overlap)
    yield n_pixels - tile


def _extended(inputs: FloatArray, tile: int, fill: float) -> FloatArray:
    """Extend planes that are smaller than a tile."""
    missing = [max(tile - n, 0) for n in inputs.shape[:2]]
    if not any(missing):
        return inputs
    axes = [(0, n) for n in missing]
    return np.pad(inputs, (*axes, (0, 0)), constant_values=fill)
