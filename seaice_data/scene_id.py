"""Scene ids: when a scene was acquired and which service made its chart.

Ids name folders, files and rows of tables. Every id that comes from outside (a file, the
folder of a store, a map, a list, a submission) becomes a `SceneId` where it is read, so
that no other text can be part of a path or of a page.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Self

SATELLITES = ("s1a", "s1b", "s1c", "s1d")
"""What ids end in, instead of an ice service, if a scene has no chart."""

NO_SERVICE = "none"
"""What tables and conditions call the service of a scene without a chart."""

RESERVED = frozenset(
    "backup chart charts codes copy floe icechart index ingested map maps new old original "
    "plot prep probability raw ready reference scene sic sod status store submission temp "
    f"test testdata tmp truth uncertainty {NO_SERVICE}".split()
)
"""Words that follow the time in names of files, so that no ice service has them."""

# Letters and digits of ASCII only: ids are names of folders and parts of pages.
_SERVICE = f"((?!(?:{'|'.join(sorted(RESERVED))})(?![a-z0-9]))[a-z][a-z0-9]{{1,11}})"
_TIME = "([0-9]{8}T[0-9]{6})"  # not \d, which is any digit of Unicode
_ID = re.compile(f"{_TIME}_{_SERVICE}")
# Names of raw files have the end of the acquisition and more between time and service.
_IN_TEXT = re.compile(
    rf"(?<![A-Za-z0-9]){_TIME}_(?:[0-9]{{8}}T[0-9]{{6}}_\w*?_icechart_)?{_SERVICE}"
    r"(?![A-Za-z0-9])",
    re.ASCII,
)


class SceneId(str):
    """The id of a scene: text like ``20180607T184326_dmi``, and nothing else.

    Parameters
    ----------
    text
        Time of acquisition (UTC, ASCII digits), and the ice service that made the chart: 2
        to 12 small letters and digits, of which the first is a letter, and not one of
        `RESERVED`. A scene without a chart has its satellite instead: ``s1a``.

    Raises
    ------
    ValueError
        If `text` is not such an id.

    Examples
    --------
    >>> SceneId("20180607T184326_dmi").service
    'dmi'
    >>> SceneId("20221130T014342_s1a").service
    ''
    >>> SceneId("../20180607T184326_dmi")
    Traceback (most recent call last):
    ValueError: '../20180607T184326_dmi' is not a scene id like '20180607T184326_dmi'
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Return `text` as an id, if it is one."""
        if not isinstance(text, str) or not _ID.fullmatch(text):
            raise ValueError(f"{text!r} is not a scene id like '20180607T184326_dmi'")
        scene_id = super().__new__(cls, text)
        try:
            _ = scene_id.acquired
        except ValueError:
            raise ValueError(f"{text[:15]!r} is not a time of acquisition") from None
        return scene_id

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC.

        Examples
        --------
        >>> SceneId("20180607T184326_dmi").acquired.isoformat()
        '2018-06-07T18:43:26+00:00'
        """
        return datetime.strptime(self[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)

    @property
    def service(self) -> str:
        """Ice service that made the chart, such as ``dmi``; empty if there is no chart."""
        name = self[16:]
        return "" if name in SATELLITES else name

    @classmethod
    def is_one(cls, text: str) -> bool:
        """Return whether `text` is a scene id.

        Examples
        --------
        >>> SceneId.is_one("20180607T184326_dmi"), SceneId.is_one("backup")
        (True, False)
        """
        try:
            cls(text)
        except ValueError:
            return False
        return True

    @classmethod
    def find_in(cls, text: str) -> Self | None:
        """Return the first id in a text, such as the name of a file; None without one.

        Raises
        ------
        ValueError
            If its digits are not a time.

        Examples
        --------
        >>> SceneId.find_in("20180607T184326_dmi_prep.nc")
        '20180607T184326_dmi'
        """
        return next(cls.find_all(text), None)

    @classmethod
    def find_all(cls, text: str) -> Iterator[Self]:
        """Yield the ids in a text, such as a list of names of ready or raw files.

        Raises
        ------
        ValueError
            If the digits of one are not a time.

        Examples
        --------
        >>> raw = "S1A_EW_20180124T194759_20180124T194859_1F75_icechart_dmi_2018_RIC.nc"
        >>> list(SceneId.find_all(raw))
        ['20180124T194759_dmi']
        """
        for time, service in _IN_TEXT.findall(text):
            yield cls(f"{time}_{service}")
