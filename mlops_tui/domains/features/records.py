"""What this room keeps: tables, snapshots, files, rows set aside; and the rules that need no file and no database."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mlops_tui.core.errors import InvalidInput

# The column types a table can have, widest last; every source type is brought to one of them.
BOOLEAN, BIGINT, DOUBLE, VARCHAR, TIMESTAMP = "BOOLEAN", "BIGINT", "DOUBLE", "VARCHAR", "TIMESTAMPTZ"
TYPES = (BOOLEAN, BIGINT, DOUBLE, VARCHAR, TIMESTAMP)
# Arrival order of rows, unique in a table: decides between rows of one key at one time.
SEQUENCE = "_seq"
# Changes of a schema that break a reader, and so have to be allowed.
REMOVED, CHANGED = "removed", "changed"


class Mode(StrEnum):
    """How an ingest treats what is there."""

    APPEND = "append"
    REPLACE = "replace"


class JoinMode(StrEnum):
    """Which clock a join obeys."""

    EVENT = "event"  # what had happened by then
    KNOWN = "known"  # what had happened and had already been recorded by then


@dataclass(frozen=True, slots=True)
class Table:
    """A named feature table and the size of its newest snapshot (version 0: nothing ingested yet)."""

    name: str
    keys: tuple[str, ...]
    time: str | None
    created: str | None
    description: str
    ttl: int | None  # ms
    latest_version: int
    rows: int
    bytes: int
    columns: dict[str, str]
    created_at: int
    updated_at: int
    id: int = 0

    @property
    def special(self) -> tuple[str, ...]:
        """Columns that say which row it is, not what is known about it: keys, event time, created time."""
        return tuple(name for name in (*self.keys, self.time, self.created) if name)

    @property
    def features(self) -> tuple[str, ...]:
        """The other columns of the newest snapshot."""
        return tuple(name for name in self.columns if name not in self.special)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One immutable version of a table. `changes` names what an ingest did to the schema."""

    table: str
    version: int
    kind: str  # append | replace | restore | compact
    rows: int
    added_rows: int
    bytes: int
    columns: dict[str, str]
    quarantined: int
    duplicates: int
    author: str
    message: str
    created_at: int
    min_time: int | None
    max_time: int | None
    schema_hash: str
    batch_id: str = ""
    changes: tuple[str, ...] = ()
    expired_at: int | None = None  # its rows were collected; what is known of it stays

    @property
    def reference(self) -> str:
        return f"{self.table}@{self.version}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one file of many. state: taken, known (it was taken in before) or refused."""

    file: str
    state: str
    snapshot: Snapshot | None
    reason: str


# Size in bytes and mtime in ns: what a look at a file sees without opening it.
Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Watch:
    """A folder or pattern whose files come into a table by themselves. `refused` of the `files` seen could not be taken in."""

    table: str
    place: str
    every_ms: int
    files: int
    refused: int
    last_at: int | None
    created_at: int
    created_by: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class WatchedFile:
    """What became of a file of a watch. state: taken, known (its content was there already) or refused."""

    path: str
    state: str
    version: int | None
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class File:
    """One Parquet file of a table, live from version `added` until version `removed`."""

    path: str  # relative to the lake
    rows: int
    bytes: int
    min_time: int | None
    max_time: int | None
    sha256: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not taken in: where it stood, what was wrong, and its text."""

    line: int
    column: str
    reason: str
    content: str
    version: int = 0


@dataclass(slots=True)  # not frozen: that alone would cost a tenth of a lookup
class Found:
    """What is online of one entity. status: ok, missing (never seen), expired (older than the time to live), null (seen, but
    no value is there). `age_ms` is how old the values are; None for a table without event time, or without a row.
    """

    key: Mapping[str, Any]
    values: dict[str, Any]
    status: str
    age_ms: int | None


@dataclass(frozen=True, slots=True)
class Materialized:
    """What a materialisation did: `read` entities had rows in the files since version `since` (0: all), `written` of them were
    newer than what was online, where `entities` are now.
    """

    table: str
    version: int
    since: int
    read: int
    written: int
    entities: int


@dataclass(frozen=True, slots=True)
class JoinReport:
    """What a join found in one table, counted in spine rows; the four counts add up to `rows`."""

    table: str
    version: int
    rows: int
    matched: int
    expired: int  # the newest row by then was older than the ttl
    future_only: int  # the key exists, but only later
    missing: int  # the key does not exist, or the spine row has no key or no time
    max_age: int | None  # ms between the spine row and the matched row, at most
    columns: tuple[str, ...] = field(default=())


def schema_hash(columns: Mapping[str, str]) -> str:
    """16 hex digits that two equal column lists share, whatever their order."""
    text = "\n".join(f"{name}\t{columns[name]}" for name in sorted(columns))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def merge_columns(
    old: Mapping[str, str], new: Mapping[str, str], *, allow: Collection[str] = (), fixed: Collection[str] = ()
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The columns after a batch with `new` columns meets a table with `old` ones, and what changed, in words.

    Added columns and BIGINT -> DOUBLE are accepted. What breaks a reader raises InvalidInput with all of it named, unless it
    is allowed: "removed" leaves the column in the table and NULL in the batch, "changed" makes a column of two types text.
    Columns in `fixed` (keys and times) may never go or change.
    """
    wrong, changes = [], []
    merged = dict(old)
    for name, kind in new.items():
        before = old.get(name)
        if before is None:
            merged[name] = kind
            changes.append(f"added {name} ({kind})")
        elif (before, kind) == (BIGINT, DOUBLE):
            merged[name] = DOUBLE
            changes.append(f"widened {name} (BIGINT -> DOUBLE)")
        elif before != kind and (before, kind) != (DOUBLE, BIGINT):
            if CHANGED in allow and name not in fixed:
                merged[name] = VARCHAR
                changes += [f"changed {name} ({before} -> {VARCHAR})"] if before != VARCHAR else []
            else:
                wrong.append(f"column '{name}' is {before} in the table but {kind} here")
    missing = [name for name in old if name not in new]
    if missing and (REMOVED not in allow or set(missing) & set(fixed)):
        wrong.append(f"the batch lacks {_listed(missing)}")
    elif missing:
        changes += [f"removed {name} (missing from here on)" for name in missing]
    if wrong:
        held = [name for name in fixed if name in old and new.get(name) != old[name]]
        change = f"{_listed(held)} never changes" if held else "say --allow removed or --allow changed"
        raise InvalidInput(
            f"The batch does not fit the table: {'; '.join(wrong)}.",
            hint=f"Bring the columns into the table's types ({change}), or start anew with --mode replace.",
        )
    return merged, tuple(changes)


def describe_replacement(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """What a replace did to the columns, in words."""
    changes = [f"removed {name}" for name in old if name not in new]
    for name, kind in new.items():
        if name not in old:
            changes.append(f"added {name} ({kind})")
        elif old[name] != kind:
            changes.append(f"changed {name} ({old[name]} -> {kind})")
    return tuple(changes) if old else ()


def quote(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A SQL string literal, for the places where DuckDB takes no parameter."""
    return "'" + value.replace("'", "''") + "'"


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return ("column " if len(quoted) == 1 else "columns ") + ", ".join(quoted)
