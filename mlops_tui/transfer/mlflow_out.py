"""`mlops export mlflow`: runs as MLflow has them, on a server or in a folder of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput, Unavailable, WorkbenchError
from mlops_tui.core.lake import disk_error
from mlops_tui.domains.experiments.arrivals import SOURCE_TAG, STAMP_TAG, Series
from mlops_tui.domains.experiments.records import NOTE_TAG, RunState
from mlops_tui.domains.experiments.remote_records import (
    BRANCH_TAG,
    COMMIT_TAG,
    PARENT_TAG,
    RUN_NAME_TAG,
    USER_TAG,
)
from mlops_tui.domains.experiments.remote_records import (
    SOURCE_TAG as SCRIPT_TAG,
)
from mlops_tui.transfer.choosing import chosen
from mlops_tui.transfer.mlflow_models_out import Target, export_models
from mlops_tui.transfer.mlflow_server import Server
from mlops_tui.transfer.mlflow_write import FolderTarget, Leaving, ServerTarget
from mlops_tui.transfer.records import EXPORT_TAG, Progress, Report
from mlops_tui.transfer.taking import reason

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run
    from mlops_tui.workbench import Workbench

STATUS = {
    RunState.FINISHED: "FINISHED",
    RunState.FAILED: "FAILED",
    RunState.CRASHED: "KILLED",
    RunState.RUNNING: "RUNNING",
}


def export_mlflow(
    workbench: Workbench, target: str, progress: Progress, *, experiments: Sequence[str] = (), query: str = ""
) -> Report:
    """Write runs and versions of registered models that are not there yet. A run that still runs is left for later.

    With `experiments` or `query` only versions of the runs chosen go.

    Raises NotFound, InvalidInput (as `chosen`, or a target that is none), Unavailable when the server or the disk refuses.
    """
    there = _open(workbench, target)
    report = Report()
    runs = chosen(workbench, experiments, query)
    known: dict[str, dict[str, str]] = {}
    for done, run in enumerate(runs):
        progress(done, len(runs), run.name)
        try:
            if run.experiment not in known:
                known[run.experiment] = there.known(run.experiment)
            ids = known[run.experiment]
            if run.id in ids:
                report.unchanged += 1
                continue
            if run.state is RunState.RUNNING:
                raise InvalidInput("it still runs")
            ids[run.id] = there.put(_leaving(workbench, run, ids.get(run.parent, "")))
            report.added += 1
        except Unavailable:
            raise
        except WorkbenchError as error:
            report.skipped.append((f"{run.name} ({run.id[:8]})", reason(error)))
        except OSError as error:
            raise disk_error(error, Path(target)) from error
    progress(len(runs), len(runs), "models")
    ids = {ours: theirs for found in known.values() for ours, theirs in found.items()}
    narrowed = bool(experiments or query)
    try:
        export_models(workbench, there, ids, report, only={run.id for run in runs} if narrowed else None)
    except OSError as error:
        raise disk_error(error, Path(target)) from error
    return report


def _open(workbench: Workbench, target: str) -> Target:
    if "://" in target and not target.startswith("file:"):
        return ServerTarget(Server(target), EXPORT_TAG)
    folder = Path(target.removeprefix("file://")).expanduser()
    if folder.is_file():
        raise InvalidInput(
            f"{folder} is a file.", hint="Name a folder or a server; MLflow's SQLite file is written by MLflow alone."
        )
    if folder.resolve().is_relative_to(workbench.workspace.root):
        raise InvalidInput(f"{folder} lies in this workspace.", hint="Name a folder outside of it.")
    return FolderTarget(folder, EXPORT_TAG)


def _leaving(workbench: Workbench, run: Run, parent: str) -> Leaving:
    rooms = workbench.experiments
    facts = {
        RUN_NAME_TAG: run.name,
        USER_TAG: run.user,
        SCRIPT_TAG: run.source,
        COMMIT_TAG: run.git_commit,
        BRANCH_TAG: run.git_branch,
        PARENT_TAG: parent,
        "mlflow.note.content": run.tags.get(NOTE_TAG, ""),
        EXPORT_TAG: run.id,
    }
    own = {key: value for key, value in run.tags.items() if key not in (SOURCE_TAG, STAMP_TAG, PARENT_TAG)}
    return Leaving(
        id=run.id,
        experiment=run.experiment,
        name=run.name,
        user=run.user,
        status=STATUS[run.state],
        started_at=run.started_at,
        ended_at=run.ended_at,
        params=rooms.params(run.id),
        tags={**own, **{key: value for key, value in facts.items() if value}},
        series=(_series(workbench, run.id, key) for key in rooms.metrics(run.id)),
        files=((one.path, rooms.artifact_file(run.id, one.path)) for one in rooms.artifacts(run.id)),
    )


def _series(workbench: Workbench, run_id: str, key: str) -> Series:
    """All points of a metric, those beyond the newest of a step too."""
    points = workbench.experiments.remote.runs.history(run_id, key, -1, 0)
    return key, [(value, ts, step) for step, ts, value in points]
