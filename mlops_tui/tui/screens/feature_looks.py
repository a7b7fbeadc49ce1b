"""What the features desk opens in front of itself: two versions, common values, failing rows, lookups, the SQL console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.tui.charts.histogram import histogram
from mlops_tui.tui.lines import Line, Span, clean, number, percent
from mlops_tui.tui.screens import grid
from mlops_tui.tui.screens.column_profile import value
from mlops_tui.tui.screens.sheet import Content, Sheet, value_columns
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.features.derived_records import SkewColumn
    from mlops_tui.domains.features.profile_records import ColumnDiff
    from mlops_tui.tui.screens.base import Desk
    from mlops_tui.tui.screens.feature_lists import CheckRow
    from mlops_tui.tui.screens.features import FeaturesDesk

FAILING = 1000
_BAR = 20


# -- two versions --------------------------------------------------------------------------------------------------------


def diff(desk: FeaturesDesk) -> None:
    """The two marked versions side by side; with one mark, that and the selected one; without, this and the one before."""
    marked = list(desk.here.marks.keys)
    here = desk.record.reference
    if len(marked) < 2 and here not in marked:
        marked.append(here)
    if len(marked) == 1 and desk.record.version > 1:
        marked.append(f"{desk.record.table}@{desk.record.version - 1}")
    tables = {ref.partition("@")[0] for ref in marked}
    if len(marked) != 2 or len(tables) != 1:
        desk.notify("Mark two versions of one table with space, then press c.", title="Compare", markup=False)
        return
    left, right = sorted(marked, key=lambda ref: int(ref.partition("@")[2]))
    desk.app.push_screen(
        Sheet(desk.workbench_app.source, f"{left} and {right}", lambda bench: compared(bench, left, right))
    )


def compared(bench: Workbench, left: str, right: str) -> Content:
    """How two versions differ: schema, rows, and how far each column moved, the furthest first."""
    found = bench.features.diff(left, right)
    records = sorted(found.columns, key=lambda one: (not one.change, -(one.psi or 0.0), -(one.ks or 0.0)))
    rows = found.rows_right - found.rows_left
    said = f"rows {found.rows_left:,} to {found.rows_right:,} ({rows:+,}), {len(found.drifted)} of {len(records)} columns drifted"
    words = "; ".join([said, *found.schema_changes])
    return Content(_DIFF, records, words, picture=lambda one, *room: _overlaid(one, left, right, *room))


def _overlaid(one: ColumnDiff, left: str, right: str, width: int, height: int) -> list[Line]:
    """The distribution of a column in both versions, one over the other."""
    if not one.left:
        return [(), ((f"{one.column}: {one.change or 'times have no distribution to compare'}.", "muted"),)]
    bins = tuple(number(edge, 3) if isinstance(edge, float) else clean(edge) for edge in one.bins)
    more = "others" if isinstance(one.bins[0], str) else "more"
    now, before = (f"{clean(one.column)} @{ref.partition('@')[2]}" for ref in (right, left))
    return histogram(one.right, width, height, reference=one.left, bins=(*bins, more), names=(now, before))


def _moved(one: ColumnDiff, now: int) -> Span:
    if one.change:
        return (f"◆ {one.change}", "accent")
    return ("▲ drifted", "warn") if one.drifted else ("· as it was", "muted")


_DIFF = (
    Column("Column", lambda one, now: one.column, width=32, grow=True),
    Column("State", _moved, width=24),
    Column("PSI", lambda one, now: number(one.psi, 3), sort=lambda one: one.psi, right=True),
    Column("KS", lambda one, now: number(one.ks, 3), sort=lambda one: one.ks, right=True, rank=2),
    Column(
        "Missing", lambda one, now: percent(one.missing_left, 1), sort=lambda one: one.missing_left, right=True, rank=3
    ),
    Column(
        "then", lambda one, now: percent(one.missing_right, 1), sort=lambda one: one.missing_right, right=True, rank=3
    ),
    Column("Mean", lambda one, now: number(one.mean_left), sort=lambda one: one.mean_left, right=True, rank=4),
    Column("then", lambda one, now: number(one.mean_right), sort=lambda one: one.mean_right, right=True, rank=4),
    Column(
        "Distinct", lambda one, now: number(one.distinct_left), sort=lambda one: one.distinct_left, right=True, rank=5
    ),
    Column(
        "then", lambda one, now: number(one.distinct_right), sort=lambda one: one.distinct_right, right=True, rank=5
    ),
)


# -- the commonest values of a column ------------------------------------------------------------------------------------


def frequencies(desk: FeaturesDesk) -> None:
    """How often each value of the column under the column cursor is there, among the rows the filter leaves."""
    ref, column, text, now = desk.record.ref, desk.column, desk.here.reading(desk.section, 0).good, desk.now

    def work(bench: Workbench) -> Content:
        condition = grid.where(text, bench.features.snapshot(ref).columns, now)
        found = bench.features.frequencies(ref, column, where=condition)
        said = f"{'more than ' if found.more else ''}{len(found.values):,} values in {found.rows:,} rows"
        return Content(_frequency_columns(column, found.rows), found.values, said)

    def chosen(pair: tuple[Any, int] | None) -> None:
        if pair is not None and pair[0] is not None:
            desk.look(_narrowed(text, column, pair[0]))

    desk.app.push_screen(
        Sheet(desk.workbench_app.source, f"{column} in {ref}", work, chosen="filter by this value"), chosen
    )


def _narrowed(text: str, column: str, one: Any) -> str:
    quoted = str(one).replace("\\", "\\\\").replace('"', '\\"')
    known = (
        "true"
        if one is True
        else "false"
        if one is False
        else str(one)
        if isinstance(one, (int, float))
        else f'"{quoted}"'
    )
    name = column if column.isidentifier() else f'"{column}"'
    return f"{text} {name}={known}".strip()


def _frequency_columns(column: str, rows: int) -> tuple[Column, ...]:
    def bar(pair: tuple[Any, int], now: int) -> Span:
        return ("█" * max(1, round(_BAR * pair[1] / max(rows, 1))), "s1")

    return (
        Column(clean(column), lambda pair, now: grid.shown(pair[0]), sort=lambda pair: pair[0], width=48, grow=True,
               whole=lambda pair: pair[0]),
        Column("Rows", lambda pair, now: f"{pair[1]:,}", sort=lambda pair: pair[1], right=True),
        Column("Share", lambda pair, now: percent(pair[1] / max(rows, 1), 1), sort=lambda pair: pair[1], right=True, rank=2),
        Column("", bar, sort=lambda pair: pair[1], width=_BAR, rank=3),
    )  # fmt: skip


# -- rows that fail a check ----------------------------------------------------------------------------------------------


def failing(desk: FeaturesDesk, row: CheckRow) -> None:
    """The rows that fail the selected check."""
    name = row.result.name or row.result.check
    if row.result.ok and not row.result.bad:
        desk.notify(f"{name} holds: no row fails it.", title="Failing rows", timeout=3, markup=False)
        return

    def work(bench: Workbench) -> Content:
        found = bench.features.failing(f"{row.table}@{row.version}", name, limit=FAILING)
        said = f"{'the first ' if len(found) >= FAILING else ''}{len(found):,} of {row.result.bad:,} rows"
        return Content(value_columns(found), found, said, "No single row fails it; the check is about all of them.")

    title = f"{row.table}@{row.version}: rows that fail {name}"
    desk.app.push_screen(Sheet(desk.workbench_app.source, title, work))


# -- served against joined -----------------------------------------------------------------------------------------------


def skew(desk: Desk, name: str) -> None:
    """How what was served of a table, or of `deployment:NAME`, differs from the offline join at the same moments."""
    title = f"{name.removeprefix('deployment:')}: served and joined"
    desk.app.push_screen(Sheet(desk.workbench_app.source, title, lambda bench: served(bench, name)))


def served(bench: Workbench, name: str) -> Content:
    """Column by column, those that differ in the largest share first; one example each."""
    found = bench.skew(name)
    records = sorted(found.columns, key=lambda one: -one.share)
    moments = "" if found.since is None else f", {clock.local(found.since)} to {clock.local(found.until or 0)}"
    left = f", {found.left_out:,} of unknown entities left out" if found.left_out else ""
    left += f"; of no table: {', '.join(found.others)}" if found.others else ""
    empty = (
        f"Nothing that was served can be compared yet. Lookups are logged with: mlops features skew {name} --log 0.1"
    )
    return Content(_SKEW, records, f"{found.vectors:,} answers{moments}{left}", empty)


def _agrees(one: SkewColumn, now: int) -> Span:
    return ("▲ differs", "warn") if one.differing else ("✓ agrees", "good")


def _example(one: SkewColumn, now: int) -> Span:
    if not one.examples:
        return ("", "muted")
    first: dict[str, Any] = one.examples[0]
    who = " ".join(f"{key}={value(part)}" for key, part in first["row"].items())
    said = f"{who} at {clock.local(int(first['at']))}: {value(first['served']) or 'nothing'}, joined {value(first['offline']) or 'nothing'}"
    return (clean(said), "muted")


_SKEW = (
    Column("Column", lambda one, now: one.column, width=32),
    Column("State", _agrees, width=10),
    Column("Compared", lambda one, now: f"{one.compared:,}", sort=lambda one: one.compared, right=True, rank=2),
    Column("Differ", lambda one, now: f"{one.differing:,}", sort=lambda one: one.differing, right=True),
    Column("Share", lambda one, now: percent(one.share, 1), sort=lambda one: one.share, right=True),
    Column("Largest", lambda one, now: number(one.largest), sort=lambda one: one.largest, right=True, rank=3),
    Column("For example", _example, width=60, grow=True, rank=4),
)


# -- lookups and SQL -----------------------------------------------------------------------------------------------------


def lookup(desk: FeaturesDesk) -> None:
    """Ask for an entity; its values online, and offline at the same moment."""
    from mlops_tui.tui.screens.lookup import Lookup

    tables = {one.name: one.keys for one in desk.memory["tables"].records or () if one.latest_version}
    if not tables:
        desk.notify("No table has rows yet: i ingests a file.", title="Look up", severity="warning", markup=False)
        return
    here = str(desk.situation.names.get("name", ""))
    desk.app.push_screen(
        Lookup(desk.workbench_app.source, tables, here if here in tables else next(iter(tables)), _entity(desk))
    )


def _entity(desk: FeaturesDesk) -> str:
    """The keys of the selected row, as they are typed."""
    row = desk.record
    if desk.section.id != "rows" or row is None:
        return ""
    table = next((one for one in desk.memory["tables"].records or () if one.name == row.ref.partition("@")[0]), None)
    return " ".join(f"{key}={value(row.values.get(key))}" for key in table.keys) if table else ""


def console(desk: FeaturesDesk) -> None:
    """SQL over all tables, begun with the table or snapshot on screen."""
    from mlops_tui.tui.screens.sql_console import SqlConsole

    names = desk.situation.names
    ref = str(names.get("ref") or names.get("version") or names.get("name") or "")
    quoted = f'"{ref}"' if "@" in ref else ref
    desk.app.push_screen(SqlConsole(desk.workbench_app.source, f"SELECT * FROM {quoted} LIMIT 100" if ref else ""))
