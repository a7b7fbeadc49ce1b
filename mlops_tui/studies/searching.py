"""Trials one after the other: ask Optuna, run the objective in a run of its own, tell Optuna."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mlops_tui import sdk
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.sdk.supervised import RUN_VARIABLE
from mlops_tui.studies import optuna_study
from mlops_tui.studies.book import Book
from mlops_tui.studies.records import BEST, STATE_TAG, STUDY_TAG, TRIAL_TAG, VALUE, Study, filled
from mlops_tui.workbench import Workbench

Objective = Callable[[Any], Any]
IN_A_ROW = 5


class StudyTrial:
    """An Optuna trial whose parameters and reports stand in its run too. What it does not say itself the trial says."""

    def __init__(self, trial: Any, run: sdk.ActiveRun) -> None:
        self.trial = trial
        self.run = run

    def report(self, value: float, step: int) -> None:
        """Tell an intermediate value, for pruning and for the run's curve."""
        self.run.log_metric("reported", value, step=step)
        self.trial.report(float(value), int(step))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.trial, name)
        if not name.startswith("suggest_"):
            return found

        def suggest(key: str, *args: Any, **kwargs: Any) -> Any:
            value = found(key, *args, **kwargs)
            self.run.log_param(key, value)
            return value

        return suggest


@dataclass(slots=True)
class Limits:
    """When to end: so many complete or pruned trials in all, or a time (of `time.monotonic`)."""

    trials: int | None = None
    until: float | None = None


class Search:
    """One worker of a study."""

    def __init__(self, workbench: Workbench, study: Study, objective: Objective) -> None:
        self._bench = workbench
        self._study = study
        self._objective = objective
        self._book = Book(workbench)
        self._optuna = optuna_study.opened(study, self._book.journal(study.name))
        self._parent = RunWriter(workbench.workspace, study.run_id)
        self._failed_in_a_row = 0

    def go(self, limits: Limits, told: Callable[[int, str, float | None], None] = lambda *_: None) -> None:
        """Trials until a limit, a wish to stop, or five failures in a row (InvalidInput with the last one's words)."""
        mother = os.getppid()
        try:
            while os.getppid() == mother and (trial := self._ask(limits)) is not None:
                state, value, error = self._try(trial)
                told(trial.number, state, value)
                self._failed_in_a_row = self._failed_in_a_row + 1 if state == "failed" else 0
                if self._failed_in_a_row == IN_A_ROW:
                    words = error.strip().splitlines()[-1] if error.strip() else "no words"
                    raise InvalidInput(
                        f"{IN_A_ROW} trials in a row failed, the last with: {words}",
                        hint=f"Its run has the whole text: mlops studies show {self._study.name}",
                    )
        finally:
            self._parent.close()

    def _ask(self, limits: Limits) -> Any:
        """The next trial, or None at the end. Workers ask in turn, so that together they begin no trial too many."""
        from optuna.trial import TrialState

        if limits.until is not None and time.monotonic() >= limits.until:
            return None
        with optuna_study.turn(self._book.folder / f"{self._study.name}.turn"):
            if self._book.wish(self._study.name).exists():
                return None
            running = len(self._optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
            if limits.trials is not None and optuna_study.ended(self._optuna) + running >= limits.trials:
                return None
            if self._study.sampler == "grid" and self._optuna.sampler.is_exhausted(self._optuna):
                return None
            return self._optuna.ask()

    def _try(self, trial: Any) -> tuple[str, float | None, str]:
        """(state, value, error) of one trial, told to Optuna, its run and the study's run."""
        import optuna

        tags = {STUDY_TAG: self._study.name, TRIAL_TAG: trial.number}
        run = sdk.start_run(
            self._study.experiment,
            name=f"trial {trial.number}",
            tags=tags,
            parent=self._study.run_id,
            workspace=self._bench.workspace.root,
            actor=self._bench.actor,
        )
        state, value, error = "failed", None, ""
        try:
            value = optuna_study.check_value(self._objective(StudyTrial(trial, run)))
            if math.isnan(value):
                raise InvalidInput("The objective returned NaN.")
            state = "complete"
        except optuna.TrialPruned:
            state, value = "pruned", None
        except KeyboardInterrupt:
            run.set_tag(STATE_TAG, "failed")
            run.finish(RunState.CRASHED, "stopped")
            raise
        except Exception as problem:
            value, error = None, "".join(traceback.format_exception(problem))
        self._tell(trial, run, state, value, error)
        return state, value, error

    def _tell(self, trial: Any, run: sdk.ActiveRun, state: str, value: float | None, error: str) -> None:
        from optuna.trial import TrialState

        run.log_params(trial.params)
        run.set_tag(STATE_TAG, state)
        if value is not None:
            run.log_metric(VALUE, value, step=0)
        run.finish(RunState.FAILED if state == "failed" else RunState.FINISHED, error)
        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        self._optuna.tell(trial.number, value, state=states[state])
        if value is not None:
            best = self._optuna.best_value
            self._parent.metrics([(VALUE, trial.number, value), (BEST, trial.number, best)])


def objective_of(study: Study, folder: Path) -> Objective:
    """What a study tries. Raises NotFound for a module or function that is not there, InvalidInput when it has none."""
    if study.command:
        return lambda trial: _run_command(study, trial, folder)
    if not study.objective:
        raise InvalidInput(
            f"The study '{study.name}' was made by a script, which has its objective.",
            hint="Run the script again: it goes on with the study.",
        )
    module, _, name = study.objective.partition(":")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name):
            raise
        raise NotFound(
            f"There is no module '{module}'.", hint=f"It is looked for in {folder} and among what is installed."
        ) from None
    for part in name.split("."):
        found = getattr(found, part, None)  # type: ignore[assignment]
    if not callable(found):
        raise NotFound(f"The module '{module}' has no function '{name}'.")
    objective: Objective = found
    return objective


def _run_command(study: Study, trial: StudyTrial, folder: Path) -> float:
    """The last line that the command writes to stdout; all of it is kept with the run. Raises InvalidInput."""
    values = {param.name: param.suggest(trial) for param in study.params}
    environment = {**os.environ, RUN_VARIABLE: trial.run.id, "MLOPS_WORKSPACE": str(trial.run.workspace.root)}
    try:
        done = subprocess.run(
            filled(study.command, values),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise InvalidInput(f"{study.command[0]} cannot be started: {error.strerror}.") from error
    if done.stdout or done.stderr:
        trial.run.log_text(done.stdout + done.stderr, "output.txt")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no words"])[-1]
        raise InvalidInput(f"The command ended with {done.returncode}: {last[:300]}")
    last = (done.stdout.strip().splitlines() or [""])[-1]
    try:
        return float(last.rpartition("=")[2])
    except ValueError:
        raise InvalidInput(f"The last line of the command is {last[:80]!r}, which is no number.") from None
