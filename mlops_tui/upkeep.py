"""What a workspace needs now and then, whoever asks for it: the daemon every night, or a person by command."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.archive import backup
from mlops_tui.core import locks
from mlops_tui.core.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Freed
    from mlops_tui.domains.features.collecting import Collected as Tidied
    from mlops_tui.workbench import Workbench

NEVER_MS = 1 << 53  # longer ago than anything
WAIT_S = 10.0
NAME = "nightly-{:%Y%m%d-%H%M%S}.tar"


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed, or would: of feature tables, of runs, and how many old jobs and pipeline runs."""

    tables: Tidied
    runs: Freed
    jobs: int
    flows: int


def nightly(bench: Workbench, report: Callable[[int, int | None, str], None]) -> dict[str, Any]:
    """Check the databases, back up, collect: as `[upkeep]` says, each whatever became of the one before.

    Raises InvalidInput with everything that went wrong, after all was tried.
    """
    wanted = bench.context.settings.upkeep
    parts = {
        "check": (wanted.check, _checked),
        "backup": (wanted.backups > 0, _backed_up),
        "collect": (wanted.collect, _tidied),
    }
    done: dict[str, Any] = {}
    wrong = []
    for at, (name, (asked, call)) in enumerate(parts.items()):
        report(at, len(parts), name)
        if asked:
            try:
                done[name] = call(bench)
            except (InvalidInput, Unavailable) as error:
                wrong.append(f"{name}: {error.message}")
    report(len(parts), len(parts), "")
    if wrong:
        raise InvalidInput(" ".join(wrong), hint="Look closer: mlops doctor")
    return done


def collect(bench: Workbench, *, keep: int | None = None, age: int = NEVER_MS, dry_run: bool = False) -> Collected:
    """Remove what no one needs, of every room that keeps files; with `keep` rows of old table versions too, with `age` tables
    and runs removed so long ago (ms). Raises Unavailable while a backup or another collection runs.
    """
    hold = _trained_on(bench) if keep else set()
    tables = bench.features.collect(keep=keep, hold=hold, deleted_ms=age, dry_run=dry_run)
    busy = "A backup or another collection runs; only feature tables were tidied."
    with locks.alone(bench.workspace.upkeep_lock, busy, wait_s=WAIT_S):
        runs = bench.experiments.collect(older_than_ms=age, hold=set(_files(bench)), dry_run=dry_run)
        jobs = 0 if dry_run else bench.jobs.prune()
        flows = 0 if dry_run else bench.pipelines.prune()
    return Collected(tables, runs, jobs, flows)


def _checked(bench: Workbench) -> dict[str, Any]:
    """SQLite's own check of each database and the chain of the audit trail; an alert while something is wrong."""
    context = bench.context
    damage = [
        f"{one.path.name}: {said}"
        for one in (context.catalog, context.metrics, context.telemetry)
        for said in one.check()
    ]
    trail = bench.audit.verify()
    damage += [] if trail.ok else [f"audit trail: {trail.reason}"]
    if damage:
        bench.alerts.raise_alert("integrity", "workspace", severity="critical", title="The workspace is damaged",
                                 detail="; ".join(damage[:5]))  # fmt: skip
        raise InvalidInput("; ".join(damage[:5]))
    bench.alerts.resolve_by("integrity", "workspace", "the check found nothing")
    return {"entries": trail.checked}


def _backed_up(bench: Workbench) -> dict[str, Any]:
    """A backup beside the others, of which the newest stay; none when it would not leave the disk what it must have free."""
    wanted = bench.context.settings.upkeep
    folder = (bench.workspace.root / wanted.folder).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = sorted(folder.glob("nightly-*.tar"))
        need = known[-1].stat().st_size if known else _size(bench.workspace.root, folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be written: {error.strerror}.", hint="[upkeep] folder in settings.toml"
        ) from error
    if free < need + bench.context.settings.daemon.free_gb * 1e9:
        raise Unavailable(
            f"A backup takes {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free.", hint="[upkeep] folder = ..."
        )
    name = NAME.format(datetime.fromtimestamp(bench.context.now() / 1000, UTC))
    size = backup(bench.context, folder / name)
    for old in sorted(folder.glob("nightly-*.tar"))[: -wanted.backups]:
        old.unlink(missing_ok=True)
    return {"file": str(folder / name), "bytes": size}


def _tidied(bench: Workbench) -> dict[str, Any]:
    gone = collect(bench)
    return {
        "files": gone.tables.files + gone.runs.files,
        "bytes": gone.tables.bytes + gone.runs.bytes,
        "jobs": gone.jobs,
    }


def _size(root: Path, without: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and without not in path.parents)


def _trained_on(bench: Workbench) -> set[str]:
    registry = bench.registry
    return {
        ref for model in registry.models() for version in registry.versions(model.name) for ref in version.snapshots
    }


def _files(bench: Workbench) -> Iterator[str]:
    """Hashes of everything registered models are made of."""
    registry, artifacts = bench.registry, bench.context.artifacts
    for model in registry.models():
        for version in registry.versions(model.name):
            yield version.sha
            yield from artifacts.manifest(version.sha).values()
