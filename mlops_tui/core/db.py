"""SQLite as the truth: one writer at a time by a fair kernel lock, migrations inside it, changes seen by polling.

Measured before it was written (docs/decisions/0002-sqlite.md): a `flock` taken before `BEGIN IMMEDIATE` is fair, keeps the
WAL at 4 MB and never reports "database is locked"; SQLite's own back-off starved a writer for four seconds.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlops_tui.core.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import sqlite_utils

Step = Callable[["sqlite_utils.Database"], None]
Durability = Literal["full", "normal"]


class Database:
    """One SQLite file as one thread of one process sees it.

    `durability="full"` survives power loss; `"normal"` may lose the last moments on power loss, never on kill -9.
    After a fork the child reopens the file by itself: SQLite connections must not cross a fork.
    """

    def __init__(self, path: Path, *, durability: Durability = "full", read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._synchronous = durability.upper()
        self._connection: sqlite3.Connection | None = None
        self._lock_file: int | None = None
        self._depth = 0
        self._owner = os.getpid()
        self._after: list[Callable[[], None]] = []

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """All rows, fetched at once so that no read transaction outlives the call (a held one makes the WAL grow)."""
        with _plain_words(self.path):
            return self._open().execute(sql, params).fetchall()

    def tuples(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Like `read`, for tens of thousands of rows: plain tuples take half the time to make and to take apart."""
        with _plain_words(self.path):
            cursor = self._open().cursor()
            cursor.row_factory = None
            return cursor.execute(sql, params).fetchall()

    def one(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Row | None:
        """The first row, or None."""
        rows = self.read(sql, params)
        return rows[0] if rows else None

    def value(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.one(sql, params)
        return row[0] if row is not None else None

    def data_version(self) -> int:
        """A number that changes whenever any process commits to this file: 10 microseconds to ask."""
        connection = self._open()
        # data_version moves for commits of other connections, total_changes for our own.
        return (
            int(connection.execute("PRAGMA data_version").fetchone()[0]) * 1_000_000
            + connection.total_changes % 1_000_000
        )

    # -- writing -----------------------------------------------------------------------------------------------------

    @contextmanager
    def write(self, *, hasty: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction: everything inside lands, or nothing. A `write()` inside another joins it.

        A `hasty` one does not wait for the disk: everybody sees it and no kill takes it back, but a power cut may.
        """
        connection = self._open()
        if self._depth:
            self._depth += 1
            try:
                yield connection
            finally:
                self._depth -= 1
            return
        with self._turn(), _plain_words(self.path):
            if hasty:
                connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._after.clear()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0
                if hasty:
                    connection.execute(f"PRAGMA synchronous={self._synchronous}")
        after, self._after = self._after, []
        for call in after:
            call()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call this once what is being written is there for others to see: at once outside of a `write()`."""
        if self._depth:
            self._after.append(call)
        else:
            call()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait in line for this file. The kernel frees a dead holder's lock, and hands it on in order."""
        if self.read_only:
            raise Unavailable(
                f"{self.path} is open for reading only.", hint="Check the owner and mode of the workspace folder."
            )
        if self._lock_file is None:
            self._lock_file = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    # -- schema ------------------------------------------------------------------------------------------------------

    def migrate(self, room: str, steps: Sequence[Step]) -> None:
        """Run the steps of `room` that this file has not seen, in one transaction, recorded by sqlite-utils' migrations.

        Costs one query when nothing is missing: sqlite-utils (and the pandas it pulls) is imported only to change a schema.
        """
        names = [step.__name__ for step in steps]
        if set(names) <= self._applied(room):
            return
        with self.write() as connection:
            if set(names) <= self._applied(room):  # another process was faster
                return
            library = _import_sqlite_utils()
            migrations = library.Migrations(room)
            for step in steps:
                migrations(name=step.__name__)(step)
            migrations.apply(library.Database(connection, execute_plugins=False))

    def _applied(self, room: str) -> set[str]:
        try:
            rows = (
                self._open().execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (room,)).fetchall()
            )
        except sqlite3.OperationalError:  # the table comes with the first migration
            return set()
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error
        return {row[0] for row in rows}

    # -- life --------------------------------------------------------------------------------------------------------

    def backup(self, target: Path) -> None:
        """A consistent copy while others write; never copy the file itself (POSIX locks would drop)."""
        copy = sqlite3.connect(target)
        try:
            self._open().backup(copy)
        finally:
            copy.close()

    def check(self) -> list[str]:
        """What SQLite's quick check finds wrong with the file; empty when it is sound."""
        try:
            found = [row[0] for row in self._open().execute("PRAGMA quick_check")]
        except (sqlite3.DatabaseError, Unavailable) as error:
            return [str(error)]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        if self._connection is not None and self._owner == os.getpid():
            self._connection.close()
        self._connection = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _open(self) -> sqlite3.Connection:
        if self._owner != os.getpid():
            # A forked child: dropping the parent's handle without closing it keeps the parent's locks.
            _ABANDONED.append(self._connection)
            self._connection, self._lock_file, self._depth, self._owner = None, None, 0, os.getpid()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        fresh = not self.path.exists()
        try:
            if fresh and not self.read_only:
                # Made by hand so that a group workspace (setgid folder) gives its members write access whatever the umask.
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o660))
            connection = sqlite3.connect(self.path, timeout=30.0, isolation_level=None, cached_statements=256)
        except (OSError, sqlite3.OperationalError) as error:
            raise Unavailable(
                f"Cannot open {self.path}: {error}.",
                hint="Check that the workspace folder exists and that you may write to it.",
            ) from error
        connection.row_factory = sqlite3.Row
        try:
            if not self.read_only:
                self._set_up(connection)
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA journal_size_limit=16777216")
        except sqlite3.DatabaseError as error:
            connection.close()
            raise _damaged(self.path, error) from error
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        """Switch a new file to WAL, once, in line: two processes doing it together meet "database is locked"."""
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        with self._turn():
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")


