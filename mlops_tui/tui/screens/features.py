"""Feature tables, their versions, rows with a profile beside them, checks, and what ingests set aside."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from mlops_tui.domains.features.searching import TABLES as ASKS
from mlops_tui.tui import actions
from mlops_tui.tui.lines import clean
from mlops_tui.tui.screens import feature_deeds, feature_lists, feature_looks, grid, label_lists
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.frame import WIDE
from mlops_tui.tui.screens.profiled import ProfiledRows
from mlops_tui.tui.screens.section import Inside, Memory, Section
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.bar import Part
from mlops_tui.tui.widgets.states import Empty


class FeaturesDesk(ProfiledRows):
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

    def __init__(self) -> None:
        super().__init__()
        self._listed = "tables"

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

    def parts(self) -> list[Part]:
        """The parts of the desk; where there is no room for the way here, whose rows these are stands in them."""
        found = super().parts()
        at, of = next(place for place, one in enumerate(self.SECTIONS) if one.id == "rows"), self.memory["rows"].of
        if self.section.id == "rows" and of and self.size.width < WIDE:
            spans, action = found[at]
            found[at] = ((*spans[:3], (f" {clean(of)}", "accent"), *spans[3:]), action)
        return found

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

    async def act_materialize(self) -> None:
        """Bring the selected table online up to its newest version."""
        feature_deeds.materialize(self)

    async def act_remove(self) -> None:
        """Take the selected table out of every list."""
        feature_deeds.remove(self)

    async def act_collect(self) -> None:
        """Remove files and rows that no one needs."""
        feature_deeds.collect(self)

    async def act_skew(self) -> None:
        """What lookups of the selected table answered, against the offline join."""
        feature_looks.skew(self, str(self.record.name))

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
