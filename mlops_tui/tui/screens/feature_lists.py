"""What the features desk lists, read in workers: tables with their freshness and checks, versions, checks, rows set aside."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.features.check_records import CheckResult
from mlops_tui.domains.features.records import BadRow, Table
from mlops_tui.tui.blocks import Block, Fields, Grid, Text
from mlops_tui.tui.lines import Span, clean, number, size, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.features.check_records import CheckReport
    from mlops_tui.domains.features.records import Snapshot

SHOWN_ROWS = 8
SET_ASIDE = 1000
_VERDICTS = {"pass": "passed", "warn": "warning", "fail": "failed"}


@dataclasses.dataclass(frozen=True, slots=True)
class TableRow(Table):
    """A table and what is known of its newest version: the verdict of its checks ("" = never checked), its newest event time."""

    verdict: str = ""
    newest: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CheckRow:
    """One check of a table as it went the last time; `at` is when, `result` None when it has not run on this version."""

    table: str
    version: int
    at: int
    result: CheckResult

    @property
    def key(self) -> str:
        return f"{self.table}:{self.result.name or self.result.check}"

    @property
    def state(self) -> str:
        if self.result.ok:
            return "passed"
        return {"error": "failed", "warn": "warning"}.get(self.result.severity, "info")


@dataclasses.dataclass(frozen=True, slots=True)
class AsideRow:
    """A row that an ingest set aside."""

    table: str
    row: BadRow

    @property
    def key(self) -> str:
        return f"{self.table}@{self.row.version}:{self.row.line}:{self.row.column}"


def tables(bench: Workbench) -> list[TableRow]:
    """Every table."""
    return [_table_row(bench, table) for table in bench.features.list()]


def _table_row(bench: Workbench, table: Table) -> TableRow:
    report = bench.features.last_check(table.name) if table.latest_version else None
    newest = bench.features.snapshot(table.name).max_time if table.latest_version else None
    given = {field.name: getattr(table, field.name) for field in dataclasses.fields(Table)}
    return TableRow(**given, verdict=_VERDICTS.get(report.verdict, "") if report else "", newest=newest)


def snapshots(bench: Workbench) -> list[Snapshot]:
    """The snapshots of every table, newest first."""
    found = [one for table in bench.features.list() for one in bench.features.history(table.name)]
    return sorted(found, key=lambda one: -one.created_at)


def checks(bench: Workbench) -> list[CheckRow]:
    """How the checks of every table went the last time they ran, those that failed first."""
    found = []
    for table in bench.features.list():
        reports = bench.features.check_history(table.name)
        if reports:
            newest = reports[0]
            found += [CheckRow(table.name, newest.version, newest.at, result) for result in newest.results]
    order = {"failed": 0, "warning": 1, "info": 2, "passed": 3}
    return sorted(found, key=lambda one: order[one.state])


def set_aside(bench: Workbench) -> list[AsideRow]:
    """The rows that ingests set aside, of the newest versions first; at most a thousand."""
    found: list[AsideRow] = []
    for snapshot in snapshots(bench):
        if snapshot.quarantined and len(found) < SET_ASIDE:
            bad = bench.features.quarantine(snapshot.reference)
            found += [AsideRow(snapshot.table, row) for row in bad[: SET_ASIDE - len(found)]]
    return found


# -- columns -----------------------------------------------------------------------------------------------------------


def fresh(one: TableRow, now: int) -> Span:
    """How old the newest event is; past the table's time to live that is a warning."""
    if one.newest is None:
        return ("-", "muted")
    late = one.ttl is not None and now - one.newest > one.ttl
    return (f"{'▲ ' if late else ''}{clock.ago(one.newest, now)}", "warn" if late else "muted")


TABLE_COLUMNS = (
    cells.text("Table", lambda one: one.name, width=32, grow=True),
    cells.text("Keys", lambda one: ", ".join(one.keys), width=24, rank=4, role="muted"),
    cells.text("Newest", lambda one: f"@{one.latest_version}" if one.latest_version else "-", width=8),
    cells.count("Rows", lambda one: one.rows),
    cells.status("Checks", lambda one: one.verdict or "-"),
    Column("Fresh", fresh, sort=lambda one: one.newest, width=16, rank=2, kind="time"),
    cells.byte_size("Size", lambda one: one.bytes, rank=3),
    cells.when("Changed", lambda one: one.updated_at, rank=2),
)
SNAPSHOT_COLUMNS = (
    cells.text("Table", lambda one: one.table, width=32, grow=True),
    cells.text("Version", lambda one: f"@{one.version}", width=8),
    cells.text("Kind", lambda one: "collected" if one.expired_at else one.kind, rank=2, role="muted"),
    cells.count("Rows", lambda one: one.rows),
    cells.count("Added", lambda one: one.added_rows, rank=2),
    cells.count("Set aside", lambda one: one.quarantined or None, rank=3),
    cells.text("By", lambda one: one.author, width=12, rank=4, role="muted"),
    cells.text("Message", lambda one: one.message, width=24, rank=5, role="muted"),
    cells.when("Made", lambda one: one.created_at),
)
CHECK_COLUMNS = (
    cells.text("Check", lambda one: one.result.name or one.result.check, width=36, grow=True),
    cells.text("Table", lambda one: f"{one.table}@{one.version}", width=24, rank=2, role="muted"),
    cells.status("State", lambda one: one.state),
    cells.count("Failing", lambda one: one.result.bad or None),
    cells.count("Of", lambda one: one.result.total, rank=3),
    cells.text("Severity", lambda one: one.result.severity, rank=4, role="muted"),
    cells.when("Checked", lambda one: one.at, rank=3),
)
ASIDE_COLUMNS = (
    cells.text("Why", lambda one: one.row.reason, width=36, grow=True),
    cells.text("Column", lambda one: one.row.column, width=20),
    cells.text("Table", lambda one: f"{one.table}@{one.row.version}", width=24, rank=2, role="muted"),
    cells.count("Line", lambda one: one.row.line, rank=2),
    cells.text("Text", lambda one: one.row.content, width=40, rank=3, role="muted"),
)


