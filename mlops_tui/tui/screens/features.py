"""Feature tables, their versions, rows with a profile beside them, checks, and what ingests set aside."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from textual import on
from textual.message import Message

from mlops_tui.domains.features.searching import TABLES as ASKS
from mlops_tui.tui import actions
from mlops_tui.tui.blocks import Block, Text
from mlops_tui.tui.screens import column_profile, feature_deeds, feature_lists, feature_looks, grid, label_lists
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.section import Inside, Memory, Section
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.chart import ChartView, of_blocks
from mlops_tui.tui.widgets.states import Empty

CELLS_AT_ONCE = 30_000_000
"""Up to so many cells a table is profiled exactly without being asked to, after the sample."""


class FeaturesDesk(Desk):
    """Tables, snapshots, rows, checks, rows set aside."""

    ID = "features"
    CSS_PATH = "features.tcss"
    BINDINGS = bindings("features")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "tables",
            "Tables",
            feature_lists.tables,
            columns=feature_lists.TABLE_COLUMNS,
            key=lambda one: str(one.name),
            empty=Empty(
                "No feature tables yet. A table names its key columns and, for point-in-time joins, its event time.",
                "mlops features create stations --key station_id --time at",
                "n",
            ),
            detail=feature_lists.table_detail,
            inside=Inside("snapshots", lambda one: f"table:{one.name}", "snapshots"),
            names=lambda one: {"name": one.name},
            asks=ASKS,
        ),
        Section(
            "snapshots",
            "Snapshots",
            feature_lists.snapshots,
            columns=feature_lists.SNAPSHOT_COLUMNS,
            key=lambda one: str(one.reference),
            empty=Empty(
                "No snapshots yet. Each ingest makes one; it never changes afterwards.",
                "mlops features ingest TABLE FILE.csv",
                "i",
            ),
            detail=feature_lists.snapshot_detail,
            inside=Inside("rows", lambda one: "", "rows"),
            names=lambda one: {"name": one.table, "version": one.reference},
        ),
        Section(
            "rows",
            "Rows",
            key=lambda one: str(one.key),
            empty=Empty(
                "No rows yet. This is the table or snapshot selected last; a file brings rows.",
                "mlops features ingest TABLE FILE.csv",
                "i",
            ),
            names=lambda one: {"ref": one.ref, "name": one.ref.partition("@")[0]},
            paged=grid.PAGED,
        ),
        Section(
            "checks",
            "Checks",
            feature_lists.checks,
            columns=feature_lists.CHECK_COLUMNS,
            key=lambda one: str(one.key),
            empty=Empty(
                "No table was checked yet. Some checks are always there; r on a table runs them.",
                "mlops features check TABLE",
            ),
            detail=feature_lists.check_detail,
            names=lambda one: {"name": one.table, "check": one.result.name or one.result.check},
        ),
        Section(
            "aside",
            "Set aside",
            feature_lists.set_aside,
            columns=feature_lists.ASIDE_COLUMNS,
            key=lambda one: str(one.key),
            empty=Empty(
                "No row was set aside. Rows that an ingest cannot read come here with line, column and reason.",
                "mlops features quarantine TABLE",
            ),
            detail=feature_lists.aside_detail,
            names=lambda one: {"name": one.table},
            limit=feature_lists.SET_ASIDE,
        ),
        label_lists.LABELS,
    )

    class Profiled(Message):
        """A worker has the profile of a snapshot, or why not; `exact` says which of the two was asked for."""

        def __init__(self, ref: str, found: Any, exact: bool) -> None:
            super().__init__()
            self.ref, self.found, self.exact = ref, found, exact

    def __init__(self) -> None:
        super().__init__()
        self._listed = "tables"
        self._profiles: dict[str, Any] = {}
        self._profiling: set[str] = set()
        self._drawn: tuple[str, str, Any, str] | None = None

    # -- rows of the table or snapshot selected last ----------------------------------------------------------------------

    def show_section(self) -> None:
        """Rows are those of the table or snapshot chosen last; their detail is the profile of a column."""
        if self.section.id == "tables" or (self.section.id == "snapshots" and self.here.wanted):
            self._listed = self.section.id
        elif self.section.id == "rows":
            self._choose_rows(self.memory[self._listed].selected or self.memory["tables"].selected)
        if not self.here.loaded:
            self.table.cursor = 0
        self._drawn = None
        super().show_section()
        if self.section.id == "rows":
            self.remove_class("-plain")

    def _choose_rows(self, ref: str) -> None:
        memory = self.memory["rows"]
        if ref != memory.of:
            self.memory["rows"] = Memory(of=ref, arrangement=memory.arrangement)

    def learn_fields(self, section: Section) -> None:
        """Rows can be asked about the columns of their own table."""
        if section.id == "rows":
            ref = self.memory["rows"].of
            section = dataclasses.replace(section, fields=lambda bench: grid.known_fields(bench, ref))
        super().learn_fields(section)

    def action_inside(self) -> None:
        """Of a row: its values uncut. Of a check: the rows that fail it. Of a label queue: its rows, to label them."""
        record = self.record
        if self.section.id == "snapshots":
            self._listed = "snapshots"
        if self.section.id == "labels":
            self.call_later(self.carry_out, actions.get("features.label"))
        elif record is None or self.section.id not in ("rows", "checks"):
            super().action_inside()
        elif self.section.id == "checks":
            feature_looks.failing(self, record)
        else:
            from mlops_tui.tui.widgets.cell import WholeCell

            shown = self.table.shown
            values = grid.whole([self.table.columns[at] for at in shown], record)
            self.app.push_screen(WholeCell(values, shown.index(self.table.column)))

    # -- the profile beside the rows --------------------------------------------------------------------------------------

    @property
    def column(self) -> str:
        """The column of the rows under the column cursor."""
        columns = self.table.columns
        return columns[self.table.column].title if self.section.id == "rows" and columns else ""

    def _moved(self) -> None:
        before = self.here.selected
        super()._moved()
        if self.section.id == "snapshots" and before not in ("", self.here.selected):
            self._listed = "snapshots"  # chosen, and not only passed by on the way to the rows
        if self.section.id == "rows":
            self._show_profile()

    def action_column(self, step: int) -> None:
        super().action_column(step)
        if self.section.id == "rows":
            self._show_profile(home=True)

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
        if exact:
            self.progress[self._title(ref)] = "..."
        self.run_worker(
            lambda: self.post_message(
                self.Profiled(
                    ref,
                    source.attempt(lambda bench: bench.features.profile(ref, quick=not exact, progress=report)),
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

    # -- what can be done ---------------------------------------------------------------------------------------------------

    async def act_ingest(self) -> None:
        """Ask for table and file, then ingest in a worker."""
        feature_deeds.ingest(self)

    async def act_create(self) -> None:
        """Ask for name, keys and event time."""
        feature_deeds.create(self)

    async def act_check(self) -> None:
        """Run the checks of the selected table."""
        feature_deeds.check(self, str(self.record.name))

    async def act_recheck(self) -> None:
        """Run the checks of the table that the selected check is of."""
        feature_deeds.check(self, str(self.record.table))

    async def act_compact(self) -> None:
        """Write the files of the selected table as one."""
        feature_deeds.compact(self)

    async def act_restore(self) -> None:
        """Make the rows of the selected version the newest again."""
        feature_deeds.restore(self)

    async def act_diff(self) -> None:
        """Two versions side by side."""
        feature_looks.diff(self)

    async def act_frequencies(self) -> None:
        """The commonest values of the column under the column cursor."""
        feature_looks.frequencies(self)

    async def act_profile(self) -> None:
        """The profile of the column: beside the rows where there is room, else over them; again: of all rows."""
        ref, pane = self.record.ref, self.query_one("#detail")
        found = self._profiles.get(ref)
        if pane.display and found is not None and not isinstance(found, Failure) and not found.exact:
            self.profile(ref, exact=True)
        if not pane.display:
            self.add_class("-open")
        pane.focus()
        self._show_profile(home=True)

    async def act_lookup(self) -> None:
        """The values of an entity, online and offline."""
        feature_looks.lookup(self)

    async def act_label(self) -> None:
        """Label the rows of the queue, one by one."""
        label_lists.label(self)

    async def act_publish(self) -> None:
        """Bring the feature table of the queue up to date."""
        label_lists.publish(self)

    async def act_sql(self) -> None:
        """The SQL console."""
        feature_looks.console(self)
