"""What a training script or notebook calls.

    with mlops.start_run(experiment="churn", tags={"team": "growth"}) as run:
        run.log_params({"max_depth": 6})
        run.log_metric("loss", 0.31, step=10)

Each call appends one record to the run's spool segment and returns; a background thread moves records into the database
twice a second. Trouble with the disk is said once on stderr and never raised; a value that is no number is said and left out.
Only `start_run`, files that are not there, and `log_model` raise.
"""

from __future__ import annotations

import atexit
import dataclasses
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mlops_tui.core import clock, ids
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments import mover
from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.records import RunStart, RunState
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version

_current: ContextVar[ActiveRun | None] = ContextVar("mlops_run", default=None)
_latest: list[ActiveRun] = []


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
    workspace: str | Path | None = None,
    actor: str | None = None,
) -> ActiveRun:
    """Start a run of `experiment` (made when new), or go on with the run `resume` (an id or its beginning).

    Use it with `with`, or call `finish()`; a run left open ends with the interpreter. Inside another run it becomes its child.
    Raises NotFound (no workspace, unknown run), InvalidInput (a name that cannot be used).
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
        outer = _inner()
        above = parent or (outer.id if outer is not None and outer.workspace == bench.workspace else "")
        if above and not parent:
            rooms.take_in()  # the outer run may have begun a moment ago
        facts = rooms.describe(experiment, name=name, parent=above, resume=found)
        run = ActiveRun(bench.workspace, facts, actor=bench.actor, steps=steps, outer=outer)
    run.writer.start(facts)
    if tags:
        run.set_tags(tags)
    _current.set(run)
    _latest.append(run)
    mover.enter(run.writer, partial(Workbench, run.workspace, actor=run.actor), first=run.files.keep_environment)
    return run


def active_run() -> ActiveRun | None:
    """The run that `log_metric` and its like write to: the innermost of this context, else the last one started."""
    return _inner() or (_latest[-1] if _latest else None)


def _inner() -> ActiveRun | None:
    run = _current.get()
    while run is not None and run.ended:  # ended in another thread, which cannot reset this context
        run = run.outer
    return run


class ActiveRun:
    """A run that is being logged to. Its methods may be called from any thread, and from forked children."""

    def __init__(
        self,
        workspace: Workspace,
        facts: RunStart,
        *,
        actor: str,
        steps: dict[str, int] | None = None,
        outer: ActiveRun | None = None,
    ) -> None:
        self.workspace = workspace
        self.id = facts.id
        self.experiment = facts.experiment
        self.actor = actor
        self.writer = RunWriter(workspace, self.id, steps=steps)
        self._facts = facts
        self.files = RunFiles(workspace, self.writer)
        self._owner = os.getpid()
        self.outer = outer
        self.ended = False

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.experiment}>"

    # -- values -------------------------------------------------------------------------------------------------------

    def log_param(self, key: str, value: Any) -> None:
        """Keep a parameter as text; the last value stays."""
        self.writer.params({key: value})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Keep several parameters."""
        self.writer.params(params)

    def log_metric(self, key: str, value: Any, step: int | None = None, *, at: int | None = None) -> None:
        """Keep a number (any scalar, NaN and infinities too) at a step; without one, the step after the last. `at` in ms."""
        self.writer.metrics([(key, step, value)], at=at)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None, *, at: int | None = None) -> None:
        """Keep several numbers in one record."""
        self.writer.metrics([(key, step, value) for key, value in metrics.items()], at=at)

    def set_tag(self, key: str, value: Any) -> None:
        """Keep a tag; the last value stays."""
        self.writer.tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Keep several tags."""
        self.writer.tags(tags)

    # -- files --------------------------------------------------------------------------------------------------------

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        """Keep a copy of a file, or of a folder with all in it, under `name` (its own by default). Raises NotFound."""
        self.files.keep_path(path, name)

    def log_text(self, text: str, name: str) -> None:
        """Keep text as a file called `name`, such as `notes/plan.md`."""
        self.files.keep_bytes(text.encode("utf-8", "replace"), name)

    def log_dict(self, data: Any, name: str) -> None:
        """Keep a JSON document; what JSON does not know is written as text."""
        self.files.keep_json(data, name)

    def log_figure(self, figure: Any, name: str) -> None:
        """Keep a Matplotlib figure as an image, or one with `write_html` (Plotly) as a page. Raises InvalidInput for others."""
        self.files.keep_figure(figure, name)

    def log_model(
        self,
        estimator: Any,
        name: str = "model",
        *,
        sample: Any,
        register: str | None = None,
        task: str = "",
        target: str = "target",
        snapshots: list[str] | None = None,
        description: str = "",
        tags: dict[str, str] | None = None,
        **about: Any,
    ) -> Version | None:
        """Keep a fitted estimator as a model package under `name`, and register it as the next version of model `register`.

        `sample`: input rows (DataFrame). `task`: classification, regression, clustering or anomaly; asked of a scikit-learn
        estimator when left out. `snapshots`: feature snapshots behind it. `about`: labels, reference, predictions, truth,
        modules of the package. Returns the version if one was registered. Raises InvalidInput when it cannot be packaged.
        """
        from mlops_tui.domains.registry import package  # loads the ML stack

        self.workspace.tmp.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.workspace.tmp, prefix="model-") as room:
            folder = Path(room) / "package"
            package.save(folder, estimator, sample=sample, task=task or _task_of(estimator), target=target, **about)
            self.log_artifact(folder, name)
            if not register:
                return None
            with Workbench(self.workspace, actor=self.actor) as bench:
                bench.experiments.take_in()
                metrics = {key: metric.value for key, metric in bench.experiments.metrics(self.id).items()}
                return bench.registry.register(
                    register,
                    folder,
                    run_id=self.id,
                    snapshots=snapshots,
                    git_commit=self._facts.git_commit,
                    metrics=metrics,
                    description=description,
                    tags=tags,
                )

    def child_facts(self, name: str) -> RunStart:
        """The facts of a new run below this one, of the same process and code; nothing is written."""
        begun = clock.now_ms()
        return dataclasses.replace(
            self._facts, id=ids.new_id(), name=name, started_at=begun, parent=self.id, resumed=False
        )

    # -- life ---------------------------------------------------------------------------------------------------------

    def finish(self, state: RunState | str = RunState.FINISHED, error: str = "") -> None:
        """End the run and take in all it logged. In a forked child this only closes the child's segment."""
        if self.ended:
            return
        self.ended = True
        if os.getpid() != self._owner:
            self.writer.close()
            return
        self.files.keep_environment()
        self.writer.finish(RunState(state), error)
        if self in _latest:
            _latest.remove(self)
        if _current.get() is self:
            _current.set(self.outer)
        mover.leave(self.writer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
        else:
            self.finish(RunState.FAILED, "".join(traceback.format_exception(error)))


def _task_of(estimator: Any) -> str:
    from sklearn import base

    questions = {
        "classification": base.is_classifier,
        "regression": base.is_regressor,
        "clustering": base.is_clusterer,
        "anomaly": base.is_outlier_detector,
    }
    for task, holds in questions.items():
        if hasattr(estimator, "__sklearn_tags__") and holds(estimator):
            return task
    raise InvalidInput(
        f"What a {type(estimator).__name__} predicts is not known.",
        hint="Say it: task='classification' or 'regression'.",
    )


def _active() -> ActiveRun:
    run = active_run()
    if run is None:
        raise InvalidInput("No run is being logged to.", hint="Start one: with mlops.start_run(experiment=...) as run:")
    return run


def log_param(key: str, value: Any) -> None:
    """`ActiveRun.log_param` of the active run; InvalidInput when there is none. So are the functions below."""
    _active().log_param(key, value)


def log_params(params: Mapping[str, Any]) -> None:
    """See `ActiveRun.log_params`."""
    _active().log_params(params)


def log_metric(key: str, value: Any, step: int | None = None, *, at: int | None = None) -> None:
    """See `ActiveRun.log_metric`."""
    _active().log_metric(key, value, step, at=at)


def log_metrics(metrics: Mapping[str, Any], step: int | None = None, *, at: int | None = None) -> None:
    """See `ActiveRun.log_metrics`."""
    _active().log_metrics(metrics, step, at=at)


def set_tag(key: str, value: Any) -> None:
    """See `ActiveRun.set_tag`."""
    _active().set_tag(key, value)


def set_tags(tags: Mapping[str, Any]) -> None:
    """See `ActiveRun.set_tags`."""
    _active().set_tags(tags)


def log_artifact(path: str | Path, name: str | None = None) -> None:
    """See `ActiveRun.log_artifact`."""
    _active().log_artifact(path, name)


def log_text(text: str, name: str) -> None:
    """See `ActiveRun.log_text`."""
    _active().log_text(text, name)


def log_dict(data: Any, name: str) -> None:
    """See `ActiveRun.log_dict`."""
    _active().log_dict(data, name)


def log_figure(figure: Any, name: str) -> None:
    """See `ActiveRun.log_figure`."""
    _active().log_figure(figure, name)


def log_model(
    estimator: Any, name: str = "model", *, sample: Any, register: str | None = None, **about: Any
) -> Version | None:
    """See `ActiveRun.log_model`."""
    return _active().log_model(estimator, name, sample=sample, register=register, **about)


@atexit.register
def _end_open_runs() -> None:
    """Runs left open end with the interpreter: failed when an exception ended it, finished otherwise."""
    # In a notebook or shell the last error may be an old one that has nothing to do with the run.
    error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)
    for run in reversed(_latest.copy()):
        if error is None:
            run.finish()
        else:
            run.finish(RunState.FAILED, "".join(traceback.format_exception(error)))
