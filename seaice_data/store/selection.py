"""Choose scenes of a store by a condition: ``month in 5..9 and service == 'cis'``.

A condition compares what is known of a scene (`FIELDS`) with values, and joins comparisons
by ``and``, ``or``, ``not`` and parentheses:

- ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` with one value;
- ``in`` and ``not in`` with a range of whole numbers, both ends included (``5..9``; months
  go round the year, ``11..2``), a list (``['cis', 'dmi']``), or a file of scene ids
  (``id in @scenes.txt``).

Quotes around words may be left out, and case does not count. Nothing is ever executed.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from seaice_data.errors import DamageError, SettingsError, StoreError
from seaice_data.scene_id import NO_SERVICE
from seaice_data.settings import nearest
from seaice_data.store.opening import AnyStore, opened
from seaice_data.store.split import read_id_file
from seaice_data.store.store import Store
from seaice_data.system.documents import MOST_DEPTH
from seaice_data.texts import counted, shortened

log = logging.getLogger(__name__)

COMPLETE = "none"
"""What is absent from scenes that lack nothing."""

Value = str | int | float
_Facts = Mapping[str, Value]
_Condition = Callable[[_Facts], bool]

FIELDS: Mapping[str, type] = {
    "id": str,
    "split": str,
    "service": str,
    "region": str,
    "month": int,
    "year": int,
    "valid_share": float,
    "denoising": str,
    "absent": str,
}
"""What a condition can ask of a scene: its id; its split, which may be ``none``; the ice
service and region of its chart; when it was acquired; the share of its pixels that have a
SIC class; how noise was removed from its SAR; what its file lacks, as ``amsr2`` or
``'hv, amsr2'``, which is ``none`` if it lacks nothing."""

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<range>[0-9]+\s*\.\.\s*[0-9]+)"
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![\w.])|(?P<file>@[^\s,)\]]+)"
    r"|(?P<word>\w[\w-]*)"
    r"|(?P<sign>==|!=|<=|>=|[<>()\[\],]))"
)
_WORDS = ("and", "or", "not", "in")
_MOST_DIGITS = 18
_ORDERS: Mapping[str, Callable[[Value, Value], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


def select(
    store: AnyStore,
    where: str | None = None,
    splits: Mapping[str, Collection[str]] | None = None,
) -> tuple[str, ...]:
    """Return the ids of the scenes that satisfy a condition, sorted; all if there is none.

    Scenes that cannot be opened satisfy no condition; they are logged.

    Parameters
    ----------
    store
        Where the scenes are: a store, its path or its URL.
    where
        As ``split == 'train' and month in 5..9``; see `seaice_data.store.selection`.
    splits
        What ``split`` means: ids by name of the split. If not given, the splits of the
        store.

    Raises
    ------
    SettingsError
        If the condition cannot be read, or names something unknown.
    StoreError
        If no scene satisfies it.
    """
    store = opened(store)
    if where is None:
        return store.scenes
    facts = _facts_of(store, store.splits if splits is None else splits)
    condition = _Reader(where, facts.values()).read()
    chosen = tuple(scene for scene in facts if condition(facts[scene]))
    if not chosen:
        raise StoreError(
            f"none of {counted(len(store.scenes), 'scene')} of {store.path!r} satisfies "
            f"{shortened(where)!r}",
            hint="`seaice info` shows scenes by split, month, service and region",
        )
    return chosen


def _facts_of(store: Store, splits: Mapping[str, Collection[str]]) -> dict[str, _Facts]:
    """Return what can be asked of each scene."""
    split_of = {scene: name for name, scenes in splits.items() for scene in scenes}
    facts: dict[str, _Facts] = {}
    scenes, failures = store.open_scenes(leave_out=DamageError)
    for failure in failures:
        log.warning("%s left out: %s", failure.name, failure.reason)
    for scene in scenes:
        facts[scene.id] = {
            "id": scene.id.casefold(),
            "split": split_of.get(scene.id, "none"),
            "service": scene.service.casefold() or NO_SERVICE,
            "region": scene.region.casefold(),
            "month": scene.acquired.month,
            "year": scene.acquired.year,
            "valid_share": scene.valid_share,
            "denoising": scene.denoising,
            "absent": ", ".join(scene.origin.absent) or COMPLETE,
        }
    return facts


class _Reader:
    """Reads a condition from left to right, with a method for each of its parts."""

    def __init__(self, where: str, facts: Iterable[_Facts]) -> None:
        self._where, self._facts = where, list(facts)
        self._tokens = list(self._split(where))
        self._next = self._depth = 0

    def read(self) -> _Condition:
        """Read the whole condition."""
        condition = self._either()
        if (rest := self._peek()) is not None:
            is_minus = rest.startswith("-")
            hint = "write a range as 5..9" if is_minus else "join with and, or"
            raise self._refuse(f"{shortened(rest)!r} is unexpected", hint)
        return condition

    def _split(self, where: str) -> Iterable[tuple[str, str]]:
        position, where = 0, where.rstrip()
        while position < len(where):
            if (match := _TOKEN.match(where, position)) is None:
                rest = where[position:].lstrip()
                hint = "write == to compare" if rest[0] == "=" else _EXAMPLE
                raise self._refuse(f"{rest[0]!r} is not part of a condition", hint)
            position = match.end()
            kind = str(match.lastgroup)
            yield kind, match[kind]

    def _peek(self) -> str | None:
        if self._next == len(self._tokens):
            return None
        kind, text = self._tokens[self._next]
        return text.lower() if kind in ("word", "sign") else text

    def _take(self, *expected: str) -> bool:
        """Move past the next token if it is one of `expected`."""
        found = self._peek() in expected
        self._next += found
        return found

    def _either(self) -> _Condition:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return lambda facts: any(part(facts) for part in parts)

    def _both(self) -> _Condition:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return lambda facts: all(part(facts) for part in parts)

    def _one(self) -> _Condition:
        if self._peek() not in ("not", "("):
            return self._comparison()
        if self._depth == MOST_DEPTH:
            raise self._refuse(f"it is nested more than {MOST_DEPTH} deep")
        self._depth += 1
        inner = self._negated() if self._take("not") else self._enclosed()
        self._depth -= 1
        return inner

    def _negated(self) -> _Condition:
        inner = self._one()
        return lambda facts: not inner(facts)

    def _enclosed(self) -> _Condition:
        self._take("(")
        inner = self._either()
        if not self._take(")"):
            raise self._refuse("a parenthesis is not closed")
        return inner

    def _comparison(self) -> _Condition:
        field = self._peek()
        if field is None:
            raise self._refuse("it ends too early")
        if field not in FIELDS:
            raise self._refuse(f"unknown name {shortened(field)!r}", nearest(field, FIELDS))
        self._next += 1
        sign = self._peek()
        if self._take(*_ORDERS):
            value, compare = self._value(field), _ORDERS[str(sign)]
            if sign in ("==", "!="):
                self._check(field, [[value]])
            elif FIELDS[field] is str:
                raise self._refuse(f"{field} has no order", f"write {field} == ...")
            return lambda facts: compare(facts[field], value)
        is_negated = self._take("not")
        if not self._take("in"):
            raise self._refuse(f"{field} is compared with nothing")
        values = self._values(field)
        self._check(field, values)
        return lambda facts: any(facts[field] in part for part in values) != is_negated

    def _values(self, field: str) -> list[Collection[Value]]:
        """Read what follows ``in``: a range, a list, a file, or one value."""
        kind, text = self._tokens[self._next] if self._peek() is not None else ("", "")
        if kind == "range":
            self._next += 1
            return self._range(field, text)
        if kind == "file":
            self._next += 1
            return [self._listed(field, text[1:])]
        closing = {"[": "]", "(": ")"}.get(text)
        if closing is None:
            return [[self._value(field)]]
        self._next += 1
        values: list[Collection[Value]] = []
        while not self._take(closing):
            is_range = self._next < len(self._tokens) and (
                self._tokens[self._next][0] == "range"
            )
            values += self._values(field) if is_range else [[self._value(field)]]
            if not self._take(",") and self._peek() != closing:
                raise self._refuse("a list is not closed")
        return values

    def _range(self, field: str, text: str) -> list[Collection[Value]]:
        first, last = (self._whole(end.strip()) for end in text.split(".."))
        if FIELDS[field] is not int:
            raise self._refuse(f"{field} is not a whole number, so it cannot be in {text}")
        if first <= last:
            return [range(first, last + 1)]
        if field != "month":
            raise self._refuse(f"{text} ends before it starts")
        return [range(first, 13), range(1, last + 1)]

    def _listed(self, field: str, path: str) -> Collection[Value]:
        if field != "id":
            raise self._refuse(f"a file lists ids, not {field}", "write id in @scenes.txt")
        return {scene_id.casefold() for scene_id in read_id_file(Path(path))}

    def _value(self, field: str) -> Value:
        """Read one value of the type of a field."""
        if self._next == len(self._tokens):
            raise self._refuse("it ends too early")
        kind, text = self._tokens[self._next]
        if kind == "sign" or kind in ("file", "range") or text.lower() in _WORDS:
            raise self._refuse(f"expected a value of {field}, got {shortened(text)!r}")
        self._next += 1
        if FIELDS[field] is str:
            return (text[1:-1] if kind == "text" else text).casefold()
        try:
            text.encode("ascii")  # Python reads the digits of any script
            return self._whole(text) if FIELDS[field] is int else float(text)
        except ValueError:
            what = "a whole number" if FIELDS[field] is int else "a number"
            raise self._refuse(f"{field} is {what}, not {shortened(text)}") from None

    def _whole(self, text: str) -> int:
        if len(text) > _MOST_DIGITS and text.isdecimal():
            raise self._refuse(f"{text[:12]}... has {len(text)} digits")
        return int(text)

    def _check(self, field: str, values: Iterable[Collection[Value]]) -> None:
        """Reject words that no scene has: they are probably misspelt."""
        if FIELDS[field] is not str:
            return
        words = [str(word) for part in values for word in part]
        known = {str(facts[field]) for facts in self._facts}
        known |= {"train", "validation", "test", "none"} if field == "split" else set()
        if words and not known.intersection(words):
            hint = nearest(words[0], sorted(known)) if known else None
            raise self._refuse(f"no scene has {field} {shortened(words[0])!r}", hint)

    def _refuse(self, reason: str, hint: str | None = None) -> SettingsError:
        where = shortened(self._where)
        return SettingsError(
            f"cannot read the condition {where!r}: {reason}", hint=hint or _EXAMPLE
        )


_EXAMPLE = "write for example month in 5..9 and service == 'cis'"
