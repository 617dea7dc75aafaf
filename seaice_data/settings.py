"""Settings are frozen dataclasses; people write them as TOML, the program as JSON.

``from_mapping`` is strict: an unknown key is rejected with the name nearest to it, a value
of the wrong type with the type that is expected. ``read_assignments`` and ``assign`` do the
same for ``key=value`` on a command line. Two settings are equal if their fingerprints
are. A field that version 0.1 did not have is declared with ``ADDED``, so that settings
keep their fingerprints::

    despeckle: bool = field(default=False, metadata=ADDED)

A field with a new name, or new values, is declared with `formerly`: files with the old ones
can be read, and people who still write the old ones get a warning for one version.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from seaice_data.deprecation import new_name
from seaice_data.errors import SettingsError
from seaice_data.system.documents import (
    DocumentError,
    check_values,
    parse_toml,
    read_text,
    required_fields,
    typed_values,
)
from seaice_data.texts import shortened

Settings = TypeVar("Settings")

ADDED: Mapping[str, bool] = types.MappingProxyType({"added": True})
"""Metadata of a field that version 0.1 did not have. Its default must always be what
versions without it did, because files that lack the field are read with the default."""


def formerly(name: str, values: Mapping[bool, Any] | None = None) -> Mapping[str, Any]:
    """Return the metadata of a field that had another name; fingerprints still use it.

    `values` maps the values that the field had under its old name to those of today.
    """
    return types.MappingProxyType({"formerly": name, "values": values or {}})


def to_mapping(settings: Any) -> dict[str, Any]:
    """Return the fields of a settings dataclass as JSON-ready values."""
    mapping: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(settings)))
    return mapping


def from_mapping(kind: type[Settings], mapping: Any) -> Settings:
    """Build the settings dataclass `kind`; fields that `mapping` lacks get their defaults.

    Raises
    ------
    SettingsError
        For a key that `kind` does not have, a value of another type, a number that is not
        finite, or anything but a mapping.
    """
    if not isinstance(mapping, Mapping):
        raise SettingsError(f"settings must be a table, got {shortened(repr(mapping))}")
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    parts: dict[str, Mapping[str, Any]] = {}
    former = _former(kind)
    for key, value in _renamed(mapping, former, _silently).items():
        if key not in known:
            shown = shortened(str(key))
            raise SettingsError(f"unknown setting {shown!r}", hint=nearest(shown, known))
        is_part = dataclasses.is_dataclass(hints[key]) and isinstance(value, Mapping)
        (parts if is_part else values)[key] = value
    try:
        values = typed_values(values, hints)
        for key, value in values.items():
            _check_finite(value, key)
    except DocumentError as error:
        raise SettingsError(str(error), hint=error.hint) from None
    values |= {key: from_mapping(hints[key], part) for key, part in parts.items()}
    if absent := required_fields(kind) - {*values}:
        raise SettingsError(f"setting {min(absent)!r} is missing")
    return kind(**values)


def with_new_names(kind: type[Any], mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that a person wrote, under their current names.

    Warns of an old name (`FutureWarning`). What does not fit `kind` stays as it is.

    Raises
    ------
    SettingsError
        If a setting is given under both names.
    """
    return _with_new_names(mapping, _former(kind))


def read_toml(kind: type[Settings], path: Path) -> Settings:
    """Read settings of `kind` from a TOML file.

    Raises
    ------
    SettingsError
        If the file cannot be read, is not TOML, or does not fit `kind`.
    """
    with naming_file(path):
        return from_mapping(kind, with_new_names(kind, read_table(path)))


