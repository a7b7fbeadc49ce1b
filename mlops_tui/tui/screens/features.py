"""Feature tables and their snapshots; ingesting a file, making a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Fields, Grid, Text
from mlops_tui.tui.lines import number, size
from mlops_tui.tui.screens import cells, grid
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.section import Inside, Memory, Section
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.features.records import Snapshot, Table

SHOWN_ROWS = 8
BAD_ROWS = 20


def tables(bench: Workbench) -> list[Table]:
    """Every table."""
    return bench.features.list()


def snapshots(bench: Workbench) -> list[Snapshot]:
    """The snapshots of every table, newest first."""
    found = [one for table in bench.features.list() for one in bench.features.history(table.name)]
    return sorted(found, key=lambda one: -one.created_at)


def table_detail(bench: Workbench, table: Table) -> Sequence[Block]:
    """A table: what it is, its columns, its newest snapshots, some rows."""
    now = bench.context.now()
    roles: dict[str | None, str] = {table.time: "event time", table.created: "known at"}
    roles.update(dict.fromkeys(table.keys, "key"))
    columns = tuple(
        (name, (kind.lower(), "muted"), (roles.get(name, ""), "accent")) for name, kind in table.columns.items()
    )
    head = Fields(
        (
            ("Keys", ", ".join(table.keys)),
            ("Event time", table.time or "none"),
            ("Newest", f"{table.name}@{table.latest_version}" if table.latest_version else "nothing ingested yet"),
            ("Rows", number(table.rows)),
            ("Size", size(table.bytes)),
            ("Changed", cells.moment(table.updated_at, now)),
            ("About", table.description),
        ),
        title=table.name,
    )
    if not table.latest_version:
        return (head, Text("Press i to ingest a file.", "muted"))
    return (
        head,
        Grid(("Column", "Type", "Role"), columns, title="Columns"),
        _history(bench, table),
        _rows(bench, table.name),
    )


def _history(bench: Workbench, table: Table) -> Block:
    now = bench.context.now()
    newest = sorted(bench.features.history(table.name), key=lambda one: -one.version)[:6]
    rows = tuple(
        (
            f"@{one.version}",
            one.kind,
            number(one.rows),
            f"+{one.added_rows:,}",
            (clock.ago(one.created_at, now), "muted"),
        )
        for one in newest
    )
    return Grid(("Snapshot", "Kind", "Rows", "Added", "When"), rows, title="Snapshots (o lists all)")


def _rows(bench: Workbench, ref: str) -> Block:
    found = bench.features.rows(ref, limit=SHOWN_ROWS)
    heads = tuple(found[0]) if found else ()
    rows = tuple(tuple(_value(row[name]) for name in heads) for row in found)
    return Grid(heads, rows, title="First rows")


def _value(value: Any) -> str:
    text = "" if value is None else number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= 25 else text[:24] + "…"


def snapshot_detail(bench: Workbench, one: Snapshot) -> Sequence[Block]:
    """A snapshot: who made it from what, what was set aside and why."""
    now = bench.context.now()
    head = Fields(
        (
            ("Kind", one.kind),
            ("Rows", f"{one.rows:,} (+{one.added_rows:,})"),
            ("Set aside", (f"▲ {one.quarantined:,} rows", "warn") if one.quarantined else "none"),
            ("Duplicates", number(one.duplicates) if one.duplicates else ""),
            ("Covers", f"{clock.local(one.min_time)} to {clock.local(one.max_time)}" if one.min_time else ""),
            ("Made", cells.moment(one.created_at, now)),
            ("By", one.author),
            ("Message", one.message),
            ("Schema", f"{one.schema_hash} ({len(one.columns)} columns)"),
            ("Changes", "; ".join(one.changes)),
        ),
        title=one.reference,
    )
    if not one.quarantined:
        return (head, _rows(bench, one.reference))
    bad = bench.features.quarantine(one.reference)[:BAD_ROWS]
    rows = tuple((number(row.line), row.column, (row.reason, "warn"), (row.content[:60], "muted")) for row in bad)
    return (head, Grid(("Line", "Column", "Why", "Text"), rows, title="Rows set aside"), _rows(bench, one.reference))


class FeaturesDesk(Desk):
    """Tables and snapshots."""

    ID = "features"
    CSS_PATH = "features.tcss"
    BINDINGS = bindings("features")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "tables",
            "Tables",
            tables,
            columns=(
                cells.text("Table", lambda one: one.name, width=32, grow=True),
                cells.text("Keys", lambda one: ", ".join(one.keys), width=24, rank=3, role="muted"),
                cells.text("Newest", lambda one: f"@{one.latest_version}" if one.latest_version else "-", width=8),
                cells.count("Rows", lambda one: one.rows),
                cells.byte_size("Size", lambda one: one.bytes, rank=2),
                cells.when("Changed", lambda one: one.updated_at),
            ),
            key=lambda one: str(one.name),
            empty=Empty(
                "No feature tables yet. A table names its key columns and, for point-in-time joins, its event time.",
                "mlops features create stations --key station_id --time at",
                "n",
            ),
            detail=table_detail,
            inside=Inside("snapshots", lambda one: f"table:{one.name}", "snapshots"),
            names=lambda one: {"name": one.name},
        ),
        Section(
            "snapshots",
            "Snapshots",
            snapshots,
            columns=(
                cells.text("Table", lambda one: one.table, width=32, grow=True),
                cells.text("Version", lambda one: f"@{one.version}", width=8),
                cells.text("Kind", lambda one: one.kind, rank=2, role="muted"),
                cells.count("Rows", lambda one: one.rows),
                cells.count("Added", lambda one: one.added_rows, rank=2),
                cells.count("Set aside", lambda one: one.quarantined or None, rank=3),
                cells.text("By", lambda one: one.author, width=12, rank=4, role="muted"),
                cells.when("Made", lambda one: one.created_at),
            ),
            key=lambda one: str(one.reference),
            empty=Empty(
                "No snapshots yet. Each ingest makes one; it never changes afterwards.",
                "mlops features ingest TABLE FILE.csv",
                "i",
            ),
            detail=snapshot_detail,
            inside=Inside("rows", lambda one: "", "rows"),
            names=lambda one: {"name": one.table},
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
    )

    def __init__(self) -> None:
        super().__init__()
        self._listed = "tables"

    def show_section(self) -> None:
        """Rows are those of the table or snapshot selected last."""
        if self.section.id != "rows":
            self._listed = self.section.id
        else:
            self._choose_rows(self.memory[self._listed].selected or self.memory["tables"].selected)
        super().show_section()

    def _choose_rows(self, ref: str) -> None:
        memory = self.memory["rows"]
        if ref != memory.of:
            self.memory["rows"] = Memory(of=ref, arrangement=memory.arrangement)

    def action_inside(self) -> None:
        """Of a row: its values uncut."""
        record = self.record
        if self.section.id != "rows" or record is None:
            super().action_inside()
            return
        from mlops_tui.tui.widgets.cell import WholeCell

        shown = self.table.shown
        values = grid.whole([self.table.columns[at] for at in shown], record)
        self.app.push_screen(WholeCell(values, shown.index(self.table.column)))

    async def act_ingest(self) -> None:
        """Ask for table and file, then ingest in a worker."""
        known = tuple(str(one.name) for one in self.memory["tables"].records or ())
        if not known:
            self.notify("There is no table yet: n creates one.", title="Ingest", severity="warning", markup=False)
            return
        here = self.record
        name = str(getattr(here, "table", "") or getattr(here, "name", "")) or known[0]
        fields = (
            Field("table", "Table", name, choices=known),
            Field("file", "File", placeholder="/path/to/file.csv or .parquet"),
            Field("mode", "Mode", "append", choices=("append", "replace")),
        )

        def command(answers: Answers) -> str:
            mode = " --mode replace" if answers["mode"] == "replace" else ""
            return f"mlops features ingest {answers['table']} {answers['file'] or 'FILE'}{mode}"

        def chosen(answers: Answers | None) -> None:
            if answers is not None:
                self._ingest(answers, command(answers))

        self.app.push_screen(Form("Ingest a file", fields, "Ingest", command), chosen)

    def _ingest(self, answers: Answers, command: str) -> None:
        title = f"ingest {answers['table']}"
        report = self.report(title)

        def work(bench: Workbench) -> str:
            source = Path(answers["file"]).expanduser()
            made = bench.features.ingest(answers["table"], source, mode=answers["mode"], progress=report)
            aside = f", {made.quarantined:,} set aside" if made.quarantined else ""
            return f"{made.table}@{made.version}: {made.added_rows:,} rows added{aside}."

        self.perform(title, work, command=command)

    async def act_create(self) -> None:
        """Ask for name, keys and event time."""
        fields = (
            Field("name", "Name", placeholder="stations"),
            Field("keys", "Key columns", placeholder="station_id, ..."),
            Field("time", "Event time", placeholder="column (optional)", optional=True),
            Field("description", "About", optional=True),
        )

        def command(answers: Answers) -> str:
            keys = " ".join(f"--key {key}" for key in _split(answers["keys"])) or "--key COLUMN"
            return f"mlops features create {answers['name'] or 'TABLE'} {keys}" + (
                f" --time {answers['time']}" if answers["time"] else ""
            )

        def chosen(answers: Answers | None) -> None:
            if answers is not None:
                self.perform(
                    "create table",
                    lambda bench: _create(bench, answers),
                    then=lambda: self.go("tables", answers["name"]),
                    command=command(answers),
                )

        self.app.push_screen(Form("Create a feature table", fields, "Create", command), chosen)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _create(bench: Workbench, answers: Answers) -> str:
    table = bench.features.create(
        answers["name"], _split(answers["keys"]), time=answers["time"] or None, description=answers["description"]
    )
    return f"Table {table.name} is there. Press i to ingest a file."
