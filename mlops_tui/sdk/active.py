"""A run that is being logged to, and which one that is."""

from __future__ import annotations

import atexit
import dataclasses
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
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
from mlops_tui.sdk.console import Capture

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version

_current: ContextVar[ActiveRun | None] = ContextVar("mlops_run", default=None)
_latest: list[ActiveRun] = []


def active_run() -> ActiveRun | None:
    """The run that `log_metric` and its like write to: the innermost of this context, else the last one started."""
    return inner() or (_latest[-1] if _latest else None)


def inner() -> ActiveRun | None:
    """The innermost run of this context that goes on."""
    run = _current.get()
    while run is not None and run.ended:  # ended in another thread, which cannot reset this context
        run = run.outer
    return run


def enter(run: ActiveRun) -> None:
    """From now on `log_metric` and its like write to this run."""
    _current.set(run)
    _latest.append(run)


def _leave(run: ActiveRun) -> None:
    if run in _latest:
        _latest.remove(run)
    if _current.get() is run:
        _current.set(run.outer)


def _sent(root: str, facts: RunStart, actor: str) -> ActiveRun:
    """The run as it arrives in another process."""
    return ActiveRun(Workspace(Path(root)), facts, actor=actor, attached=True)


class ActiveRun:
    """A run that is being logged to. Its methods may be called from any thread, from forked children and, sent there, from others.

    Sent to another process (`multiprocessing`, `joblib`), it logs into the same run there; only the one that started it ends it.
    """

    def __init__(
        self,
        workspace: Workspace,
        facts: RunStart,
        *,
        actor: str,
        steps: dict[str, int] | None = None,
        outer: ActiveRun | None = None,
        attached: bool = False,
    ) -> None:
        self.workspace = workspace
        self.id = facts.id
        self.experiment = facts.experiment
        self.actor = actor
        self.writer = RunWriter(workspace, self.id, steps=steps)
        self.attached = attached
        self._facts = facts
        self.files = RunFiles(workspace, self.writer)
        self._owner = os.getpid()
        self.outer = outer
        self.ended = False
        self._capture: Capture | None = None

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.experiment}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _sent, (str(self.workspace.root), self._facts, self.actor)

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

    def log_series(
        self, key: str, values: Iterable[Any], steps: Iterable[int] | None = None, *, at: int | None = None
    ) -> None:
        """Keep many points of one metric at once, a million too; without `steps`, those after the last. InvalidInput if uneven."""
        given = list(values)
        numbered: list[Any] = [None] * len(given) if steps is None else list(steps)
        if len(numbered) != len(given):
            raise InvalidInput(
                f"{len(given)} values of '{key}' have {len(numbered)} steps.", hint="Give one step a value."
            )
        self.writer.metrics([(key, step, value) for step, value in zip(numbered, given, strict=True)], at=at)

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

    def log_table(self, data: Any, name: str) -> None:
        """Keep a table (DataFrame, dict of columns, list of dicts) as `name`: .csv, .json (columns and rows) or .parquet.

        The same name again replaces it. Raises InvalidInput for what is no table or another ending.
        """
        from mlops_tui.domains.experiments import tables

        self.files.keep_bytes(tables.encode(data, name), name)

    def log_input(self, data: Any, name: str = "", *, context: str = "training") -> None:
        """Keep which data the run read: a feature snapshot ("orders@12"), or a DataFrame, array or file by the hash of its content.

        The data itself is not kept. Raises NotFound (no such snapshot or file), InvalidInput (not to be hashed).
        """
        from mlops_tui.sdk.inputs import describe

        self.writer.inputs([describe(self, data, name, context)])

    def log_model(self, estimator: Any, name: str = "model", *, sample: Any = None, **about: Any) -> Version | None:
        """Keep a fitted model as a package under `name`, and register it with `register="MODEL"`: see `models.keep`."""
        from mlops_tui.sdk import models

        return models.keep(self, estimator, name, sample=sample, **about)

    @property
    def git_commit(self) -> str:
        """The commit the code of this run was at; empty outside a repository."""
        return self._facts.git_commit

    @property
    def log_dir(self) -> Path:
        """The folder of its text logs, which `mlops runs logs` prints."""
        return self.workspace.logs / "runs" / self.id

    def capture_output(self) -> None:
        """From now on what is printed is kept in `console.log` too, until the run ends."""
        if self._capture is None and not self.ended:
            self._capture = Capture(self.log_dir)

    def child_facts(self, name: str) -> RunStart:
        """The facts of a new run below this one, of the same process and code; nothing is written."""
        begun = clock.now_ms()
        return dataclasses.replace(
            self._facts, id=ids.new_id(), name=name, started_at=begun, parent=self.id, resumed=False
        )

    # -- life ---------------------------------------------------------------------------------------------------------

    def finish(self, state: RunState | str = RunState.FINISHED, error: str = "") -> None:
        """End the run and take in all it logged. In another process than the one that started it, this only ends the logging."""
        if self.ended:
            return
        self.ended = True
        if os.getpid() != self._owner or self.attached:
            self.writer.close()
            _leave(self)
            return
        if self._capture is not None:
            self._capture.stop()
        self.files.keep_environment()
        self.writer.finish(RunState(state), error)
        _leave(self)
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
