"""Make text from outside safe to show: without control characters and secrets."""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote

_SECRET_KEYS = re.compile(
    r"(?i)([?&;](?:[^=&;#]*(?:token|secret|passw|signature|credential|key)[^=&;#]*"
    r"|sig|auth)=)[^&;#]*"
)

_WORD_LENGTH = 4  # shorter passwords are not replaced in sentences
_KEY_LENGTH = 8  # a user name that is shorter is not a key


def printable(text: str) -> str:
    r"""Return text on one line, in which every character is visible.

    Control characters, line breaks, marks that change the direction of writing and bytes
    that are not text (surrogates) become escapes, as in Python.

    Examples
    --------
    >>> printable("a\x1b[31m\nb")
    'a\\x1b[31m\\nb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def time_in_words(time: datetime) -> str:
    """Return a time to the minute, in UTC whatever its zone; one without a zone is UTC.

    Examples
    --------
    >>> time_in_words(datetime.fromisoformat("2018-06-07T23:43:26+05:00"))
    '2018-06-07 18:43 UTC'
    """
    utc = time.astimezone(UTC) if time.tzinfo else time
    return f"{utc:%Y-%m-%d %H:%M} UTC"


def counted(n: int, noun: str, plural: str = "") -> str:
    """Return a number of things; their plural ends in s unless given.

    Examples
    --------
    >>> counted(1, "epoch"), counted(2, "epoch"), counted(0, "batch", "batches")
    ('1 epoch', '2 epochs', '0 batches')
    """
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def agreeing(n: int, singular: str, plural: str) -> str:
    """Return the form of a verb, or of another word, that agrees with a number of things.

    Examples
    --------
    >>> agreeing(1, "is", "are"), agreeing(2, "is", "are"), agreeing(0, "is", "are")
    ('is', 'are', 'are')
    """
    return singular if n == 1 else plural


def shortened(text: str, longest: int = 200) -> str:
    """Return a text, or its beginning if it is too long for a message.

    Examples
    --------
    >>> shortened("month == 5", 8)
    'month ==...'
    """
    return text if len(text) <= longest else f"{text[:longest]}..."


def without_secrets(url: str) -> str:
    """Return a URL without user name, password and keys; a path as it is.

    Chains of URLs, such as ``simplecache::https://...``, are cleaned one by one.

    Examples
    --------
    >>> without_secrets("https://user:word@host/store.zarr?token=1&v=2")
    'https://host/store.zarr?token=...&v=2'
    >>> without_secrets("data/store.zarr")
    'data/store.zarr'
    """
    return "::".join(_without_secrets(part) for part in url.split("::"))


def redacted(text: str, url: str) -> str:
    """Return what a library says about a URL, without the secrets of that URL.

    Examples
    --------
    >>> redacted("no route to https://user:word@host/a", "https://user:word@host/a")
    'no route to https://host/a'
    >>> redacted("login of user with 'word' denied", "ftp://user:word@host/a")
    "login of user with '...' denied"
    """
    text = text.replace(url, without_secrets(url))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        if len(secret) >= _WORD_LENGTH:  # shorter ones occur in ordinary words
            text = text.replace(secret, "...")
    return text


def _without_secrets(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    userinfo = _userinfo(url)
    return _SECRET_KEYS.sub(r"\1...", f"{scheme}://{rest.removeprefix(f'{userinfo}@')}")


def _userinfo(url: str) -> str:
    """Return the part of a URL before ``@``: a user name and perhaps a password."""
    rest = url.partition("://")[2].partition("?")[0]
    place = rest.partition("/")[0]
    port = "" if place.startswith("[") else place.partition(":")[2]
    if port and not port.isdigit():  # a password with a slash in it
        place = rest
    return place.rpartition("@")[0]


def _secrets(url: str) -> Iterator[str]:
    """Yield passwords and keys, as they are written and as libraries read them."""
    for part in url.split("::"):
        user, colon, password = _userinfo(part).partition(":")
        found = [password if colon else user if len(user) >= _KEY_LENGTH else ""]
        found += [match[0][len(match[1]) :] for match in _SECRET_KEYS.finditer(part)]
        for secret in found:
            yield from (secret, unquote(secret))


class OneLine(logging.Formatter):
    """Writes each record as one printable line, with its traceback after it if any."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of logging
        """Return the line of a record."""
        return printable(super().formatMessage(record))
