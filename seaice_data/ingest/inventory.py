"""The scene files of a folder: those that are there already, and those of one run.

Files are known by the product they were made from, which is an attribute. The time of the
acquisition at the beginning of their names only says which files to look at.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from seaice_data.errors import SceneError
from seaice_data.ingest.sentinel1 import Sentinel1Product
from seaice_data.ingest.sources import Sources, differences
from seaice_data.scene_id import SceneId
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.system.files import file_errors, staged
from seaice_data.texts import printable, shortened

_CLAIM = "claim.json"
_REPLACE = "move it away, choose another folder, or replace it with --overwrite"


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A scene file that `ingest` wrote."""

    path: Path

    id: SceneId

    product: str
    """Name of the product."""

    made_with: str
    """Its options."""

    absent: tuple[str, ...]
    """What it lacks: ``HV``, ``AMSR2``, ``ERA5``, ``ice chart``."""

    @classmethod
    def read(cls, path: Path) -> "KnownFile":
        """Read what a file says about itself.

        Raises
        ------
        SceneError
            If it cannot be read, or was not written by `ingest`.
        """
        with closing(NetcdfFile(path)) as file:
            names = ("source_product", "scene_id", "made_with", "absent")
            product, scene_id, made_with, absent = (file.text(name) for name in names)
        if not (product and SceneId.is_one(scene_id)):
            raise SceneError(f"{str(path)!r} is not a file of `seaice ingest`")
        lacks = () if absent == "nothing" else tuple(filter(None, absent.split(", ")))
        return cls(path, SceneId(scene_id), product, made_with, lacks)

    def require(self, sources: Sources) -> None:
        """Reject a file that was made in another way.

        Raises
        ------
        SceneError
            If it was.
        """
        if self.made_with != sources.made_with:
            how = differences(self.made_with, sources.options)
            raise SceneError(
                f"{str(self.path)!r} exists and was made with other options: {how}",
                hint="choose another folder, or replace it with --overwrite",
            )


def find_known(folder: Path, product: Sentinel1Product) -> KnownFile | None:
    """Return the scene file in a folder that was made from a product, if there is one.

    Files that cannot be read, or were not written by `ingest`, are passed over.
    """
    with file_errors(folder):
        paths = sorted(folder.glob(f"{_stamp(product.frame.acquired)}_*.nc"))
    for path in paths:
        with suppress(SceneError):
            known = KnownFile.read(path)
            if known.product == product.name:
                return known
    return None


def require_free(target: Path, product: Sentinel1Product) -> None:
    """Reject a name that a file of another kind or product has.

    Raises
    ------
    SceneError
        If there is such a file.
    """
    if not target.exists():
        return
    try:
        known = KnownFile.read(target)
    except SceneError as error:
        reason = str(error).removeprefix(repr(str(target))).lstrip(": ")
        raise SceneError(
            f"{str(target)!r} exists, and is not a scene of {product.name}: {reason}",
            hint=_REPLACE,
        ) from None
    if known.product != product.name:
        made_from = shortened(printable(known.product))
        raise SceneError(
            f"{str(target)!r} exists and was made from {made_from}, not {product.name}",
            hint=_REPLACE,
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A scene that a product of this run has taken."""

    id: str
    product: str
    path: str
    """Where the product is, as the user gave it."""


class Claims:
    """The scenes that the products of one run have taken, for all of its processes.

    Two products can have the same id: satellites that acquired in the same second. Which
    of them was first decides, and no file is replaced by another of the same run. The same
    product can also be there twice, as a zip and as a folder.

    Parameters
    ----------
    place
        A folder of this run.
    """

    def __init__(self, place: Path) -> None:
        self._place = place

    @classmethod
    @contextmanager
    def of_run(cls, folder: Path) -> Iterator["Claims"]:
        """Yield the claims of a run that writes to a folder."""
        with staged(folder) as place:
            yield cls(place)

    def of_product(self, product: Sentinel1Product) -> Claim | None:
        """Return the scene that was made from this product, perhaps at another path."""
        for path in sorted(self._place.glob(f"{_stamp(product.frame.acquired)}_*")):
            claim = self._read(path)
            if claim is not None and claim.product == product.name:
                return claim
        return None

    def take(self, scene_id: SceneId, product: Sentinel1Product) -> Claim | None:
        """Take a scene for a product; return who has it if it is taken.

        Raises
        ------
        SceneError
            If nothing can be written.
        """
        new, taken = self._place / uuid.uuid4().hex, self._place / scene_id
        claim = Claim(scene_id, product.name, str(product.files.path))
        with file_errors(self._place.parent):
            new.mkdir()
            (new / _CLAIM).write_text(json.dumps(asdict(claim)))
            while True:
                try:
                    new.rename(taken)  # fails if it is there: a file is in it
                    return None
                except OSError:
                    if not taken.is_dir():
                        raise
                if holder := self._read(taken):
                    return holder

    def release(self, scene_id: SceneId) -> None:
        """Let others have a scene that could not be written."""
        with suppress(OSError):
            (self._place / scene_id).rename(self._place / uuid.uuid4().hex)

    @staticmethod
    def _read(place: Path) -> Claim | None:
        """Read a claim; None if it was released meanwhile."""
        try:
            return Claim(**json.loads((place / _CLAIM).read_text()))
        except FileNotFoundError:
            return None


def _stamp(time: datetime) -> str:
    return f"{time:%Y%m%dT%H%M%S}"