# Connections a forked child inherited; kept so that Python never closes them there (closing drops the parent's locks).
_ABANDONED: list[sqlite3.Connection | None] = []


_SPARE = 65_536
"""SQLite's shared index of a log in use takes 32 KiB."""


def _damaged(path: Path, error: sqlite3.Error) -> Unavailable:
    refused = _refused_by_disk(path) if isinstance(error, sqlite3.OperationalError) else None
    return refused or Unavailable(
        f"{path} cannot be read as a database: {error}.",
        hint="Look closer with `mlops doctor`; bring back a copy with `mlops restore FILE`.",
    )


def _refused_by_disk(path: Path) -> Unavailable | None:
    """What SQLite calls an I/O error or unable to open, where the disk is full or read-only; None where it is neither."""
    with suppress(OSError):
        disk = os.statvfs(path.parent)
        if disk.f_flag & os.ST_RDONLY or not os.access(path.parent, os.W_OK):
            return Unavailable(
                f"{path.parent} is read-only, and a database must write beside its file even to be read.",
                hint="Copy the workspace to where you can write, or make this place writable.",
            )
        if disk.f_bavail * disk.f_frsize < _SPARE:
            return Unavailable(
                f"The disk is full: {path.name} cannot be opened.", hint="Free some space and try again."
            )
    return None


@contextmanager
def _plain_words(path: Path) -> Iterator[None]:
    """SQLite's errors that a person can do something about, in words; programming mistakes stay as they are."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "full" in text:
            raise Unavailable(
                f"The disk is full: {path.name} could not be written; nothing was changed.",
                hint="Free some space and try again.",
            ) from error
        if "readonly" in text or "read-only" in text:
            raise Unavailable(
                f"{path} may not be written by you.", hint="Check the owner and mode of the workspace folder."
            ) from error
        if "locked" in text or "disk I/O" in text or "unable to open" in text:
            raise (None if "locked" in text else _refused_by_disk(path)) or Unavailable(
                f"{path.name} could not be used: {text}.", hint="Another program may hold it; try again."
            ) from error
        raise
    except sqlite3.DatabaseError as error:
        if "malformed" in str(error) or "not a database" in str(error):
            raise _damaged(path, error) from error
        raise
    except OverflowError as error:
        raise InvalidInput("A number is too large to be stored (more than 64 bits).") from error


def _import_sqlite_utils() -> Any:
    """sqlite-utils without the pandas and numpy it would pull in for type mapping we do not use (0.4 s of CPU)."""
    blocked = [name for name in ("pandas", "numpy") if name not in sys.modules]
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import sqlite_utils
    finally:
        for name in blocked:
            del sys.modules[name]
    return sqlite_utils