# -- details -----------------------------------------------------------------------------------------------------------


def table_detail(bench: Workbench, table: TableRow) -> Sequence[Block]:
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
            ("Newest event", (cells.moment(table.newest, now), fresh(table, now)[1])),
            ("Valid for", clock.duration(table.ttl) if table.ttl else ""),
            ("Checks", state(table.verdict) if table.verdict else ("not checked yet: r runs them", "muted")),
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
        first_rows(bench, table.name),
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


def first_rows(bench: Workbench, ref: str) -> Block:
    """Some rows of a table or snapshot; why not when they were collected."""
    try:
        found = bench.features.window(ref, limit=SHOWN_ROWS)
    except NotFound as gone:
        return Text(gone.message, "muted", title="First rows")
    heads = tuple(found[0]) if found else ()
    rows = tuple(tuple(_value(row[name]) for name in heads) for row in found)
    return Grid(heads, rows, title="First rows")


def _value(value: Any) -> str:
    text = "" if value is None else number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= 25 else text[:24] + "…"


def snapshot_detail(bench: Workbench, one: Snapshot) -> Sequence[Block]:
    """A snapshot: who made it from what and when, how its checks went, which models learned from it, some rows."""
    now = bench.context.now()
    report = bench.features.last_check(one.reference)
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
            ("Batch", one.batch_id),
            ("Schema", f"{one.schema_hash} ({len(one.columns)} columns)"),
            ("Changes", "; ".join(one.changes)),
            ("Checks", _verdict(report)),
            ("Learned from", ", ".join(_learned(bench, one.reference))),
            ("Collected", cells.moment(one.expired_at, now)),
        ),
        title=one.reference,
    )
    if not one.quarantined:
        return (head, first_rows(bench, one.reference))
    bad = bench.features.quarantine(one.reference)[:20]
    rows = tuple((number(row.line), row.column, (row.reason, "warn"), (row.content[:60], "muted")) for row in bad)
    aside = Grid(("Line", "Column", "Why", "Text"), rows, title="Rows set aside")
    return (head, aside, first_rows(bench, one.reference))


def _verdict(report: CheckReport | None) -> Span:
    if report is None:
        return ("not checked", "muted")
    return state(_VERDICTS.get(report.verdict, report.verdict))


def _learned(bench: Workbench, ref: str) -> list[str]:
    """The model versions that were trained on a snapshot."""
    registry = bench.registry
    return [
        f"{model.name}/{version.version}"
        for model in registry.models()
        for version in registry.versions(model.name)
        if ref in version.snapshots
    ]


def check_detail(bench: Workbench, one: CheckRow) -> Sequence[Block]:
    """A check: how it went, on what, and some of the rows that fail it."""
    result, now = one.result, bench.context.now()
    head = Fields(
        (
            ("State", state(one.state)),
            ("Check", result.check),
            ("Severity", result.severity),
            ("Table", f"{one.table}@{one.version}"),
            ("Failing", f"{result.bad:,} of {result.total:,}" if result.total else number(result.bad)),
            ("Found", result.detail),
            ("Checked", cells.moment(one.at, now)),
        ),
        title=result.name or result.check,
    )
    if not result.sample:
        return (head,)
    heads = tuple(dict.fromkeys(name for row in result.sample for name in row))
    rows = tuple(tuple(_value(row.get(name)) for name in heads) for row in result.sample)
    return (head, Grid(heads, rows, title="Rows that fail (o lists more)"))


def aside_detail(bench: Workbench, one: AsideRow) -> Sequence[Block]:
    """A row set aside: where it stood, why, and what it said."""
    snapshot = bench.features.snapshot(f"{one.table}@{one.row.version}")
    head = Fields(
        (
            ("Why", (one.row.reason, "warn")),
            ("Column", one.row.column),
            ("Line", number(one.row.line)),
            ("Version", snapshot.reference),
            ("Message", snapshot.message),
            ("Taken in", cells.moment(snapshot.created_at, bench.context.now())),
            ("By", snapshot.author),
        ),
        title="Set aside",
    )
    return (head, Text(clean(one.row.content), title="Text"))
