"""Text from outside, made fit to be shown: no control characters, no secrets."""

import re

_SECRET_KEYS = re.compile(
    r"(?i)([?&;](?:[^=&;#]*(?:token|secret|passw|signature|credential|key)[^=&;#]*"
    r"|sig|auth)=)[^&;#]*"
)


def printable(text: str) -> str:
    r"""Return text whose characters all show, on one line.

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


def without_secrets(url: str) -> str:
    """Return a URL without user name, password and keys; a path as it is.

    Chains of URLs, as ``simplecache::https://...``, are cleaned link by link.

    Examples
    --------
    >>> without_secrets("https://user:word@host/store.zarr?token=1&v=2")
    'https://host/store.zarr?token=...&v=2'
    >>> without_secrets("data/store.zarr")
    'data/store.zarr'
    """
    return "::".join(_without_secrets(part) for part in url.split("::"))


def _without_secrets(url: str) -> str:
    if "://" not in url:
        return url
    scheme, rest = url.split("://", 1)
    place, slash, path = rest.partition("/")
    place, question, query = place.partition("?")
    place = place.rpartition("@")[2]
    return _SECRET_KEYS.sub(r"\1...", f"{scheme}://{place}{question}{query}{slash}{path}")
