"""The room's one class: make tables, take data in, read it back at any version, join it, check it."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core import locks
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable, WorkbenchError
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.core.query import read
from mlops_tui.domains.features import searching
from mlops_tui.domains.features.records import CHANGED, REMOVED, Mode, Snapshot, Table, Taken, WatchedFile
from mlops_tui.domains.features.watching import Watching, stamp_of
from mlops_tui.domains.features.words import choice, span

if TYPE_CHECKING:
    from mlops_tui.domains.features.collecting import Collected
    from mlops_tui.domains.features.ingest import Progress
    from mlops_tui.domains.features.records import Stamp
    from mlops_tui.domains.features.removing import Removed
    from mlops_tui.domains.features.sources import Source


UPKEEP_WAIT_S = 10.0


class Features(Watching):
    """Feature tables of one workspace. Reading, profiling, checking and lookups are its bases' part; changing is here."""

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
        if self._derived.get(name) is not None:
            raise AlreadyExists(f"'{name}' is an on-demand transformation.", hint="Choose another name.")
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
        """Take a table with all its versions out of every list and offline; `bring_back` undoes it.

        Its files stay until a collection with `deleted_ms`; places it watched are forgotten. Pushed rows that wait come into
        the lake first.
        """
        table = self.get(name)
        with contextlib.suppress(WorkbenchError):
            self.flush(name)
            table = self.get(name)
        with self._context.catalog.write() as tx:
            self._store.graveyard.bury(tx, table, self._context.now(), self._context.actor)
            before = {"version": table.latest_version, "rows": table.rows}
            self._audit.note(tx, "remove", "feature table", name, why=why, before=before)
        self._forget_online(name)

    def bring_back(self, name: str, *, why: str = "") -> Table:
        """The table of this name that was removed last, as it was; online it is again with the next `materialize`.

        Raises NotFound when there is none, or its files were collected, and AlreadyExists when the name is in use.
        """
        with self._context.catalog.write() as tx:
            if self._store.get(name) is not None or self._derived.get(name) is not None:
                raise AlreadyExists(f"'{name}' is there.", hint="Remove that one first to bring the older one back.")
            if not self._store.graveyard.raise_up(tx, name):
                names = [one.name for one in self.removed()]
                hint = did_you_mean(name, names, f"Removed are: {', '.join(names) or 'none'}.")
                raise NotFound(f"No feature table '{name}' was removed, or it was collected since.", hint=hint)
            table = self.get(name)
            after = {"version": table.latest_version, "rows": table.rows}
            self._audit.note(tx, "bring back", "feature table", name, why=why, after=after)
        return table

    def removed(self) -> builtins.list[Removed]:
        """Tables that `bring_back` can bring back, the newest first."""
        return self._store.graveyard.all()

    # -- upkeep ------------------------------------------------------------------------------------------------------

    def compact(self, name: str, *, message: str = "") -> Snapshot:
        """Write the files of the newest snapshot as one, sorted by key and time, as a new version; no row is lost or changed.

        With a single file nothing is done and the newest snapshot returned. Raises Unavailable when the table was replaced
        meanwhile.
        """
        from mlops_tui.domains.features.compacting import compact

        table, snapshot = self._snapshots.resolve(name)
        return compact(self._context, self._audit, self._store, self._snapshots, table, snapshot, message)

    def collect(
        self,
        *,
        keep: int | None = None,
        hold: Collection[str] = (),
        min_age_ms: int | None = None,
        deleted_ms: int | None = None,
        dry_run: bool = False,
    ) -> Collected:
        """Remove what no one needs: half-written files of dead processes, files no version names, rows of old versions.

        Old versions go only with `keep`, the number of newest ones to keep per table; versions in `hold` (`orders@3`) stay,
        and so do those that a live process is reading. A collected version keeps its place in the history. With `deleted_ms`
        tables that were removed so long ago go for good.
        """
        from mlops_tui.domains.features import collecting

        age = collecting.MIN_AGE_MS if min_age_ms is None else min_age_ms
        busy = "A backup or another collection runs, so nothing was removed."
        with locks.alone(self._context.workspace.upkeep_lock, busy, wait_s=UPKEEP_WAIT_S):
            return collecting.collect(
                self._context,
                self._audit,
                self._store,
                keep=keep,
                hold=frozenset(hold),
                min_age_ms=age,
                deleted_ms=deleted_ms,
                dry_run=dry_run,
            )

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
        allow: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Snapshot:
        """Take a file (CSV, Parquet, JSON lines, Arrow, SQLite), a query, a DataFrame or a list of dicts in as a new snapshot.

        Rows that cannot be read, or lack a key or the event time, are set aside (`quarantine`) and counted. A `batch_id`
        seen before returns its snapshot and changes nothing. `types` fixes column types (BOOLEAN, BIGINT, DOUBLE, VARCHAR,
        TIMESTAMPTZ). New columns and BIGINT -> DOUBLE are accepted; a column that went or changed its type needs `allow`
        ("removed", "changed": missing or text from then on) or mode "replace". Raises NotFound, InvalidInput, Unavailable
        (disk full); then nothing was changed.
        """
        from mlops_tui.domains.features.taking import Ingest

        table = self.get(name)
        chosen = choice(Mode, mode, "mode")
        if unknown := set(allow) - {REMOVED, CHANGED}:
            raise InvalidInput(f"'{min(unknown)}' cannot be allowed.", hint=f"Allow {REMOVED} or {CHANGED}.")
        if batch_id and (seen := self._store.version_of_batch(table, batch_id)):
            return seen
        taking = Ingest(self._context, self._audit, self._store, table, progress, allow)
        return taking.run(source, chosen, message=message, batch_id=batch_id, types=types or {})

    def ingest_files(
        self,
        name: str,
        pattern: Path | str,
        *,
        message: str = "",
        types: Mapping[str, str] | None = None,
        allow: Collection[str] = (),
        progress: Progress | None = None,
    ) -> builtins.list[Taken]:
        """Append every file of a folder, or that a pattern such as `in/*.csv` matches, in order of name, each as a snapshot.

        The batch id of a file is its name and content, so that one taken in before is passed over, also by a retry after a
        crash. A file that cannot be taken in does not stop the others; its outcome says why. Raises NotFound.
        """
        from mlops_tui.domains.features.many import batch_of, files_of

        table = self.get(name)
        files = files_of(pattern)
        outcomes = []
        for done, file in enumerate(files):
            if progress is not None:
                progress(done, len(files), file.name)
            try:
                batch = batch_of(file)
                known = self._store.version_of_batch(table, batch)
                taken = known or self.ingest(
                    name, file, message=message or file.name, batch_id=batch, types=types, allow=allow
                )
                outcomes.append(Taken(str(file), "known" if known else "taken", taken, ""))
            except WorkbenchError as error:
                outcomes.append(Taken(str(file), "refused", None, error.message))
        return outcomes

    def take_watched(
        self, watch_id: int, files: Sequence[str], *, progress: Progress | None = None
    ) -> builtins.list[Taken]:
        """Take files of a watch in, each once, and keep what became of them; for the daemon's job.

        One that changed while it was read is left for the next look and not named. Raises NotFound when the watch is gone,
        Unavailable (disk full) after the files before were taken in.
        """
        from mlops_tui.domains.features.many import batch_of

        watch = self._watches.get(watch_id)
        if watch is None:
            raise NotFound("This folder is watched no more.", hint="See: mlops features watch NAME")
        outcomes = []
        for done, path in enumerate(files):
            file, stamp = Path(path), stamp_of(Path(path))
            if progress is not None:
                progress(done, len(files), file.name)
            if stamp is None or self._watches.stamps(watch).get(path) == stamp:
                continue
            try:
                batch = batch_of(file)
                known = self._store.version_of_batch(self.get(watch.table), batch)
                taken = known or self.ingest(
                    watch.table, file, message=file.name, batch_id=batch, progress=_while_still(file, stamp)
                )
                outcome = Taken(path, "known" if known else "taken", taken, "")
            except (_Moved, FileNotFoundError):
                continue
            except OSError as error:
                outcome = Taken(path, "refused", None, f"It cannot be read: {error.strerror}.")
            except InvalidInput as error:
                outcome = Taken(path, "refused", None, error.message)
            with self._context.catalog.write() as tx:
                version = outcome.snapshot.version if outcome.snapshot else None
                now = self._context.now()
                self._watches.put(tx, watch, WatchedFile(path, outcome.state, version, outcome.reason, now), stamp)
            outcomes.append(outcome)
        return outcomes

    def restore(self, ref: str, *, message: str = "") -> Snapshot:
        """A new version whose rows are those of `ref`: going back without forgetting. Nothing is copied."""
        from mlops_tui.domains.features.taking import restore

        table, snapshot = self._snapshots.resolve(ref)
        return restore(self._context, self._audit, self._store, table, snapshot, message)


class _Moved(Unavailable):
    """A file is not what it was when its content was hashed."""


def _while_still(file: Path, stamp: Stamp) -> Progress:
    """Progress of an ingest that stops it, before its commit, when the file changes while it is read."""

    def step(done: int, total: int | None, note: str) -> None:
        if stamp_of(file) != stamp:
            raise _Moved(f"{file.name} changed while it was read.")

    return step
