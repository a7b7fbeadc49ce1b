"""DuckDB over immutable Parquet files: private in-memory connections, and files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.core.identity import identity, runs

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from mlops_tui.core.settings import Lake as LakeSettings
    from mlops_tui.core.workspace import Workspace


class Lake:
    """The workspace's Parquet files and the engine that reads them."""

    def __init__(self, workspace: Workspace, settings: LakeSettings) -> None:
        self.root = workspace.lake
        self._tmp = workspace.tmp
        self._settings = settings
        self._lock = threading.Lock()
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._open = 0

    # -- queries -----------------------------------------------------------------------------------------------------

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A new private in-memory engine: a shared `.duckdb` file would shut every other process out.

        Take one `cursor()` per query: executing again on the same handle silently changes what an older result yields.
        """
        import duckdb

        engine = duckdb.connect(
            ":memory:",
            config={
                "threads": self._settings.threads,
                "memory_limit": self._settings.memory,
                "temp_directory": str(self._tmp / "duckdb"),
                "autoinstall_known_extensions": False,  # would try to download at run time
                "autoload_known_extensions": False,
                "enable_external_file_cache": False,  # an engine that is kept must not keep the files it read too
            },
        )
        engine.execute("SET GLOBAL TimeZone = 'UTC'")  # a plain SET is not inherited by cursors
        return engine

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one piece of work; DuckDB's own errors become InvalidInput or Unavailable in plain words.

        It is a cursor of one engine that is kept, since starting an engine takes 20 ms of CPU, longer than most queries. So what is
        made on it has to be temporary, and what changes settings wants a `private` one.
        """
        with self._lock:
            if self._engine is None:
                self._engine = self.connect()
                _KEPT.add(self)
            cursor = self._engine.cursor()
            self._open += 1
        try:
            with _plain(cursor):
                yield cursor
        finally:
            with self._lock:
                self._open -= 1

    @contextmanager
    def private(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Like `connection`, on an engine of its own: for what closes doors or changes settings for good."""
        with _plain(self.connect()) as connection:
            yield connection

    def rest(self) -> None:
        """Close the kept engine unless somebody works on it: its threads would not be there in a forked process."""
        with self._lock:
            if self._engine is not None and not self._open:
                self._engine.close()
                self._engine = None

    def forget(self) -> None:
        """In a forked process: leave the parent's engine alone, whose threads are not here."""
        self._lock = threading.Lock()
        if self._engine is not None:
            _LEFT.append(self._engine)  # closing it, as its end would, waits for those threads
        self._engine, self._open = None, 0

    def query(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[dict[str, Any]]:
        """All rows as dicts."""
        with self.connection() as connection:
            return _arrow(connection, sql, params).to_pylist()  # type: ignore[no-any-return]

    def frame(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> pd.DataFrame:
        """All rows as a DataFrame, times as UTC."""
        with self.connection() as connection:
            return _arrow(connection, sql, params).to_pandas()  # type: ignore[no-any-return]

    # -- files -------------------------------------------------------------------------------------------------------

    def stage(self, suffix: str = ".parquet") -> Path:
        """A path to write to that no one reads; its name says which process owns it, so that debris can be told apart."""
        self._tmp.mkdir(parents=True, exist_ok=True)
        me = identity()
        return self._tmp / f"{me.pid}-{me.started}-{os.urandom(8).hex()}{suffix}"

    @contextmanager
    def room(self) -> Iterator[Path]:
        """An empty folder that no one else reads, gone at the end of the `with`; with a process that dies meanwhile it is debris."""
        place = self.stage(suffix="")
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def publish(self, staged: Path, dest: Path) -> None:
        """Make `staged` durable and let it appear as `dest` at once.

        Call it inside the `write()` whose catalog row makes the file visible: a collector holding that lock then never
        meets a file whose row is about to come.
        """
        try:
            dest.parent.mkdir(parents=True, exist_ok=True)
            sync_file(staged)
            staged.replace(dest)
            sync_folder(dest.parent)
        except OSError as error:
            staged.unlink(missing_ok=True)
            raise disk_error(error, dest) from error

    def copy_to_parquet(self, sql: str, dest: Path, params: Sequence[Any] = ()) -> int:
        """Write a query's rows to `dest` (zstd Parquet); the number of rows. Nothing is left behind on failure."""
        staged = self.stage()
        try:
            with self.connection() as connection:
                # DuckDB binds no parameters inside COPY, so the query becomes a view of its own result first.
                relation = connection.sql(sql, params=list(params)) if params else connection.sql(sql)
                relation.write_parquet(str(staged), compression="zstd")
                count = connection.execute("SELECT num_rows FROM parquet_file_metadata(?)", [str(staged)]).fetchone()
            self.publish(staged, dest)
        finally:
            staged.unlink(missing_ok=True)
        return int(count[0]) if count else 0

    def sweep_staging(self) -> list[Path]:
        """Remove what dead processes left half-written; the paths removed."""
        removed = []
        for path in self._tmp.glob("*-*-*"):
            pid, started, _ = path.name.split("-", 2)
            if pid.isdigit() and started.isdigit() and not runs(int(pid), int(started)):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
                removed.append(path)
        return removed


@contextmanager
def _plain(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    try:
        yield connection
    except duckdb.Error as error:
        raise plain_error(error) from error
    finally:
        connection.close()


_KEPT: weakref.WeakSet[Lake] = weakref.WeakSet()
_LEFT: list[Any] = []


def _before_fork() -> None:
    for lake in list(_KEPT):
        lake.rest()


def _in_child() -> None:
    for lake in list(_KEPT):
        lake.forget()


os.register_at_fork(before=_before_fork, after_in_child=_in_child)


def _arrow(connection: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any] | dict[str, Any]) -> Any:
    """A query's whole result as an Arrow table: times keep their zone, and nothing stays half-read on the connection."""
    relation = connection.sql(sql, params=params) if params else connection.sql(sql)
    return relation.to_arrow_table()


def sync_file(path: Path) -> None:
    """fsync a file's contents."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """fsync a folder, so that a rename in it survives power loss."""
    sync_file(path)


def disk_error(error: OSError, path: Path) -> Unavailable:
    """An OSError of writing `path` as one sentence with a hint."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            f"The disk is full: {path.name} was not written and nothing was changed.",
            hint="Free some space and try again.",
        )
    return Unavailable(
        f"Cannot write {path}: {error.strerror or error}.", hint="Check the disk and your right to write there."
    )


def plain_error(error: duckdb.Error) -> InvalidInput | Unavailable:
    """A DuckDB error as one of ours: its first line, without the position art."""
    import duckdb

    text = str(error).strip().split("\n", 1)[0]
    if isinstance(error, duckdb.OutOfMemoryException):
        return Unavailable(
            "The query needs more memory than allowed.",
            hint="Raise memory under [lake] in settings.toml, or ask for fewer rows.",
        )
    if isinstance(error, duckdb.InterruptException):
        return Unavailable("The query was cancelled.")
    if isinstance(error, duckdb.IOException) and "No space left" in text:
        return Unavailable("The disk is full; nothing was changed.", hint="Free some space and try again.")
    return InvalidInput(f"The data engine says: {text}")
