"""Documents that anybody may have written: JSON and TOML, read into typed values.

``open_file`` and ``read_text`` read a file, ``parse_json`` and ``parse_toml`` parse,
``typed`` checks a value against a type, down to its last item. Whatever is wrong becomes
one `DocumentError`, whose message says what and where; callers add which file it is.

Files say which version of seaice wrote them: ``seaice 0.3.0``. A later one may write what
this one does not know; ``naming_version`` then reports the version rather than damage.
"""

import dataclasses
import functools
import json
import os
import re
import stat
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from seaice_data.errors import SeaIceError

Value = TypeVar("Value")

MOST_BYTES = 64 * 2**20
"""Size of the longest document; the longest that seaice writes have a few megabytes."""

MOST_DEPTH = 32
"""How deep tables and lists may be nested; those that seaice writes are 5 deep."""

_MOST_DIGITS = 64
_SOFTWARE = re.compile(r"seaice (\d{1,9}(?:\.\d{1,9}){0,3})(?!\d)", re.ASCII)
_PLAIN = (bool, int, float, str)


class DocumentError(SeaIceError):
    """A document is not what it should be."""


Content = bytes | memoryview
"""Content of a file to write."""

Document = bytes | OSError | DocumentError
"""Content of a document, or why it cannot be read."""


def open_file(path: Path) -> BinaryIO:
    """Open a regular file to read its bytes.

    Raises
    ------
    OSError
        If the system cannot or may not read it.
        DocumentError
        If it is not a regular file: a pipe would block, and a device has no end.
    """
    try:
        stream = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - the caller closes it
    except ValueError as error:  # a NUL, or half characters, in the path
        raise DocumentError(f"it cannot be the name of a file: {error}") from None
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise DocumentError("it is not a regular file")
    return stream


def read_text(path: Path) -> str:
    """Read a file of text.

    Raises
    ------
    OSError
        If the system does not let it be read.
    DocumentError
        If it is not a regular file, longer than `MOST_BYTES`, or not UTF-8.
    """
    with open_file(path) as stream:
        return _decoded(stream.read(MOST_BYTES + 1))


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def parse_json(content: bytes | str) -> Any:
    """Parse JSON.

    Raises
    ------
    DocumentError
        If it is not JSON in UTF-8, nested deeper than `MOST_DEPTH`, or has numbers or
        texts that other code could not process: whole numbers beyond 64 bits, surrogates.

    Examples
    --------
    >>> parse_json(b'{"ratio": 10}')
    {'ratio': 10}
    """
    try:
        value = json.loads(_decoded(content), parse_int=_whole)
    except RecursionError:
        raise DocumentError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DocumentError(f"it is not JSON: {error.msg} at {place}") from None
    check_values(value)
    return value


def parse_toml(content: bytes | str) -> dict[str, Any]:
    """Parse TOML.

    Raises
    ------
    DocumentError
        As `parse_json`.

    Examples
    --------
    >>> parse_toml("ratio = 10")
    {'ratio': 10}
    """
    text = _decoded(content)
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise DocumentError("it is nested too deeply") from None
    except ValueError as error:  # also for numbers of thousands of digits
        raise DocumentError(f"it is not TOML: {error}") from None
    check_values(table)
    return table


def check_values(document: Any) -> None:
    """Reject what is nested too deeply, and values that no document can contain.

    Raises
    ------
    DocumentError
        As `parse_json`, which checks what it returns; this is for values from elsewhere.
    """
    values: list[tuple[Any, int]] = [(document, 0)]
    while values:
        value, depth = values.pop()
        if depth > MOST_DEPTH:
            raise DocumentError(f"it is nested more than {MOST_DEPTH} deep")
        if isinstance(value, dict):
            values += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            values += [(part, depth + 1) for part in value]
        elif isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise DocumentError("it has a half character (a surrogate)") from None
        elif isinstance(value, int):
            _checked_whole(value)


def typed(value: Any, kind: type[Value], name: str = "") -> Value:
    """Return a parsed value as a type, checked down to its last item.

    Parameters
    ----------
    value
        As `parse_json` or `parse_toml` return it.
    kind
        ``bool``, ``int``, ``float`` (which also accepts whole numbers), ``str`` and types
        derived from it, ``datetime`` (ISO 8601 with a time zone), ``None``, ``Any``; lists
        and tuples (from lists), dicts with text as keys, literals and unions of these;
        dataclasses and typed dicts (from tables). What a table has beyond the fields of a
        typed dict or a dataclass is left out.
    name
        Name of the value in messages.

    Raises
    ------
    DocumentError
        If the value is of another type.

    Examples
    --------
    >>> typed([1, 2], tuple[float, float], "size")
    (1.0, 2.0)
    >>> typed({"size": [1, "2"]}, dict[str, list[int]])
    Traceback (most recent call last):
    seaice_data.system.documents.DocumentError: size[1] must be int, got '2'
    """
    return typing.cast("Value", _read(value, kind, name))


