"""Requests to web servers: patient with errors that pass, clear about others.

Only http and https are spoken, whatever a server redirects to.
"""

import errno
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from importlib.metadata import version
from typing import Any
from urllib.parse import urljoin, urlsplit

from seaice_data.errors import DownloadError
from seaice_data.system.documents import MOST_BYTES, DocumentError, parse_json
from seaice_data.texts import printable, redacted, shortened, without_secrets

TIMEOUT_S = 30.0
"""How long a server may be silent."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of servers that are busy, or restarting."""

_GONE = frozenset(
    {
        *(errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN),
        *(errno.ENETRESET, errno.ENOTCONN, errno.EADDRNOTAVAIL),
    }
)
"""Errors of a network that goes away: a laptop that sleeps, a lost route."""

_BUSY_WAITS_S = (1.0, 4.0)
_LINK = re.compile("<([^>]*)>([^<]*)")

_LATER = "check the connection, and run the same command again to continue"
_HINTS = {
    401: "the server asks for a login, which seaice does not send",
    403: "the server refuses the request; try again later, or another --source",
    404: "the file may have been moved or renamed; look at its page in a browser",
    410: "the file may have been removed; look at its page in a browser",
    416: "the file on the server has changed; remove the one that ends in .part",
}


class PassingError(DownloadError):
    """A connection broke, or a server is busy: to be tried again."""

    def __init__(
        self, message: str, *, hint: str | None = None, wait_s: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.wait_s = wait_s
        """Seconds that a busy server asks to wait, 0 if it does not say; None if nothing
        answers."""


@contextmanager
def opened(
    url: str, headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Yield the answer to a request; errors while it is read are translated, too.

    Parameters
    ----------
    url
        Where to ask.
    headers
        What to ask for, besides.

    Raises
    ------
    PassingError
        If it may work later.
    DownloadError
        If it will not.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        shown = shortened(printable(without_secrets(url)))
        raise DownloadError(f"{shown!r} is not an address at http or https")
    agent = {"User-Agent": f"seaice/{version('seaice')}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers={**agent, **(headers or {})})  # noqa: S310 - checked
    with _errors(url), _opener().open(request, timeout=TIMEOUT_S) as response:
        if response.status not in (http.client.OK, http.client.PARTIAL_CONTENT):
            raise DownloadError(
                f"{without_secrets(url)!r} answers {response.status} instead of a file",
                hint="it may need a browser: open its page in one and download from there",
            )
        yield response


def read_json(url: str, *, waits_s: Sequence[float] = _BUSY_WAITS_S) -> tuple[Any, str]:
    """Read JSON.

    Parameters
    ----------
    url
        Where it is.
    waits_s
        Seconds to wait each time that the server is busy, before it is asked again.

    Returns
    -------
    value : Any
        What the server answers.
    following : str
        URL of the next page; empty if this is the last.

    Raises
    ------
    DownloadError
        If the server cannot be reached, refuses, or answers something else.
    """
    try:
        with opened(url, {"Accept": "application/json"}) as response:
            content = response.read(MOST_BYTES + 1)
            links = ", ".join(response.headers.get_all("Link", []))
    except PassingError as error:
        if error.wait_s is None or not waits_s:
            raise
        time.sleep(max(min(error.wait_s, waits_s[-1]), waits_s[0]))
        return read_json(url, waits_s=waits_s[1:])
    try:
        value = parse_json(content)
    except DocumentError as error:
        raise DownloadError(
            f"{without_secrets(url)!r} does not answer what it should: {error}",
            hint="it may be under maintenance, or a proxy answers in its place",
        ) from error
    following = [target for target, said in _LINK.findall(links) if 'rel="next"' in said]
    return value, urljoin(url, following[0]) if following else ""


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Translate what is wrong with a connection."""
    shown = without_secrets(url)
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"{shown!r} answers {error.code} {printable(str(error.reason))}".rstrip()
        if error.code in _PASSING:
            raise PassingError(
                reason, hint=_LATER, wait_s=_wait_s(error.headers)
            ) from error
        raise DownloadError(reason, hint=_HINTS.get(error.code)) from error
    except (
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
        ssl.SSLError,
    ) as error:
        raise PassingError(_in_words(url, error), hint=_LATER) from error
    except urllib.error.URLError as error:  # a name that cannot be resolved, say
        raise PassingError(_in_words(url, error.reason), hint=_LATER) from error
    except OSError as error:
        if error.errno not in _GONE:  # of the disk, say, that the answer is written to
            raise
        raise PassingError(_in_words(url, error), hint=_LATER) from error
    except ValueError as error:  # a port that is not a number
        raise DownloadError(_in_words(url, error)) from error


def _in_words(url: str, error: object) -> str:
    words = " ".join(redacted(str(error), url).split()) or type(error).__name__
    return f"cannot reach {without_secrets(url)!r}: {printable(words)}"


def _wait_s(headers: Message) -> float:
    """Return the seconds that a busy server asks to wait; it may also name a date."""
    asked = headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() and len(asked) < 6 else 0.0
