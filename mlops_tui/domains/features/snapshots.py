"""From a reference such as `orders@12` to the snapshot, its files, and an engine ready to read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean, split_reference
from mlops_tui.domains.features import pins
from mlops_tui.domains.features.records import Snapshot, Table
from mlops_tui.domains.features.store import FeatureStore

if TYPE_CHECKING:
    import duckdb


def folder_of(table: Table) -> str:
    """A table's folder below the lake. The id keeps a table made anew apart from a removed one of that name."""
    return f"features/{table.name}.{table.id}"


class Snapshots:
    """Finds tables and snapshots by what people call them."""

    def __init__(self, context: Context, store: FeatureStore) -> None:
        self._context = context
        self._store = store

    def table(self, name: str) -> Table:
        """One table; NotFound with the nearest name otherwise."""
        table = self._store.get(name)
        if table is None:
            hint = did_you_mean(name, self._store.names(), "List them: mlops features list")
            raise NotFound(f"There is no feature table '{name}'.", hint=hint)
        return table

    def resolve(self, ref: str) -> tuple[Table, Snapshot]:
        """The table and snapshot of `orders`, `orders@latest` or `orders@12`. Raises NotFound, InvalidInput."""
        name, version = split_reference(ref)
        table = self.table(name)
        if not table.latest_version:
            hint = f"Take data in: mlops features ingest {name} FILE"
            raise NotFound(f"Table '{name}' has no snapshot yet.", hint=hint)
        if version not in ("", "latest") and not (version.isdecimal() and len(version) < 10):
            hint = f"Write {name}@latest or {name}@{table.latest_version}."
            raise InvalidInput(f"'{ref}' is no snapshot.", hint=hint)
        number = table.latest_version if version in ("", "latest") else int(version)
        snapshot = self._store.version(table, number)
        if snapshot is None:
            hint = f"It has versions 1 to {table.latest_version}: mlops features history {name}"
            raise NotFound(f"Table '{name}' has no version {number}.", hint=hint)
        return table, snapshot

    def asked(self, ref: str) -> tuple[Table, Snapshot, Sequence[str] | None]:
        """A reference with columns, `orders@12:total_30d,x`; None stands for all columns."""
        reference, _, columns = ref.partition(":")
        names = [name.strip() for name in columns.split(",") if name.strip()]
        return (*self.resolve(reference), names or None)

    def folder(self, table: Table) -> Path:
        """Where the files of a table lie."""
        return self._context.lake.root / folder_of(table)

    def files(self, table: Table, snapshot: Snapshot) -> list[Path]:
        """The Parquet files of a snapshot, in the order they came. Raises NotFound when its rows were collected."""
        if snapshot.expired_at is not None:
            raise _expired(snapshot)
        return [self._context.lake.root / file.path for file in self._store.files(table, snapshot.version)]

    def scan(self, table: Table, snapshot: Snapshot) -> str:
        """SQL that reads a snapshot."""
        from mlops_tui.domains.features import offline

        return offline.scan(self.files(table, snapshot), snapshot.columns)

    @contextmanager
    def reading(self, ref: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, Table, Snapshot]]:
        """A private engine for one read: the connection, SQL that reads the snapshot, the table and the snapshot."""
        table, snapshot = self.resolve(ref)
        with self.held() as hold, self._context.lake.connection() as connection:
            yield connection, hold(table, snapshot), table, snapshot

    @contextmanager
    def held(self) -> Iterator[Callable[[Table, Snapshot], str]]:
        """As `scan`, with each snapshot pinned until the end, so that no collector takes its files from under the reader.

        The pin comes first and the look whether the version still has its rows second: a collector commits first and looks
        for pins second, so one of the two always sees the other.
        """
        with pins.Pins(self._context.workspace.run) as pinned:

            def hold(table: Table, snapshot: Snapshot) -> str:
                pinned.add(table.id, snapshot.version)
                source = self.scan(table, snapshot)
                now = self._store.version(
                    table, snapshot.version
                )  # last: the list of files is whole only if it is there
                if now is None or now.expired_at is not None:
                    raise _expired(snapshot)
                return source

            yield hold


def _expired(snapshot: Snapshot) -> NotFound:
    return NotFound(
        f"The rows of {snapshot.reference} were collected.",
        hint=f"Newer versions are there: mlops features history {snapshot.table}",
    )
