"""`mlops gc`: what no one needs any more, of every room that keeps files."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, human_bytes, json_option, pass_workbench, say
from mlops_tui.core import clock
from mlops_tui.upkeep import NEVER_MS, collect

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@click.command("gc")
@click.option(
    "--keep", type=click.IntRange(1), metavar="N", help="Also drop the rows of all but the N newest versions of tables."
)
@click.option(
    "--deleted",
    metavar="SPAN",
    help="Also remove for good tables, runs and experiments that were removed so long ago, as in 30d.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
@pass_workbench
def gc(workbench: Workbench, keep: int | None, deleted: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove files that no one needs: half-written or nameless ones, those of removed runs, old jobs and pipeline runs.

    With --keep rows of old table versions go too, with --deleted tables and runs. Versions that a registered model was trained on stay,
    and so do its files and what a live process is reading. Nothing is removed while a backup runs.

    \b
    Example: mlops gc --keep 10 --dry-run
    """
    age = NEVER_MS if deleted is None else clock.parse_span(deleted)
    gone = collect(workbench, keep=keep, age=age, dry_run=dry_run)
    tables, runs, jobs, flows = gone.tables, gone.runs, gone.jobs, gone.flows
    if as_json:
        artifacts = {"files": runs.files, "bytes": runs.bytes}
        more = {
            "runs": runs.runs,
            "experiments": runs.experiments,
            "artifacts": artifacts,
            "jobs": jobs,
            "pipeline_runs": flows,
        }
        emit_one({**dataclasses.asdict(tables), **more}, as_json)
        return
    _tell(tables, runs, jobs, flows, dry_run)


def _tell(tables: Any, runs: Any, jobs: int, flows: int, dry_run: bool) -> None:
    gone = [*tables.versions, *(f"run {one}" for one in runs.runs), *(f"experiment {one}" for one in runs.experiments)]
    if gone:
        click.echo("\n".join(gone))
    rows = [
        {"what": "feature tables", "entries": len(tables.versions), "files": tables.files, "bytes": tables.bytes},
        {"what": "runs and their files", "entries": len(runs.runs), "files": runs.files, "bytes": runs.bytes},
        {"what": "old jobs", "entries": jobs, "files": None, "bytes": None},
        {"what": "old pipeline runs", "entries": flows, "files": None, "bytes": None},
    ]
    emit(
        rows[:2] if dry_run else rows,
        [("what", "What"), ("entries", "Entries"), ("files", "Files"), ("bytes", "Size")],
    )
    verb = "would go" if dry_run else "went"
    files, size = tables.files + runs.files, tables.bytes + runs.bytes
    say(f"{len(tables.versions)} versions, {files} files ({human_bytes(size)}) {verb}.")
    if tables.staging:
        say(f"{tables.staging} half-written files of processes that are gone went too.")
    if tables.postponed:
        say(f"{tables.postponed} files are being read and wait for the next time.")
