"""The child that does one job: `python -m mlops_tui.job --workspace ROOT ID ATTEMPT`, started by Jobs.launch under the shim."""

from __future__ import annotations

import atexit
import dataclasses
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.jobs.records import STOPPED_BY_SIGTERM, Job, JobState
from mlops_tui.domains.pipelines import forking
from mlops_tui.upkeep import nightly
from mlops_tui.workbench import Workbench

Report = Callable[[int, "int | None", str], None]
_REPORT_EVERY_S = 0.5


class Stopped(BaseException):
    """SIGTERM arrived. No Exception, so that no step's error handling swallows it."""


def run(workspace: Workspace, job_id: int, attempt: int) -> int:
    """Do the job if this attempt is the one wanted, record its end, and return the exit code: 0 done or not wanted, 1 failed."""
    with Workbench(workspace) as workbench:
        signal.signal(signal.SIGTERM, _stop)
        try:
            if not workbench.jobs.begin(job_id, attempt, processes.identity()):
                print(f"Attempt {attempt} of job {job_id} is not wanted any more.")  # noqa: T201 - goes to the job's log
                return 0
            state, result, error = _do(workbench, workbench.jobs.get(job_id))
            workbench.jobs.finish(job_id, attempt, state, result=result, error=error)
        except Stopped:
            # Who stopped us, and why, the shim and the one who asked know: they record it.
            return STOPPED_BY_SIGTERM
        return 0 if state is JobState.SUCCEEDED else 1


def _do(workbench: Workbench, job: Job) -> tuple[JobState, dict[str, Any] | None, str]:
    try:
        execute = KINDS.get(job.kind)
        if execute is None:
            raise InvalidInput(
                f"Nothing here does jobs of kind '{job.kind}'.", hint=f"Known kinds: {', '.join(KINDS)}."
            )
        return JobState.SUCCEEDED, execute(workbench, job, _reporter(workbench, job.id)), ""
    except WorkbenchError as error:
        text = f"{error.message} {error.hint}".strip()
        print(text, file=sys.stderr)  # noqa: T201 - goes to the job's log
        return JobState.FAILED, None, text
    except Exception as error:
        traceback.print_exc()
        return JobState.FAILED, None, f"{type(error).__name__}: {error}"


