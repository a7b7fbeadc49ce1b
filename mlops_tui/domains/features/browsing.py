"""Looking around in tables of any size: a window of rows, the commonest values, and SQL that can be stopped."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import AlreadyExists, InvalidInput
from mlops_tui.domains.features.reading import Reading

MOST_ROWS = 100_000
"""Rows an answer to a query holds at most unless more are asked for."""
Running = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Frequencies:
    """The commonest values of a column among `rows` rows, the commonest first; `more` when there are others."""

    column: str
    rows: int
    values: tuple[tuple[Any, int], ...]
    more: bool


class Answer:
    """The rows of a query, kept as Arrow and made Python values a window at a time. `more`: the query has more than these."""

    def __init__(self, arrow: Any, more: bool) -> None:
        self._arrow = arrow
        self.more = more
        self.rows: int = arrow.num_rows
        self.columns: tuple[tuple[str, str], ...] = tuple((field.name, str(field.type)) for field in arrow.schema)

    def window(self, offset: int, limit: int) -> list[tuple[Any, ...]]:
        """Rows as tuples of plain values, times as ISO 8601 UTC text."""
        part = self._arrow.slice(offset, limit)
        columns = [[_plain(value) for value in column.to_pylist()] for column in part.columns]
        return list(zip(*columns, strict=True)) if columns else []


class Browsing(Reading):
    """What a person who looks around in tables asks for."""

    def window(
        self,
        ref: str,
        *,
        where: str | None = None,
        order: str | Sequence[str] | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """As `rows`, but without an order rows come as they lie in the files: batch by batch, by key and time in each.

        So any window of a table of millions of rows is read in hundredths of a second. In an order, or far down among the rows
        that meet `where`, thousands of rows around it are read with it and kept for the next windows. Raises InvalidInput.
        """
        from mlops_tui.domains.features import offline, views
        from mlops_tui.domains.features.blocks import BLOCKS

        table, snapshot = self._snapshots.resolve(ref)
        names = [name.strip() for name in order.split(",")] if isinstance(order, str) else list(order or ())

        def read(start: int, most: int) -> Any:
            with self._snapshots.reading(snapshot.reference) as (connection, source, _, now):
                if not names:
                    return views.lying(connection, source, now.columns, where, most, start)
                total = None if where else now.rows
                return views.ordered(connection, source, now.columns, where, names, most, start, total)

        limit, offset = max(int(limit), 0), max(int(offset), 0)
        if not names and (not where or not offset):
            return offline.as_rows(read(offset, limit))
        if not limit:
            return []
        key = (str(self._context.workspace.root), table.id, snapshot.version, where, tuple(names))
        return offline.as_rows(BLOCKS.window(key, offset, limit, read))

    def tally(self, ref: str, where: str, *, patience_s: float = 0.3) -> int | None:
        """How many rows meet `where`; None when counting them takes longer than that. Raises InvalidInput."""
        from mlops_tui.domains.features import views

        with self._snapshots.reading(ref) as (connection, source, _, snapshot):
            timer = threading.Timer(patience_s, connection.interrupt)
            timer.start()
            try:
                return views.count(connection, source, snapshot.columns, where)
            finally:
                timer.cancel()
                timer.join()

    def frequencies(self, ref: str, column: str, *, where: str | None = None, limit: int = 1000) -> Frequencies:
        """The commonest values of a column, of all rows or of those that meet `where`. Raises InvalidInput."""
        from mlops_tui.domains.features import views

        with self._snapshots.reading(ref) as (connection, source, _, snapshot):
            rows, values = views.frequencies(connection, source, snapshot.columns, column, where, limit + 1)
            return Frequencies(column, rows, tuple(values[:limit]), len(values) > limit)

    # -- SQL -----------------------------------------------------------------------------------------------------------

    def answer(self, query: str, *, limit: int = MOST_ROWS, running: Running | None = None) -> Answer:
        """One read-only SELECT over tables as views, as `sql`, of which `limit` rows are kept.

        `running` is given a function that stops it, from any thread: then Unavailable is raised. Mistakes raise InvalidInput
        with the line and a caret below the place.
        """
        from mlops_tui.domains.features import views

        with self._stream(query, running) as reader:
            table = views.taken(reader, limit + 1)
            return Answer(table.slice(0, limit), table.num_rows > limit)

    def save_answer(self, query: str, path: Path, *, running: Running | None = None) -> int:
        """Write all rows of a query to a new CSV or Parquet file; how many. Nothing half-written stays behind.

        Raises InvalidInput for another ending, AlreadyExists, and as `answer`.
        """
        from mlops_tui.domains.features import views

        if path.suffix not in views.WRITERS:
            raise InvalidInput(f"'{path.name}' ends neither in .csv nor in .parquet.", hint="Name it result.csv")
        if path.exists():
            raise AlreadyExists(f"{path} is there already.", hint="Choose another name.")
        if not path.parent.is_dir():
            raise InvalidInput(f"There is no folder {path.parent}.", hint="Make it first, or choose another.")
        staged = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with self._stream(query, running) as reader:
                rows = views.write(reader, staged, path.suffix)
            staged.rename(path)
        finally:
            staged.unlink(missing_ok=True)
        return rows

    def _stream(self, query: str, running: Running | None) -> Any:
        from mlops_tui.domains.features import views

        return views.stream(
            query,
            self._snapshots,
            self._context.lake,
            self._context.lake.root / "features",
            running or (lambda stop: None),
        )


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value
