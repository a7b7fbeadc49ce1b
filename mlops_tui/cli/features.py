"""`mlops features`: tables, snapshots, checks and joins."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import (
    features_checks,
    features_online,
    features_profile,
    features_skew,
    features_transform,
    features_upkeep,
    features_watch,
)
from mlops_tui.cli.frames import rows_of, write_frame
from mlops_tui.cli.output import (
    confirm,
    emit,
    emit_one,
    json_option,
    pass_workbench,
    progress_bar,
    say,
    why_option,
    yes_option,
)
from mlops_tui.cli.querying import NO_MATCH, query_options

if TYPE_CHECKING:
    from mlops_tui.domains.features.records import Snapshot
    from mlops_tui.workbench import Workbench

NO_TABLES = "No feature tables yet. Make one: mlops features create orders --key customer_id --time at"


@click.group()
def features() -> None:
    """Feature tables: versioned snapshots and point-in-time joins.

    \b
    Example: mlops features list
    """


features.add_command(features_checks.check)
features.add_command(features_profile.profile)
features.add_command(features_upkeep.ingest)
features.add_command(features_upkeep.compact)
features.add_command(features_online.materialize)
features.add_command(features_online.lookup)
features.add_command(features_online.push)
features.add_command(features_online.flush)
features.add_command(features_profile.diff)
features.add_command(features_transform.aggregate)
features.add_command(features_transform.transform)
features.add_command(features_skew.skew)
features.add_command(features_watch.watch)
features.add_command(features_watch.unwatch)


@features.command("list")
@json_option
@pass_workbench
@query_options("features")
def list_tables(workbench: Workbench, as_json: bool, query: str) -> None:
    """List feature tables with the size of their newest snapshot, all or those that meet a query.

    \b
    Example: mlops features list 'column:customer_id rows>1000'
    """
    columns = [("name", "Name"), ("keys", "Keys"), ("time", "Time"), ("latest_version", "Version"), ("rows", "Rows")]
    columns += [("bytes", "Size"), ("updated_at", "Updated"), ("description", "Description")]
    emit(workbench.features.list(query), columns, as_json=as_json, empty=NO_MATCH if query else NO_TABLES)


@features.command("create")
@click.argument("name")
@click.option(
    "--key", "-k", "keys", multiple=True, required=True, metavar="COLUMN", help="A key column; repeat for more."
)
@click.option("--time", "-t", metavar="COLUMN", help="The column of the event time.")
@click.option("--created", metavar="COLUMN", help="The column that says when a row became known.")
@click.option("--ttl", metavar="SPAN", help="How old a row may be for a join, as in 7d.")
@click.option("--description", "-d", default="", metavar="TEXT", help="What the table holds.")
@json_option
@pass_workbench
def create(
    workbench: Workbench,
    name: str,
    keys: tuple[str, ...],
    time: str | None,
    created: str | None,
    ttl: str | None,
    description: str,
    as_json: bool,
) -> None:
    """Make an empty feature table.

    \b
    Example: mlops features create orders --key customer_id --time ordered_at --ttl 90d
    """
    table = workbench.features.create(name, keys, time=time, created=created, ttl=ttl, description=description)
    if as_json:
        emit_one(table, as_json)
    else:
        say(f"{name} is made. Take data in: mlops features ingest {name} FILE")


@features.command("show")
@click.argument("ref")
@click.option("--rows", "limit", default=5, show_default=True, help="How many rows to show.")
@click.option("--offset", default=0, help="How many rows to skip.")
@click.option("--where", metavar="SQL", help="One condition over the columns, as in: temp > 20 AND hr = 8")
@click.option("--order", metavar="COLUMNS", help="Columns to sort by, - before a name for descending.")
@json_option
@pass_workbench
def show(
    workbench: Workbench, ref: str, limit: int, offset: int, where: str | None, order: str | None, as_json: bool
) -> None:
    """Show a table or one of its snapshots (orders@3): columns, size, checks, and some rows.

    \b
    Example: mlops features show orders@3 --where "total > 100" --order -total
    """
    table = workbench.features.get(ref.partition("@")[0])
    watched = {"watched": [one.place for one in workbench.features.watches(table.name)]}
    if not table.latest_version:
        emit_one({**_fields(table), **watched}, as_json, title=table.name)
        return
    snapshot = workbench.features.snapshot(ref)
    rows = workbench.features.rows(ref, where=where, order=order, limit=limit, offset=offset)
    report = workbench.features.last_check(ref)
    record = {**_fields(table), **_fields(snapshot), "check": report.verdict if report else None, **watched}
    record |= _derived(workbench, snapshot)
    if as_json:
        emit_one({**record, "sample": rows}, as_json)
        return
    emit_one(record, title=snapshot.reference)
    click.echo()
    emit(rows, [(name, name) for name in snapshot.columns], empty="No rows.")


@features.command("history")
@click.argument("name")
@json_option
@pass_workbench
def history(workbench: Workbench, name: str, as_json: bool) -> None:
    """List the snapshots of a table, newest first.

    \b
    Example: mlops features history orders
    """
    columns = [("version", "Version"), ("kind", "Kind"), ("rows", "Rows"), ("added_rows", "Added"), ("bytes", "Size")]
    columns += [("quarantined", "Set aside"), ("author", "By"), ("created_at", "At"), ("message", "Message")]
    empty = f"No snapshot yet. Take data in: mlops features ingest {name} FILE"
    found = workbench.features.history(name)
    if any(one.expired_at for one in found):
        columns.append(("expired_at", "Rows collected"))
    emit(found, columns, as_json=as_json, empty=empty)


@features.command("restore")
@click.argument("ref")
@click.option("--message", "-m", default="", metavar="TEXT", help="Why.")
@json_option
@pass_workbench
def restore(workbench: Workbench, ref: str, message: str, as_json: bool) -> None:
    """Make an older snapshot the newest again, as a new version; or bring a removed table back by its name.

    \b
    Example: mlops features restore orders@3 -m "October was wrong"
             mlops features restore orders
    """
    if "@" not in ref and all(table.name != ref for table in workbench.features.list()):
        table = workbench.features.bring_back(ref, why=message)
        if as_json:
            emit_one(table, as_json)
        else:
            say(f"{ref} is back with {table.latest_version} snapshots and {table.rows} rows.")
        return
    snapshot = workbench.features.restore(ref, message=message)
    if as_json:
        emit_one(snapshot, as_json)
    else:
        say(f"{snapshot.reference} holds the {snapshot.rows} rows of {ref}.")


@features.command("quarantine")
@click.argument("ref")
@click.option("--limit", default=50, show_default=True, help="How many rows to show.")
@json_option
@pass_workbench
def quarantine(workbench: Workbench, ref: str, limit: int, as_json: bool) -> None:
    """Show rows that were set aside: their line, column and what was wrong.

    \b
    Example: mlops features quarantine orders@3
    """
    bad = workbench.features.quarantine(ref)
    columns = [("version", "Version"), ("line", "Line"), ("column", "Column"), ("reason", "Reason"), ("content", "Row")]
    emit(bad if as_json else bad[:limit], columns, as_json=as_json, empty="No row was set aside.")
    if len(bad) > limit and not as_json:
        say(f"{len(bad) - limit} more: --limit {len(bad)}")


@features.command("join")
@click.argument("spine")
@click.argument("refs", nargs=-1, required=True)
@click.option(
    "--mode",
    type=click.Choice(["event", "known"]),
    default="event",
    help="What had happened by then, or was recorded too.",
)
@click.option("--ttl", metavar="SPAN", help="How old a row may be, instead of the tables' own limit.")
@click.option("--time", metavar="COLUMN", help="The spine's time column.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write to this CSV or Parquet file.")
@click.option("--rows", "limit", default=10, show_default=True, help="How many rows to show without --output.")
@json_option
@pass_workbench
def join(
    workbench: Workbench,
    spine: str,
    refs: tuple[str, ...],
    mode: str,
    ttl: str | None,
    time: str | None,
    output: Path | None,
    limit: int,
    as_json: bool,
) -> None:
    """Join tables to a spine (a table or a CSV or Parquet file) as they were at each row's time.

    \b
    Example: mlops features join labels customers orders@12:total_30d -o training.parquet
    """
    with progress_bar("join") as report:
        report(0, None, f"{spine} with {', '.join(refs)}")
        source = Path(spine) if Path(spine).is_file() else spine
        frame, found = workbench.features.join_with_report(source, refs, mode=mode, ttl=ttl, time=time)
    if output is not None:
        write_frame(frame, output)
    if as_json:
        rows = [] if output else rows_of(frame)
        emit_one({"rows": len(frame), "columns": list(frame.columns), "tables": found, "data": rows}, as_json)
        return
    if output is None:
        emit(
            rows_of(frame.head(limit)),
            [(str(name), str(name)) for name in frame.columns],
            empty="The spine has no rows.",
        )
    for part in found:
        share = part.matched / part.rows if part.rows else 0.0
        say(
            f"{part.table}@{part.version}: {part.matched} of {part.rows} matched ({share:.1%}), {part.missing} missing,"
            f" {part.expired} too old, {part.future_only} only later"
        )
    if output is not None:
        say(f"{len(frame)} rows written to {output}.")


@features.command("sql")
@click.argument("query")
@click.option("--limit", default=1000, show_default=True, help="How many rows at most.")
@json_option
@pass_workbench
def sql(workbench: Workbench, query: str, limit: int, as_json: bool) -> None:
    """Run one read-only SELECT over the tables; an older snapshot is written in double quotes.

    \b
    Example: mlops features sql 'SELECT city, avg(cnt) FROM "hourly_hire@1" GROUP BY city'
    """
    frame = workbench.features.sql(query, limit=limit)
    emit(rows_of(frame), [(str(name), str(name)) for name in frame.columns], as_json=as_json, empty="No rows.")


@features.command("remove")
@click.argument("name")
@why_option
@yes_option
@pass_workbench
def remove(workbench: Workbench, name: str, why: str, yes: bool) -> None:
    """Remove a table with all its snapshots; it can be brought back until a collection takes its files.

    \b
    Example: mlops features remove orders --why "moved to sales"
    """
    table = workbench.features.get(name)
    confirm(f"Remove {name} with {table.latest_version} snapshots and {table.rows} rows?", yes=yes, typed=name)
    workbench.features.remove(name, why=why)
    say(f"{name} is removed. Back: mlops features restore {name}. For good: mlops gc --deleted 0s")


# -- words in and out --------------------------------------------------------------------------------------------------


def _derived(workbench: Workbench, snapshot: Snapshot) -> dict[str, Any]:
    """The aggregates of a table, and by which transformation a snapshot was made."""
    room = workbench.features
    declared = [f"{one.name} = {one.expression}" for one in room.aggregates(snapshot.table)]
    made = next((one for one in room.made(snapshot.table) if one.version == snapshot.version), None)
    by = f"transformation {made.table}@{made.transform_version} of {', '.join(made.inputs)}" if made else None
    return {"aggregates": declared, "made_by": by}


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
