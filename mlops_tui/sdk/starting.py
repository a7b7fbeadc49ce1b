"""Opening a workspace, and starting, resuming and joining runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments import environment, machine, mover
from mlops_tui.domains.experiments.records import RunStart
from mlops_tui.sdk import console
from mlops_tui.sdk.active import ActiveRun, enter, inner
from mlops_tui.workbench import Workbench, open_workbench


def open(path: str | Path | None = None, *, actor: str | None = None) -> Workbench:
    """The rooms of a workspace: `.experiments`, `.features`, `.registry` and so on. For one thread; close it when done.

    `path` is the project or storage folder; without it $MLOPS_WORKSPACE, the nearest parent folder, the user's folder.
    """
    return open_workbench(path, actor=actor)


def start_run(
    experiment: str = "default",
    *,
    name: str = "",
    tags: Mapping[str, Any] | None = None,
    resume: str | None = None,
    parent: str | None = None,
    system_metrics: bool | float | None = None,
    capture_output: bool | None = None,
    command: Sequence[str] | None = None,
    workspace: str | Path | None = None,
    actor: str | None = None,
) -> ActiveRun:
    """Start a run of `experiment` (made when new), or go on with the run `resume` (an id or its beginning).

    Use it with `with`, or call `finish()`; a run left open ends with the interpreter. Inside another run it becomes its child.
    `system_metrics`: every so many seconds CPU, memory and GPUs of this process and its children (ten; False for never;
    None asks $MLOPS_SYSTEM_METRICS). `capture_output`: what is printed is kept with the run too (None asks $MLOPS_CAPTURE_OUTPUT).
    `command`: what is run, where that is another program than this one.
    Raises NotAllowed (the experiment is deleted or over its quota), NotFound (no workspace, unknown run), InvalidInput (a name that
    cannot be used).
    """
    with open_workbench(workspace, actor=actor) as bench:
        rooms = bench.experiments
        steps: dict[str, int] = {}
        found = None
        if resume is not None:
            rooms.take_in()
            found = rooms.run(resume)
            steps = {key: metric.step + 1 for key, metric in rooms.metrics(found.id).items()}
            experiment = found.experiment
        outer = inner()
        above = parent or (outer.id if outer is not None and outer.workspace == bench.workspace else "")
        if above and not parent:
            rooms.take_in()  # the outer run may have begun a moment ago
        facts = rooms.describe(experiment, name=name, parent=above, resume=found, command=command)
        run = ActiveRun(bench.workspace, facts, actor=bench.actor, steps=steps, outer=outer)
    run.writer.start(facts)
    seeds = {f"seed.{name}": value for name, value in environment.seeds().items()} if found is None else {}
    if tags or seeds:
        run.set_tags({**seeds, **(tags or {})})
    enter(run)
    if console.wanted(capture_output):
        run.capture_output()
    seconds = machine.seconds(system_metrics) if outer is None else None  # a child's machine is its parent's
    rooms_of = partial(Workbench, run.workspace, actor=run.actor)
    mover.enter(run.writer, rooms_of, first=run.files.keep_environment, machine_s=seconds)
    return run


def attach_run(run_id: str, *, workspace: str | Path | None = None, actor: str | None = None) -> ActiveRun:
    """Log into a run that another process started and will end: for the workers of one training.

    Steps left out are counted in each process by itself. `finish()` or the end of `with` ends only the logging from here.
    Raises NotFound, InvalidInput (several runs begin so).
    """
    with open_workbench(workspace, actor=actor) as bench:
        bench.experiments.take_in()
        found = bench.experiments.run(run_id)
        known = {field.name for field in dataclasses.fields(RunStart)} & {
            field.name for field in dataclasses.fields(found)
        }
        facts = RunStart(**{name: getattr(found, name) for name in known})
        run = ActiveRun(Workspace(bench.workspace.root), facts, actor=bench.actor, outer=inner(), attached=True)
    enter(run)
    return run