def read_table(path: Path) -> dict[str, Any]:
    """Read a TOML file without checking its settings.

    Raises
    ------
    SettingsError
        If the file cannot be read or is not TOML.
    """
    try:
        return parse_toml(read_text(path))
    except OSError as error:
        reason = error.strerror or str(error)
    except DocumentError as error:
        reason = str(error)
    raise SettingsError(f"cannot read settings from {str(path)!r}: {reason}")


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Name the file in errors about its settings."""
    try:
        yield
    except SettingsError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{str(path)!r}: {error}", hint=error.hint) from None


def to_toml(mapping: Mapping[str, Any]) -> str:
    """Write tables of JSON-ready values as TOML; what is None is left out.

    Examples
    --------
    >>> print(to_toml({"model": {"filters": [4, 8], "sic": "classes", "name": None}}))
    [model]
    filters = [4, 8]
    sic = "classes"
    """
    lines = []
    for name, table in mapping.items():
        lines.append(f"[{name}]")
        # JSON and TOML write text, numbers, booleans and lists alike.
        lines += [f"{k} = {json.dumps(v)}" for k, v in table.items() if v is not None]
    return "\n".join(lines)


def read_assignments(text: str) -> dict[str, Any]:
    """Read ``key=value, key=value``: values as in TOML, words without quotes.

    Raises
    ------
    SettingsError
        If a part is not an assignment, or a key has two values.

    Examples
    --------
    >>> read_assignments("n_epochs=60, sic=classes, filters=[16, 32], channels=[hh, hv]")
    {'n_epochs': 60, 'sic': 'classes', 'filters': [16, 32], 'channels': ['hh', 'hv']}
    """
    assignments: dict[str, Any] = {}
    for part in _parts(text):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            hint = "write it as key=value"
            if assignments and not equals:
                *_, before = assignments
                listed = shortened(f"{assignments[before]}, {key}")
                hint += f", a list as {before}=[{listed}]"
            raise SettingsError(f"{shortened(part)!r} is not a setting", hint=hint)
        if key in assignments:
            raise SettingsError(f"setting {key!r} is given twice")
        assignments[key] = _read_value(value)
    return assignments


def assign(settings: Settings, assignments: Mapping[str, Any]) -> Settings:
    """Return `settings` with new values for some fields, its own or those of its parts.

    Parameters
    ----------
    settings
        A settings dataclass whose fields may be settings dataclasses: its parts.
    assignments
        Values by field; the field of a part by its name, or as ``part.field``.

    Raises
    ------
    SettingsError
        For a field that does not exist, is in several parts or is given under an old name
        too, or a value that does not fit.

    Examples
    --------
    >>> from seaice_data.store.recipe import Recipe
    >>> assign(Recipe(), {"ratio": 5}).ratio
    5
    """
    try:
        check_values(dict(assignments))
    except DocumentError as error:
        raise SettingsError(f"cannot take these settings: {error}") from None
    mapping = to_mapping(settings)
    places = _places(mapping)
    former = _former(type(settings))
    for key, value in _renamed(assignments, former, new_name).items():
        found = [place for place in places if f".{'.'.join(place)}".endswith(f".{key}")]
        if not found:
            names = [place[-1] for place in places]
            shown = shortened(key)
            raise SettingsError(f"unknown setting {shown!r}", hint=nearest(shown, names))
        if len(found) > 1:
            ways = " or ".join(".".join(place) for place in found)
            raise SettingsError(f"setting {key!r} is ambiguous", hint=f"write {ways}")
        *parts, name = found[0]
        inner = mapping
        for part in parts:
            inner = inner[part]
        inner[name] = value
    return from_mapping(type(settings), mapping)


def fingerprint(settings: Any) -> str:
    """Return a short hash that is equal for equal settings, and only for these.

    Fields declared with `ADDED` are ignored at their default, so earlier settings keep
    their fingerprints in a version that adds one.
    """
    # Read as from a file, numbers have the type of their field: 1 and 1.0 are equal.
    read = from_mapping(type(settings), to_mapping(settings))
    text = json.dumps(_identity(read), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(ours: Settings, theirs: Settings) -> list[str]:
    """List the settings that differ, one ``key: ours instead of theirs`` each.

    Settings of nested parts are listed too.
    """
    return list(_differences(to_mapping(ours), to_mapping(theirs)))


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """Return a hint that names the word nearest to `word`, or all known words."""
    names = [str(name) for name in known]
    matches = difflib.get_close_matches(shortened(word), names, n=1)
    if matches:
        return f"did you mean {matches[0]!r}?"
    return f"known are {', '.join(names)}"


def _identity(settings: Any) -> dict[str, Any]:
    """Return the values that distinguish settings."""
    values = {}
    for known in dataclasses.fields(settings):
        value = getattr(settings, known.name)
        if known.metadata.get("added") and value == _default(known):
            continue
        is_part = dataclasses.is_dataclass(value)
        name = known.metadata.get("formerly", known.name)
        for old, new in known.metadata.get("values", {}).items():
            value = old if value == new else value
        values[name] = _identity(value) if is_part else value
    return values


Former = Mapping[str, "dataclasses.Field[Any]"]
"""Fields by their former names, including those of parts."""


def _former(kind: Any) -> Former:
    fields = {}
    for known in dataclasses.fields(kind):
        if old := known.metadata.get("formerly"):
            fields[old] = known
        if dataclasses.is_dataclass(part := _default(known)):
            fields |= _former(part)
    return fields


def _with_new_names(mapping: Mapping[str, Any], former: Former) -> dict[str, Any]:
    return {
        name: _with_new_names(value, former) if isinstance(value, Mapping) else value
        for name, value in _renamed(mapping, former, new_name).items()
    }


def _renamed(
    mapping: Mapping[str, Any], former: Former, rename: Callable[[str, str, str], str]
) -> dict[str, Any]:
    """Return settings by their present names, which `rename` gives; refuse two for one."""
    written: dict[str, str] = {}
    renamed: dict[str, Any] = {}
    for name, value in mapping.items():
        parts = str(name).split(".")
        new = ".".join(
            rename("setting", part, former[part].name) if part in former else part
            for part in parts
        )
        if new in written:
            (old, *_) = {name, written[new]} - {new}
            raise SettingsError(f"setting {new!r} is given twice, also as {old!r}")
        written[new] = name
        known = former.get(parts[-1])
        renamed[new] = value if known is None else _new_value(known, value)
    return renamed


def _new_value(known: "dataclasses.Field[Any]", value: Any) -> Any:
    """Return the present value for one that went with the old name of a field."""
    present = known.metadata["values"]
    return present.get(value, value) if isinstance(value, bool) else value


def _silently(_what: str, _old: str, new: str) -> str:
    return new


def _default(known: "dataclasses.Field[Any]") -> Any:
    if known.default_factory is not dataclasses.MISSING:
        return known.default_factory()
    return known.default


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(ours):
        one, other = ours[key], theirs[key]
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other)
        elif one != other:
            yield f"{key}: {json.dumps(one)} instead of {json.dumps(other)}"


def _parts(text: str) -> list[str]:
    """Split at commas outside brackets."""
    return [part.strip() for part in re.findall(r"(?:[^,\[]|\[[^\]]*\]?)+", text)]


def _read_value(text: str) -> Any:
    """Read a TOML value, a word, or a list of these."""
    value = _read_plain(text)
    if value == text and text[0] + text[-1] == "[]":
        return [_read_plain(part) for part in _parts(text[1:-1])]
    return value


def _read_plain(text: str) -> Any:
    """Read a TOML value; other text is a word."""
    try:
        table = parse_toml(f"value = {text}")
    except DocumentError:
        return text
    return table["value"] if len(table) == 1 else text


def _check_finite(value: Any, name: str) -> None:
    """Reject numbers that TOML and JSON can contain but settings may not: nan and inf."""
    if isinstance(value, float) and not math.isfinite(value):
        raise DocumentError(f"{name} must be a finite number, got {value}")
    if isinstance(value, list | tuple):
        for item in value:
            _check_finite(item, name)


def _places(mapping: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the path to each field of settings: names of its parts, then its own."""
    places: list[tuple[str, ...]] = []
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            places += [(name, *place) for place in _places(value)]
        else:
            places.append((name,))
    return places