def _pipeline(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    forking.adopt()
    return _plain(workbench.pipelines.execute(job.spec["run_id"], report))


def _carry_on(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    """The deployment of a version that people approved; what became of it is in the run."""
    run = workbench.pipelines.carry_on(job.spec["run_id"])
    detail = next((step.detail for step in run.steps if step.name == "deploy"), "")
    return {"run": run.id, "state": str(run.state), "version": run.version, "detail": run.error or detail}


def _compact(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    return {"rows": workbench.serving.compact()}


def _monitor(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    return {"reports": len(workbench.monitoring.check_all())}


def _batch(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    options = {name: job.spec[name] for name in ("out", "into", "rows", "why")}
    return _plain(workbench.serving.predict_all(job.spec["ref"], job.spec["source"], report=report, **options))


def _ingest(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    options = {name: job.spec[name] for name in ("mode", "message", "batch_id") if job.spec.get(name)}
    source = Path(job.spec["source"])
    return _plain(workbench.features.ingest(job.spec["table"], source, progress=report, **options))


def _flush(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    """Pushed rows into the lake, table by table: one that cannot be flushed does not stop the others."""
    flushed, wrong = 0, []
    for name in workbench.features.flush_due():
        try:
            flushed += workbench.features.flush(name)
        except WorkbenchError as error:
            wrong.append(f"{name}: {error.message}")
    if wrong:
        raise InvalidInput(" ".join(wrong), hint="The rows wait and are tried again.")
    return {"rows": flushed}


def _watch(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    """New files of a watched folder; an alert for each that cannot be read at all, until it can."""
    outcomes = workbench.features.take_watched(job.spec["watch"], job.spec["files"], progress=report)
    for one in outcomes:
        subject = f"{job.name}/{Path(one.file).name}"
        if one.state == "refused":
            title = f"{Path(one.file).name} was not taken into {job.name}"
            workbench.alerts.raise_alert("watch", subject, title=title, detail=one.reason, facts={"file": one.file})
        else:
            workbench.alerts.resolve_by("watch", subject, "it was taken in")
    return {"files": len(outcomes), "refused": sum(one.state == "refused" for one in outcomes)}


def _skew(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    """Served vectors against the offline join, and an alert while they differ."""
    name = job.spec["name"]
    known = ("since", "tolerate", "difference", "features", "entities")
    options = {key: job.spec[key] for key in known if job.spec.get(key) is not None}
    found = workbench.skew(name, **options)
    if found.verdict == "fail":
        worst = max(found.columns, key=lambda one: one.share)
        title = f"{name} is served other than it is joined"
        detail = f"{worst.share:.2%} of {worst.compared} values of {worst.column} differ."
        workbench.alerts.raise_alert("skew", name, title=title, detail=detail, facts={"column": worst.column})
    elif found.verdict == "pass":
        workbench.alerts.resolve_by("skew", name, "served as it is joined")
    return _plain(found)


def _archive(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    return _plain(workbench.experiments.archive())


def _release(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    return workbench.schedules.release(job.spec["pipeline"], job.spec["commit"], job.spec["to"], report)


def _upkeep(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    return nightly(workbench, report)


def _tell(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    """Messages about alerts, in a child so that a channel that hangs holds up nothing."""
    found = workbench.alerts.telling.deliver()
    for one in found:
        if one.state == "failed":
            title = f"The channel {one.channel} could not be used"
            workbench.alerts.raise_alert("delivery", one.channel, title=title, detail=one.error)
        elif one.state == "sent":
            workbench.alerts.resolve_by("delivery", one.channel, "a message went out")
    return {"messages": len(found), "sent": sum(one.state == "sent" for one in found)}


def _command(workbench: Workbench, job: Job, report: Report) -> dict[str, Any] | None:
    """Any program: spec = {"command": [...]}, run in the project folder; a code other than 0 is a failure."""
    code = subprocess.run(job.spec["command"], cwd=workbench.workspace.project, check=False).returncode
    if code != 0:
        raise InvalidInput(f"{job.spec['command'][0]} ended with code {code}.", hint=f"See: mlops jobs logs {job.id}")
    return {"code": code}


KINDS: dict[str, Callable[[Workbench, Job, Report], dict[str, Any] | None]] = {
    "pipeline": _pipeline,
    "carry_on": _carry_on,
    "batch": _batch,
    "compact": _compact,
    "monitor": _monitor,
    "ingest": _ingest,
    "flush": _flush,
    "watch": _watch,
    "skew": _skew,
    "archive": _archive,
    "release": _release,
    "upkeep": _upkeep,
    "tell": _tell,
    "command": _command,
}


def _reporter(workbench: Workbench, job_id: int) -> Report:
    """Progress at most twice a second, and always the last word."""
    last = 0.0

    def report(done: int, total: int | None = None, note: str = "") -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= _REPORT_EVERY_S:
            last = time.monotonic()
            workbench.jobs.progress(job_id, done, total, note)

    return report


def _plain(outcome: Any) -> dict[str, Any] | None:
    if dataclasses.is_dataclass(outcome) and not isinstance(outcome, type):
        return dataclasses.asdict(outcome)
    return outcome if isinstance(outcome, dict) else None


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def leave(code: int) -> int:
    """Do what is left at the end of a process, all but taking the interpreter apart (50 ms with the libraries loaded): exit with this."""
    atexit._run_exitfuncs()  # noqa: SLF001 - what `os._exit` leaves out
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    os._exit(leave(run(Workspace(Path(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4]))))
