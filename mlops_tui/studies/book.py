"""The studies of a workspace: one small file each, a lock that is held while one runs, and their trials as runs."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import ids, locks
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.core.extras import need
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.studies.records import (
    DIRECTIONS,
    PRUNERS,
    SAMPLERS,
    STATE_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    VALUE,
    Param,
    Standing,
    Study,
    Trial,
    check_command,
)

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run
    from mlops_tui.workbench import Workbench

_PAGE = 500


class Book:
    """Studies by name."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench
        self.folder = workbench.workspace.root / "studies"

    def create(
        self,
        name: str,
        *,
        experiment: str = "",
        direction: str = "minimize",
        sampler: str = "tpe",
        pruner: str = "none",
        seed: int | None = None,
        objective: str = "",
        command: tuple[str, ...] = (),
        params: tuple[Param, ...] = (),
    ) -> Study:
        """Make a study and its run. Raises AlreadyExists, InvalidInput for settings that cannot be, Unavailable without Optuna."""
        ids.check_name("study", name)
        _check(direction, sampler, pruner, objective, command, params)
        need("optuna", "optuna")
        if self._file(name).exists():
            raise AlreadyExists(f"There is a study '{name}' already.", hint=f"Go on with it: mlops studies run {name}")
        run = self._bench.experiments.start(experiment or name, name=name, tags={STUDY_TAG: name})
        # Nothing of it runs yet, and this process goes away; running it resumes the run.
        self._bench.experiments.finish(run.id)
        study = Study(
            name=name,
            run_id=run.id,
            experiment=run.experiment,
            direction=direction,
            sampler=sampler,
            pruner=pruner,
            seed=seed,
            objective=objective,
            command=command,
            params=params,
            created_at=run.started_at,
            created_by=run.user,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = self._file(name).with_suffix(".part")
        staged.write_text(json.dumps(dataclasses.asdict(study), indent=2), encoding="utf-8")
        staged.replace(self._file(name))
        self._note("create", name, {"run": run.id, "direction": direction, "sampler": sampler})
        return study

    def remove(self, name: str) -> None:
        """Forget a study and what Optuna knows of it; its runs stay. Raises NotFound, NotAllowed while it runs."""
        study = self.get(name)
        handle = self.hold(name)
        try:
            for path in (*self.folder.glob(f"{name}.*"), self._lock(name)):
                if path.stem == name or path == self._lock(name):
                    path.unlink(missing_ok=True)
            self._note("remove", name, {"run": study.run_id})
        finally:
            os.close(handle)

    def get(self, name: str) -> Study:
        """Raises NotFound with the nearest name."""
        path = self._file(name)
        if not path.is_file():
            names = [one.stem for one in self.folder.glob("*.json")]
            hint = ids.did_you_mean(name, names, "List them: mlops studies list")
            raise NotFound(f"There is no study '{name}'.", hint=hint)
        return _read(path)

    def all(self) -> list[Study]:
        """Studies, the newest first."""
        found = [_read(path) for path in self.folder.glob("*.json")]
        return sorted(found, key=lambda study: (-study.created_at, study.name))

    def standing(self, study: Study) -> Standing:
        """Its trials as they are now, by number."""
        self._bench.experiments.sweep()
        return Standing(study, self.running(study.name), self._trials(study))

    # -- running and stopping -----------------------------------------------------------------------------------------

    def journal(self, name: str) -> Path:
        """Where Optuna keeps what it knows of a study."""
        return self.folder / f"{name}.journal"

    def running(self, name: str) -> bool:
        """Whether someone runs it now."""
        return locks.held(self._lock(name))

    def hold(self, name: str) -> int:
        """Be the one who runs a study, for as long as the descriptor is open. Raises NotAllowed."""
        handle = locks.hold(self._lock(name), wait_s=0.2)
        if handle is None:
            raise NotAllowed(f"The study '{name}' runs already.", hint=f"Look at it: mlops studies show {name}")
        self.wish(name).unlink(missing_ok=True)
        return handle

    def wish(self, name: str) -> Path:
        """The file whose presence ends a study after the trials that run now."""
        return self.folder / f"{name}.stop"

    def stop(self, name: str) -> bool:
        """End a study after the trials that run now; whether it ran."""
        self.get(name)
        if not self.running(name):
            return False
        self.wish(name).touch()
        return True

    def _note(self, verb: str, name: str, after: dict[str, Any]) -> None:
        with self._bench.context.catalog.write() as tx:
            self._bench.audit.note(tx, verb, "study", name, after=after)

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _file(self, name: str) -> Path:
        return self.folder / f"{ids.check_name('study', name)}.json"

    def _lock(self, name: str) -> Path:
        return self._bench.workspace.run / f"study-{name}.lock"

    def _trials(self, study: Study) -> list[Trial]:
        rooms = self._bench.experiments
        runs: list[Run] = []
        while page := rooms.runs(parent=study.run_id, order="started_at", limit=_PAGE, offset=len(runs)):
            runs += page
        own = {int(run.tags[TRIAL_TAG]): run for run in runs if run.tags.get(TRIAL_TAG, "").isdigit()}
        values = rooms.latest(VALUE, [run.id for run in own.values()])
        found: list[Trial] = []
        best: float | None = None
        for number, run in sorted(own.items()):
            state = _state(run)
            value = values.get(run.id)
            value = None if value is None or math.isnan(value) else value
            if state == "complete" and value is not None:
                best = value if best is None else max(best, value) if study.maximizes else min(best, value)
            params = rooms.params(run.id)
            found.append(Trial(number, run.id, state, value, best, run.started_at, run.ended_at, params, run.error))
        return found


def _state(run: Run) -> str:
    if run.state is RunState.RUNNING:
        return "running"
    if run.state is RunState.CRASHED:
        return "lost"
    return run.tags.get(STATE_TAG, "failed")


def _check(
    direction: str, sampler: str, pruner: str, objective: str, command: tuple[str, ...], params: tuple[Param, ...]
) -> None:
    for value, known, what in (
        (direction, DIRECTIONS, "direction"),
        (sampler, SAMPLERS, "sampler"),
        (pruner, PRUNERS, "pruner"),
    ):
        if value not in known:
            raise InvalidInput(
                f"'{value}' is no {what}.", hint=ids.did_you_mean(value, known, "Known: " + ", ".join(known))
            )
    if objective and command:
        raise InvalidInput("A study has an objective or a command, not both.")
    if objective and not all(objective.partition(":")[::2]):
        raise InvalidInput(f"'{objective}' is no objective.", hint="Write it as module:function.")
    if len({param.name for param in params}) < len(params):
        raise InvalidInput("A parameter is named twice.")
    if command:
        check_command(command, params)
    if sampler == "grid":
        if not params:
            raise InvalidInput("A grid needs the parameters beforehand.", hint="Name each with --param.")
        for param in params:
            param.grid()


def _read(path: Path) -> Study:
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        params = tuple(Param(**{**one, "choices": tuple(one["choices"])}) for one in said.pop("params"))
        return Study(**{**said, "command": tuple(said["command"])}, params=params)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"{path} does not describe a study: {error}.", hint="Restore it from a backup.") from None
