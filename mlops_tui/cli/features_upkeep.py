"""`mlops features ingest` and `compact`: taking data in, and what keeps the store small."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, progress_bar, say
from mlops_tui.core.errors import InvalidInput

if TYPE_CHECKING:
    from mlops_tui.domains.features.records import Snapshot
    from mlops_tui.workbench import Workbench


@click.command("ingest")
@click.argument("name")
@click.argument("source", required=False)
@click.option("--sql", metavar="SELECT", help="Take in the rows of a query over files instead of a file.")
@click.option("--table", metavar="NAME", help="Which table of a SQLite file.")
@click.option(
    "--mode", type=click.Choice(["append", "replace"]), default="append", help="Add to the table, or start it anew."
)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    type=click.Choice(["removed", "changed"]),
    help="Let a column be missing, or become text where types differ.",
)
@click.option("--message", "-m", default="", metavar="TEXT", help="What this batch is.")
@click.option("--batch", metavar="ID", help="A batch id: a batch taken in before is not taken in again.")
@click.option("--type", "types", multiple=True, metavar="COLUMN=TYPE", help="Fix a column's type, as in zip=VARCHAR.")
@json_option
@pass_workbench
def ingest(
    workbench: Workbench,
    name: str,
    source: str | None,
    sql: str | None,
    table: str | None,
    mode: str,
    allowed: tuple[str, ...],
    message: str,
    batch: str | None,
    types: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take data in as a new snapshot; rows that cannot be read are set aside and counted.

    SOURCE is a CSV, Parquet, JSON lines, Arrow or SQLite file, or a folder or quoted pattern: then each file is a batch of
    its own, and one that was taken in before is passed over.

    \b
    Example: mlops features ingest orders orders.csv -m "October"
    """
    if (source is None) == (sql is None):
        raise click.UsageError("Name one source: a file, a folder, a pattern, or --sql.")
    wanted = dict(_pair(text) for text in types)
    if source is not None and _is_many(source):
        if mode == "replace" or batch or table:
            raise InvalidInput("Many files are appended, each as a batch of its own.", hint="Name them one at a time.")
        _many(workbench, name, source, {"message": message, "types": wanted, "allow": allowed}, as_json)
        return
    with progress_bar(f"ingest {name}") as report:
        given = _source(source, sql, table)
        snapshot = workbench.features.ingest(
            name, given, mode=mode, message=message, batch_id=batch, types=wanted, allow=allowed, progress=report
        )
    if as_json:
        emit_one(snapshot, as_json)
    else:
        _tell(snapshot)


def _many(workbench: Workbench, name: str, source: str, options: dict[str, Any], as_json: bool) -> None:
    with progress_bar(f"ingest {name}") as report:
        outcomes = workbench.features.ingest_files(name, source, progress=report, **options)
    rows = [
        {
            "file": one.file,
            "state": one.state,
            "version": one.snapshot.version if one.snapshot else None,
            "rows": one.snapshot.added_rows if one.snapshot else None,
            "set_aside": one.snapshot.quarantined if one.snapshot else None,
            "reason": one.reason,
        }
        for one in outcomes
    ]
    columns = [("file", "File"), ("state", "State"), ("version", "Version"), ("rows", "Rows")]
    emit(rows, [*columns, ("set_aside", "Set aside"), ("reason", "Why not")], as_json=as_json)
    refused = [one for one in outcomes if one.state == "refused"]
    if refused:
        raise InvalidInput(
            f"{len(refused)} of {len(outcomes)} files were refused; the others are taken in.",
            hint="Correct them and give the same command again.",
        )


@click.command("compact")
@click.argument("name")
@click.option("--message", "-m", default="", metavar="TEXT", help="Why.")
@json_option
@pass_workbench
def compact(workbench: Workbench, name: str, message: str, as_json: bool) -> None:
    """Write the files of a table as one, sorted, as a new version; no row is lost or changed.

    \b
    Example: mlops features compact orders
    """
    before = len(workbench.features.files(name))
    with progress_bar(f"compact {name}") as report:
        report(0, None, f"{before} files")
        snapshot = workbench.features.compact(name, message=message)
    if as_json:
        emit_one(snapshot, as_json)
    elif before < 2:
        say(f"{snapshot.reference} is one file already.")
    else:
        say(
            f"{snapshot.reference} holds the {snapshot.rows} rows of {before} files. Old files go with: mlops gc --keep 3"
        )


def _is_many(source: str) -> bool:
    from mlops_tui.domains.features.many import is_many

    return is_many(source)


def _source(source: str | None, sql: str | None, table: str | None) -> Any:
    """The source as the room takes it; the readers are imported only here, where data is read anyway."""
    from mlops_tui.domains.features.formats import SqliteSource, SqlSource

    if sql is not None:
        return SqlSource(sql)
    return SqliteSource(Path(str(source)), table) if table else Path(str(source))


def _tell(snapshot: Snapshot) -> None:
    click.echo(f"{snapshot.reference}  {snapshot.added_rows} rows added, {snapshot.rows} in all")
    for change in snapshot.changes:
        say(f"Column {change}.")
    if snapshot.duplicates:
        say(f"{snapshot.duplicates} rows repeat a key at one time; the last of them wins in joins.")
    if snapshot.quarantined:
        say(f"{snapshot.quarantined} rows were set aside. See why: mlops features quarantine {snapshot.reference}")


def _pair(text: str) -> tuple[str, str]:
    name, sign, kind = text.partition("=")
    if not sign or not name:
        raise InvalidInput(f"'{text}' fixes no type.", hint="Write COLUMN=TYPE, as in zip=VARCHAR.")
    return name, kind.upper()
