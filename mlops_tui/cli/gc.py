"""`mlops gc`: what no one needs any more, of every room that keeps files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, human_bytes, json_option, pass_workbench, say
from mlops_tui.core import clock, locks

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

NEVER_MS = 1 << 53  # longer ago than anything
WAIT_S = 10.0


@click.command("gc")
@click.option(
    "--keep", type=click.IntRange(1), metavar="N", help="Also drop the rows of all but the N newest versions of tables."
)
@click.option(
    "--deleted",
    metavar="SPAN",
    help="Also remove for good runs and experiments that were deleted so long ago, as in 30d.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
@pass_workbench
def gc(workbench: Workbench, keep: int | None, deleted: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove files that no one needs: half-written or nameless ones, those of removed runs, old jobs and pipeline runs.

    With --keep rows of old table versions go too, with --deleted runs. Versions that a registered model was trained on stay,
    and so do its files and what a live process is reading. Nothing is removed while a backup runs.

    \b
    Example: mlops gc --keep 10 --dry-run
    """
    age = NEVER_MS if deleted is None else clock.parse_span(deleted)
    hold = _trained_on(workbench) if keep else set()
    tables = workbench.features.collect(keep=keep, hold=hold, dry_run=dry_run)
    busy = "A backup or another collection runs; only feature tables were tidied."
    with locks.alone(workbench.workspace.upkeep_lock, busy, wait_s=WAIT_S):
        runs = workbench.experiments.collect(older_than_ms=age, hold=set(_files(workbench)), dry_run=dry_run)
        jobs = 0 if dry_run else workbench.jobs.prune()
        flows = 0 if dry_run else workbench.pipelines.prune()
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


def _trained_on(workbench: Workbench) -> set[str]:
    registry = workbench.registry
    return {
        ref for model in registry.models() for version in registry.versions(model.name) for ref in version.snapshots
    }


def _files(workbench: Workbench) -> Iterator[str]:
    """Hashes of everything registered models are made of."""
    registry, artifacts = workbench.registry, workbench.context.artifacts
    for model in registry.models():
        for version in registry.versions(model.name):
            yield version.sha
            yield from artifacts.manifest(version.sha).values()
