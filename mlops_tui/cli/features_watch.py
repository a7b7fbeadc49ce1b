"""`mlops features watch` and `unwatch`: folders whose files come in by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say, why_option
from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@click.command("watch")
@click.argument("name")
@click.argument("place", required=False, metavar="[FOLDER|PATTERN]")
@click.option("--every", metavar="SPAN", help="How often the daemon looks, 5s unless said.")
@click.option("--limit", default=20, show_default=True, help="How many files to show without a FOLDER.")
@why_option
@json_option
@pass_workbench
def watch(
    workbench: Workbench, name: str, place: str | None, every: str | None, limit: int, why: str, as_json: bool
) -> None:
    """Take the files of a folder in as they appear or change; without a folder, show what is watched and what came.

    \b
    Example: mlops features watch orders in --every 5s
    """
    if place is None:
        if every is not None:
            raise click.UsageError("Name the folder or quoted pattern that is looked at every so often.")
        _show(workbench, name, limit, as_json)
        return
    made = workbench.features.watch(name, place, every=every, why=why)
    if as_json:
        emit_one(made, as_json)
        return
    say(f"{made.place} is looked at every {clock.duration(made.every_ms)} for {name}.")
    if not workbench.daemon_alive():
        say("No daemon runs, so nothing is looked at yet: mlops daemon start")


def _show(workbench: Workbench, name: str, limit: int, as_json: bool) -> None:
    watches = workbench.features.watches(name)
    files = {one.id: workbench.features.watched_files(one, limit=limit) for one in watches}
    columns = [("place", "Place"), ("every", "Every"), ("files", "Files"), ("refused", "Refused"), ("last_at", "Last")]
    rows = [
        {
            "place": one.place,
            "every": clock.duration(one.every_ms),
            "every_ms": one.every_ms,
            "files": one.files,
            "refused": one.refused,
            "last_at": one.last_at,
            "created_at": one.created_at,
            "created_by": one.created_by,
        }
        for one in watches
    ]
    if as_json:
        emit([{**row, "newest": files[one.id]} for row, one in zip(rows, watches, strict=True)], columns, as_json=True)
        return
    emit(rows, columns, empty=f"No folder is watched for {name}: mlops features watch {name} FOLDER")
    found = [file for one in watches for file in files[one.id]]
    if found:
        click.echo()
        emit(found, [("at", "At"), ("state", "State"), ("version", "Version"), ("path", "File"), ("reason", "Why not")])


@click.command("unwatch")
@click.argument("name")
@click.argument("place", required=False, metavar="[FOLDER|PATTERN]")
@why_option
@json_option
@pass_workbench
def unwatch(workbench: Workbench, name: str, place: str | None, why: str, as_json: bool) -> None:
    """Watch a folder, or all folders of a table, no more; what was taken in stays.

    \b
    Example: mlops features unwatch orders in
    """
    gone = workbench.features.unwatch(name, place, why=why)
    if as_json:
        emit([{"place": one.place} for one in gone], [("place", "Place")], as_json=True)
        return
    for one in gone:
        say(f"{one.place} is watched no more.")
