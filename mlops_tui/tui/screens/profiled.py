"""Rows with the profile of a column beside them: of a sample at once, of all rows after it."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.message import Message

from mlops_tui.tui.blocks import Block, Text
from mlops_tui.tui.screens import column_profile
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.chart import ChartView
from mlops_tui.tui.widgets.picture import of_blocks

CELLS_AT_ONCE = 30_000_000
"""Up to so many cells a table is profiled exactly without being asked to, after the sample."""


class ProfiledRows(Desk):
    """A desk with a part `rows` of a snapshot; its detail is the profile of the column under the column cursor."""

    class Profiled(Message):
        """A worker has the profile of a snapshot, or why not; `exact` says which of the two was asked for."""

        def __init__(self, ref: str, found: Any, exact: bool) -> None:
            super().__init__()
            self.ref, self.found, self.exact = ref, found, exact

    def __init__(self) -> None:
        super().__init__()
        self._profiles: dict[str, Any] = {}
        self._profiling: set[str] = set()
        self._drawn: tuple[str, str, Any, str] | None = None

    @property
    def column(self) -> str:
        """The column of the rows under the column cursor."""
        columns = self.table.columns
        return columns[self.table.column].title if self.section.id == "rows" and columns else ""

    def _show_profile(self, *, home: bool = False) -> None:
        record = self.record
        if record is None or not (self.has_class("-wide") or self.has_class("-open")):
            return
        ref, view = record.ref, self.query_one("#detail", ChartView)
        found = self._profiles.get(ref)
        if found is None:
            self.profile(ref, exact=False)
            self._drawn = None
            view.show(lambda width, height: states.loading(width))
        elif isinstance(found, Failure):
            self._drawn = None
            view.show(lambda width, height: states.failed(found, width))
        elif self._drawn != (drawn := (ref, self.column, found, self._counting(ref))):
            self._drawn = drawn
            view.show(of_blocks(self._blocks(ref, found)), home=home, of=f"{ref} {self.column}")

    def _blocks(self, ref: str, found: Any) -> list[Block]:
        text = self._counting(ref)
        blocks = list(column_profile.of_column(found, self.column, text))
        if not found.exact and not text:
            blocks.insert(1, Text("I counts all rows.", "muted"))
        return blocks

    def _counting(self, ref: str) -> str:
        return f"◐ Counting all rows: {self.progress.get(self._title(ref), '')}" if ref in self._profiling else ""

    def profile(self, ref: str, *, exact: bool) -> None:
        """Read or compute the profile of a snapshot in a worker: a sample at once, or all rows with progress."""
        if ref in self._profiling:
            return
        self._profiling.add(ref)
        source, report = self.workbench_app.source, self.report(self._title(ref))
        keep = not self.workbench_app.read_only
        if exact:
            self.progress[self._title(ref)] = "..."
        self.run_worker(
            lambda: self.post_message(
                self.Profiled(
                    ref,
                    source.attempt(
                        lambda bench: bench.features.profile(ref, quick=not exact, keep=keep, progress=report)
                    ),
                    exact,
                )
            ),
            thread=True,
            group="profile",
            exit_on_error=False,
        )

    def _title(self, ref: str) -> str:
        return f"profile of {ref}"

    @on(Profiled)
    def _profiled(self, message: Profiled) -> None:
        found, ref = message.found, message.ref
        self._profiling.discard(ref)
        self.progress.pop(self._title(ref), None)
        self._profiles[ref] = found
        sampled = not isinstance(found, Failure) and not found.exact
        if sampled and not self.workbench_app.read_only and found.rows * len(found.columns) <= CELLS_AT_ONCE:
            self.profile(ref, exact=True)
        if self.section.id == "rows":
            self._show_profile()
        self.chrome()
