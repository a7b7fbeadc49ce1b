"""Lookups: the newest values of entities by key, in microseconds. Imports nothing heavy: the gateway uses it too."""

from __future__ import annotations

import datetime
import json
import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.derived_records import Aggregate
from mlops_tui.domains.features.online_store import EVENT, Layout, OnlineStore
from mlops_tui.domains.features.records import BIGINT, BOOLEAN, DOUBLE, TIMESTAMP, VARCHAR, Found, quote
from mlops_tui.domains.features.served import Served
from mlops_tui.domains.features.window_store import WindowLayout, questions

_ONE_BY_ONE = 8  # above so many keys one statement for all is cheaper
WORDS = {
    BIGINT: "a whole number",
    DOUBLE: "a number",
    VARCHAR: "a text",
    BOOLEAN: "true or false",
    TIMESTAMP: "a time",
}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_KEY_TYPES: dict[str, type] = {BIGINT: int, DOUBLE: float, VARCHAR: str, BOOLEAN: bool}


class _Plan:
    """One table and list of columns, ready to be asked."""

    def __init__(self, layout: Layout, columns: Sequence[str] | None, windows: WindowLayout | None = None) -> None:
        self.layout = layout
        self.keys = layout.keys
        special = {*layout.keys, layout.time, layout.created}
        asked = [name for name in layout.columns if name not in special] if columns is None else list(columns)
        declared = {one.name: one for one in windows.aggregates} if windows is not None else {}
        for name in asked:
            if name not in layout.columns and name not in declared:
                known = [*layout.columns, *declared]
                hint = did_you_mean(name, known, f"It has: {', '.join(known)}.")
                raise InvalidInput(
                    f"Table '{layout.name}' has no column '{name}' online.",
                    hint=f"{hint} What was declared since comes with: mlops features materialize {layout.name}",
                )
        names = [name for name in asked if name in layout.columns]
        self.asked = tuple(asked)
        self.windows = _Asking(layout, windows, [declared[n] for n in asked if n not in layout.columns])
        self.names = tuple(names)
        self.ttl_us = None if layout.ttl is None else layout.ttl * 1000
        self.timed = layout.time is not None
        kinds = [layout.columns[name] for name in names]
        self.odd = [(place, _SHOWN[kind]) for place, kind in enumerate(kinds) if kind in _SHOWN]
        self.kinds = [layout.columns[name] for name in layout.keys]
        self.simple = _KEY_TYPES.get(self.kinds[0]) if len(self.kinds) == 1 else None
        picked = ", ".join([*map(quote, names), EVENT])
        where = " AND ".join(f"{quote(key)} = ?" for key in layout.keys)
        self.one = f"SELECT {picked} FROM {layout.physical} WHERE {where}"
        key = quote(layout.keys[0])
        self.many = f"SELECT {picked}, {key} FROM {layout.physical} WHERE {key} IN (SELECT value FROM json_each(?))"
        self.nothing = dict.fromkeys(names)

    def key(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """The key of a row as SQLite has it. Raises InvalidInput for a missing key or one of the wrong type."""
        try:
            if self.simple is not None:
                value = row[self.keys[0]]
                if type(value) is self.simple:
                    return (value,)
            return tuple(online_value(self.layout, name, row[name]) for name in self.keys)
        except KeyError as error:
            hint = f"Give {', '.join(self.keys)}."
            raise InvalidInput(f"A row lacks the key '{error.args[0]}'.", hint=hint) from None

    def shown_key(self, row: Mapping[str, Any]) -> list[Any]:
        """The key of a row as a join takes it."""
        kinds = zip(self.key(row), self.kinds, strict=True)
        return [_SHOWN[kind](value) if kind in _SHOWN and value is not None else value for value, kind in kinds]

    def found(self, key: Mapping[str, Any], row: Sequence[Any] | None, now_us: int) -> Found:
        """What is known of an entity. A value counts up to its time to live, both ends included."""
        if row is None:
            return Found(key, self.nothing, "missing", None)
        age = now_us - row[len(self.names)] if self.timed else None
        if age is not None and self.ttl_us is not None and age > self.ttl_us:
            return Found(key, self.nothing, "expired", age // 1000)
        values = dict(zip(self.names, row, strict=False))
        for place, shown in self.odd:
            name = self.names[place]
            if values[name] is not None:
                values[name] = shown(values[name])
        status = "null" if self.names and all(value is None for value in values.values()) else "ok"
        return Found(key, values, status, None if age is None else age // 1000)


class _Asking:
    """Aggregates of one table, ready to be asked of the rows of its windows."""

    def __init__(self, layout: Layout, windows: WindowLayout | None, wanted: Sequence[Aggregate]) -> None:
        self.questions: list[tuple[str, list[str]]] = []
        self._shown: dict[str, Callable[[Any], Any]] = {}
        if windows is not None and wanted:
            self.questions = questions(windows, layout.keys, wanted)
            kinds = {one.name: one.type_in(windows.columns) for one in wanted}
            self._shown = {name: _SHOWN[kind] for name, kind in kinds.items() if kind in _SHOWN}

    def ask(self, store: OnlineStore, key: Sequence[Any], now_us: int) -> dict[str, Any]:
        """The aggregates of one entity at a moment, as the offline join has them then."""
        if None in key:  # no entity at all, which even a count says nothing of
            return {name: None for _, names in self.questions for name in names}
        given = {"now": now_us} | {f"k{place}": value for place, value in enumerate(key)}
        found: dict[str, Any] = {}
        for sql, names in self.questions:
            found |= zip(names, store.db.read(sql, given)[0], strict=True)
        for name, shown in self._shown.items():
            found[name] = None if found[name] is None else shown(found[name])
        return found


class Lookups:
    """Asks the online side; keeps what it learned of a table until a statement no longer fits."""

    def __init__(self, store: OnlineStore, now: Callable[[], int], served: Served | None = None) -> None:
        self._store = store
        self._now = now
        self._served = served
        self._plans: dict[Any, _Plan] = {}

    def lookup(self, name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> list[Found]:
        """See `Features.lookup`."""
        key = name if columns is None else (name, *columns)
        plan = self._plans.get(key)
        now = self._now()
        if plan is not None:
            try:
                return self._answered(plan, rows, now)
            except sqlite3.OperationalError:
                pass  # the table was made anew since
        layout = self._store.layout(name)
        if layout is None:
            raise NotFound(f"Table '{name}' is not online.", hint=f"Bring it there: mlops features materialize {name}")
        plan = self._plans[key] = _Plan(layout, columns, self._store.windows.get(layout.table_id) if columns else None)
        return self._answered(plan, rows, now)

    def _answered(self, plan: _Plan, rows: Sequence[Mapping[str, Any]], now: int) -> list[Found]:
        answers = self._asked(plan, rows, now * 1000)
        if self._served is not None and random.random() < plan.layout.log_share:
            keyed = [
                Found(dict(zip(plan.keys, plan.shown_key(row), strict=True)), one.values, one.status, one.age_ms)
                for row, one in zip(rows, answers, strict=True)
            ]
            self._served.add(plan.layout.name, plan.layout.table_id, now, plan.asked, keyed)
        return answers

    def _asked(self, plan: _Plan, rows: Sequence[Mapping[str, Any]], now_us: int) -> list[Found]:
        read = self._store.db.read
        if len(rows) > _ONE_BY_ONE and plan.simple in (int, str):
            keys = [plan.key(row)[0] for row in rows]
            by_key = {row[-1]: row for row in read(plan.many, (json.dumps(keys),))}
            answers = [plan.found(row, by_key.get(key), now_us) for row, key in zip(rows, keys, strict=True)]
        else:
            answers = []
            for row in rows:
                found = read(plan.one, plan.key(row))
                answers.append(plan.found(row, found[0] if found else None, now_us))
        if plan.windows.questions:
            for row, answer in zip(rows, answers, strict=True):
                values = answer.values | plan.windows.ask(self._store, plan.key(row), now_us)
                answer.values = {name: values[name] for name in plan.asked}
        return answers


def online_value(layout: Layout, name: str, value: Any) -> Any:
    """A value as the online side keeps it (times in us). Raises InvalidInput when it is not of the column's type."""
    return plain_value(name, layout.columns[name], value)


def plain_value(name: str, kind: str, value: Any) -> Any:
    """A value as a plain one of a column type: times in us, booleans 0 or 1. Raises InvalidInput when it is of another."""
    if value is None:
        return None
    if kind == TIMESTAMP:
        return _microseconds(name, value)
    if hasattr(value, "item"):  # a NumPy number
        value = value.item()
    fits = {
        BIGINT: isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63,
        DOUBLE: isinstance(value, (int, float)) and not isinstance(value, bool),
        VARCHAR: isinstance(value, str),
        BOOLEAN: isinstance(value, bool),
    }[kind]
    if kind == BIGINT and isinstance(value, float) and value.is_integer():  # pandas makes floats of whole numbers
        return int(value)
    if not fits:
        raise InvalidInput(f"{name} is {value!r}, not {WORDS[kind]}.", hint=f"The column is {kind}.")
    return float(value) if kind == DOUBLE else int(value) if kind == BOOLEAN else value


def _microseconds(name: str, value: Any) -> int:
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInput(f"{name} is {value!r}, not a time.", hint="Write ISO 8601: 2026-11-21T08:00Z") from None
    if not isinstance(value, datetime.datetime):
        raise InvalidInput(f"{name} is {value!r}, not a time.", hint="Write ISO 8601: 2026-11-21T08:00Z")
    moment = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)


def iso(us: int) -> str:
    """A time in us as ISO 8601 UTC text."""
    return (_EPOCH + datetime.timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


_SHOWN: dict[str, Callable[[Any], Any]] = {BOOLEAN: bool, TIMESTAMP: iso}
