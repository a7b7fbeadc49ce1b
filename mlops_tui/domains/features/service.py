"""The room's one class: make tables, take data in, read it back at any version, join it, check it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_tui.core.errors import AlreadyExists, InvalidInput
from mlops_tui.core.ids import check_name
from mlops_tui.core.query import read
from mlops_tui.domains.features import searching
from mlops_tui.domains.features.checking import Checking
from mlops_tui.domains.features.records import Mode, Snapshot, Table
from mlops_tui.domains.features.words import choice, span

if TYPE_CHECKING:
    from mlops_tui.domains.features.ingest import Progress
    from mlops_tui.domains.features.sources import Source


class Features(Checking):
    """Feature tables of one workspace. Reading, profiling and checking are its bases' part; changing is here."""

    # -- tables ------------------------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        keys: Sequence[str],
        *,
        time: str | None = None,
        created: str | None = None,
        description: str = "",
        ttl: int | str | None = None,
    ) -> Table:
        """A new empty table.

        `keys` name the entity, `time` the column of the event time, `created` the column that says when a row became known.
        `ttl` (ms or a span such as "7d") is how old a row may be for a join. Raises InvalidInput, AlreadyExists.
        """
        check_name("feature table", name)
        special = [*keys, *(column for column in (time, created) if column)]
        if not keys or not all(column and not column.startswith("_") for column in special):
            raise InvalidInput(f"Table '{name}' needs at least one key column.", hint="Name them: --key customer_id")
        if len(set(special)) != len(special):
            raise InvalidInput(
                "A column can be only one of key, time and created time.", hint="Name different columns."
            )
        now = self._context.now()
        table = Table(name, tuple(keys), time, created, description, span(ttl), 0, 0, 0, {}, now, now)
        with self._context.catalog.write() as tx:
            if self._store.get(name):
                raise AlreadyExists(
                    f"There is a feature table '{name}' already.", hint=f"See it: mlops features show {name}"
                )
            self._store.add(tx, table)
            self._audit.note(
                tx, "create", "feature table", name, after={"keys": list(keys), "time": time, "created": created}
            )
        return self.get(name)

    def list(self, query: str = "") -> list[Table]:
        """Tables by name; `query` is in the query language, and InvalidInput is raised when it cannot be read."""
        return read(query, searching.TABLES, self._context.now()).select(self._store.find())

    def get(self, name: str) -> Table:
        """One table; NotFound with the nearest name otherwise."""
        return self._snapshots.table(name)

    def remove(self, name: str, *, why: str = "") -> None:
        """Remove a table with all versions and files. Joins made from it keep their numbers but cannot be repeated."""
        table = self.get(name)
        with self._context.catalog.write() as tx:
            self._store.remove(tx, table)
            before = {"version": table.latest_version, "rows": table.rows}
            self._audit.note(tx, "remove", "feature table", name, why=why, before=before)
        # Only after the commit: a crash in between leaves files no one needs, never a table without its files.
        shutil.rmtree(self._snapshots.folder(table), ignore_errors=True)

    # -- taking data in ----------------------------------------------------------------------------------------------

    def ingest(
        self,
        name: str,
        source: Source,
        *,
        mode: Mode | str = Mode.APPEND,
        message: str = "",
        batch_id: str | None = None,
        types: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Snapshot:
        """Take a CSV or Parquet file, a DataFrame or a list of dicts in as a new immutable snapshot.

        Rows that cannot be read, or lack a key or the event time, are set aside (`quarantine`) and counted. A `batch_id`
        seen before returns its snapshot and changes nothing. `types` fixes column types (BOOLEAN, BIGINT, DOUBLE, VARCHAR,
        TIMESTAMPTZ). New columns and BIGINT -> DOUBLE are accepted; a column that went or changed its type needs mode
        "replace". Raises NotFound, InvalidInput, Unavailable (disk full); then nothing was changed.
        """
        from mlops_tui.domains.features.taking import Ingest

        table = self.get(name)
        chosen = choice(Mode, mode, "mode")
        if batch_id and (seen := self._store.version_of_batch(table, batch_id)):
            return seen
        taking = Ingest(self._context, self._audit, self._store, table, progress)
        return taking.run(source, chosen, message=message, batch_id=batch_id, types=types or {})

    def restore(self, ref: str, *, message: str = "") -> Snapshot:
        """A new version whose rows are those of `ref`: going back without forgetting. Nothing is copied."""
        from mlops_tui.domains.features.taking import restore

        table, snapshot = self._snapshots.resolve(ref)
        return restore(self._context, self._audit, self._store, table, snapshot, message)