def typed_values(values: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a table, each as the type in `kinds`; see `typed`.

    Raises
    ------
    DocumentError
        If a value is of another type.
    """
    return {name: _read(value, kinds[name], name) for name, value in values.items()}


@contextmanager
def naming_version(kind: type[SeaIceError], where: str, software: object) -> Iterator[None]:
    """Say in errors about a file if a later version of seaice wrote it.

    Parameters
    ----------
    kind
        Error to raise in that case.
    where
        Path of the file, or of the store.
    software
        What the file says about its writer.

    Raises
    ------
    SeaIceError
        Of `kind`, for any error about the file if a later version wrote it. Otherwise the
        error is raised unchanged.
    """
    try:
        yield
    except (SeaIceError, KeyError, TypeError, AttributeError, ValueError) as error:
        if (found := _later_version(software)) is None:
            raise
        reason = f"{error} is missing" if type(error) is KeyError else str(error)
        raise kind(
            f"{where!r} was written by seaice {found}, which is later than this one, "
            f"{version('seaice')}: {reason}",
            hint=f"read it with seaice {found} or later",
        ) from None


def _read(value: Any, kind: Any, name: str) -> Any:
    if type(value) is kind and kind in _PLAIN:  # most values, so they come first
        return value
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (typing.Required, typing.NotRequired):
        return _read(value, options[0], name)
    if origin in (typing.Union, types.UnionType):
        return _one_of(value, options, name)
    if origin is typing.Literal:
        if not any(value == o and type(value) is type(o) for o in options):
            raise _wrong(value, f"one of {', '.join(map(str, options))}", name)
        return value
    if origin in (list, tuple, Sequence):
        return _items(value, origin, options, name)
    if origin in (dict, Mapping):
        table = _table(value, name)
        return {k: _read(v, options[1], _join(name, k)) for k, v in table.items()}
    if dataclasses.is_dataclass(kind) or typing.is_typeddict(kind):
        return _fields(_table(value, name), kind, name)
    return _plain(value, kind, name)


def _one_of(value: Any, options: tuple[Any, ...], name: str) -> Any:
    if value is None and types.NoneType in options:
        return None
    if type(value) in options and type(value) in _PLAIN:
        return value
    kinds = [option for option in options if option is not types.NoneType]
    for kind in kinds[:-1]:
        try:
            return _read(value, kind, name)
        except DocumentError:
            continue
    return _read(value, kinds[-1], name)


def _items(value: Any, origin: Any, options: tuple[Any, ...], name: str) -> Any:
    if not isinstance(value, list | tuple):
        raise _wrong(value, "a list", name)
    kinds: Sequence[Any] = options
    if origin is not tuple or options[1:] == (...,):
        kinds = options[:1] * len(value)
    if len(kinds) != len(value):
        raise _wrong(value, f"a list of {len(kinds)}", name)
    items = (
        _read(item, kind, f"{name}[{k}]")
        for k, (item, kind) in enumerate(zip(value, kinds, strict=True))
    )
    return tuple(items) if origin is tuple else list(items)


def _fields(table: Mapping[str, Any], kind: Any, name: str) -> Any:
    values = {
        key: _read(table[key], of, _join(name, key))
        for key, of in _types_of_fields(kind).items()
        if key in table
    }
    if absent := required_fields(kind) - {*values}:
        raise DocumentError(f"{_join(name, min(absent))!r} is missing")
    return kind(**values)


@functools.cache
def _types_of_fields(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def required_fields(kind: Any) -> set[str]:
    """Return the fields that every table of a dataclass or typed dict must have."""
    if typing.is_typeddict(kind):
        return set(kind.__required_keys__)
    nothing = dataclasses.MISSING
    return {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is nothing and field.default_factory is nothing
    }


def _plain(value: Any, kind: type[Any], name: str) -> Any:
    """Return a value that has no parts."""
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    make = _time if kind is datetime else kind
    if isinstance(value, str) and (make is _time or issubclass(kind, str)):
        try:
            return make(value)
        except ValueError as error:
            raise DocumentError(f"{name}: {error}") from None
    raise _wrong(value, getattr(kind, "__name__", str(kind)), name)


def _time(text: str) -> datetime:
    """Read a time of ISO 8601 that says its zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return time


def _wrong(value: Any, expected: str, name: str) -> DocumentError:
    shown = f"{value!r:.60}" if isinstance(value, str | int | float) else _kind_of(value)
    return DocumentError(f"{name or 'it'} must be {expected}, got {shown}")


def _kind_of(value: Any) -> str:
    kinds = {list: "a list", tuple: "a list", dict: "a table", types.NoneType: "nothing"}
    return kinds.get(type(value), type(value).__name__)


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(value, "a table", name)
    return value


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _decoded(content: bytes | str) -> str:
    if len(content) > MOST_BYTES:
        raise DocumentError(f"it is longer than {MOST_BYTES // 2**20} MiB")
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"byte {error.start} is not text in UTF-8") from None


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:  # Python is slow to read thousands of them
        raise DocumentError(f"{digits[:12]}... has {len(digits)} digits")
    return _checked_whole(int(digits))


def _checked_whole(number: int) -> int:
    if not -(2**63) <= number < 2**64:
        raise DocumentError("a whole number is beyond 64 bits")
    return number


def _later_version(software: object) -> str | None:
    """Return the version of a later writer; None if it is not later, or not known.

    Examples
    --------
    >>> _later_version("seaice 99.1.dev3+g12"), _later_version("seaice 0.1.0")
    ('99.1', None)
    """
    written, ours = (
        _SOFTWARE.match(text) for text in (str(software), f"seaice {version('seaice')}")
    )
    if written is None or ours is None or _numbers(written[1]) <= _numbers(ours[1]):
        return None
    return written[1]


def _numbers(release: str) -> list[int]:
    numbers = [int(part) for part in release.split(".")]
    return numbers + [0] * (4 - len(numbers))
