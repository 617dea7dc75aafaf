"""Settings are frozen dataclasses; people write them as TOML, the program as JSON.

``from_mapping`` is strict: an unknown key is refused with the name nearest to it, a value
of the wrong type with the type that is expected. ``fingerprint`` tells whether two
settings are equal.
"""

import dataclasses
import difflib
import hashlib
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from seaice_data.errors import SettingsError

Settings = TypeVar("Settings")


def to_mapping(settings: Any) -> dict[str, Any]:
    """Return the fields of a settings dataclass as JSON-ready values."""
    mapping: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(settings)))
    return mapping


def from_mapping(kind: type[Settings], mapping: Any) -> Settings:
    """Build the settings dataclass `kind`; what `mapping` lacks takes its default.

    Raises
    ------
    SettingsError
        For a key that `kind` does not have, a value of another type, or no mapping.
    """
    if not isinstance(mapping, Mapping):
        raise SettingsError(f"settings must be a table, got {mapping!r}")
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = {}
    for key, value in mapping.items():
        if key not in known:
            raise SettingsError(f"unknown setting {key!r}", hint=nearest(key, known))
        values[key] = _checked(key, value, hints[key])
    return kind(**values)


def read_toml(kind: type[Settings], path: Path) -> Settings:
    """Read settings of `kind` from a TOML file.

    Raises
    ------
    SettingsError
        If the file cannot be read, is not TOML, or does not fit `kind`.
    """
    try:
        mapping = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read settings from {str(path)!r}: {error}") from error
    try:
        return from_mapping(kind, mapping)
    except SettingsError as error:
        raise type(error)(f"{str(path)!r}: {error}", hint=error.hint) from error


def fingerprint(settings: Any) -> str:
    """Return a short hash that is equal exactly for equal settings."""
    text = json.dumps(to_mapping(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """List the settings that differ, one ``key: ours instead of theirs`` each."""
    return [
        f"{key}: {json.dumps(ours.get(key))} instead of {json.dumps(theirs.get(key))}"
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    ]


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """Return a hint that names the word nearest to `word`, or all known words."""
    names = [str(name) for name in known]
    matches = difflib.get_close_matches(word, names, n=1)
    if matches:
        return f"did you mean {matches[0]!r}?"
    return f"known are {', '.join(names)}"


def _checked(key: str, value: Any, kind: Any) -> Any:
    """Return `value` as `kind`, or refuse it."""
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None and types.NoneType in options:
            return None
        kind = next(option for option in options if option is not types.NoneType)
        return _checked(key, value, kind)
    if origin is typing.Literal:
        if value not in options:
            raise SettingsError(
                f"{key} must be one of {', '.join(map(str, options))}, got {value!r}"
            )
        return value
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, typing.Sequence):
            raise SettingsError(f"{key} must be a list, got {value!r}")
        return tuple(_checked(key, item, options[0]) for item in value)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise SettingsError(f"{key} must be a table of settings, got {value!r}")
        return from_mapping(typing.cast("type[Any]", kind), value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise SettingsError(f"{key} must be {kind.__name__}, got {value!r}")
    return value
