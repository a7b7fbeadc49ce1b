"""Running a study: its run is resumed, workers are started and waited for, and what they lost is tried again."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_tui import sdk
from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput
from mlops_tui.studies import optuna_study
from mlops_tui.studies.book import Book
from mlops_tui.studies.records import Study
from mlops_tui.studies.searching import Limits, Objective, Search
from mlops_tui.workbench import Workbench, open_workbench

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.1
_LOOK_S = 1.0


def run(
    workbench: Workbench,
    study: Study,
    *,
    trials: int | None,
    jobs: int = 1,
    timeout_s: float | None = None,
    folder: Path,
    watched: Callable[[int, int | None], None] = lambda *_: None,
) -> None:
    """Run a study in `jobs` processes until it has so many complete or pruned trials in all, or the time is over.

    `watched` is told (trials, wanted) now and then. Raises NotAllowed while it runs elsewhere, InvalidInput when a worker gave up.
    """
    book = Book(workbench)
    handle = book.hold(study.name)
    try:
        _prepare(book, study)
        with _study_run(workbench, study):
            workers = [_start(workbench, study, number, trials, timeout_s, folder) for number in range(jobs)]
            _wait(workbench, study, workers, trials, watched)
    finally:
        os.close(handle)


def _prepare(book: Book, study: Study) -> Any:
    optuna_study.mend(book.journal(study.name))
    found = optuna_study.opened(study, book.journal(study.name))
    optuna_study.give_up_lost(found)
    return found


def _study_run(workbench: Workbench, study: Study) -> sdk.ActiveRun:
    run = sdk.start_run(
        study.experiment, resume=study.run_id, workspace=workbench.workspace.root, actor=workbench.actor
    )
    names = ("direction", "sampler", "pruner", "objective")
    run.log_params({f"study.{name}": getattr(study, name) for name in names if getattr(study, name)})
    return run


def _start(
    workbench: Workbench, study: Study, number: int, trials: int | None, timeout_s: float | None, folder: Path
) -> subprocess.Popen[bytes]:
    words = ["--workspace", str(workbench.workspace.root), "--study", study.name, "--folder", str(folder)]
    words += ["--trials", str(trials)] if trials is not None else []
    words += ["--timeout", str(timeout_s)] if timeout_s is not None else []
    environment = processes.package_environment()
    environment.setdefault("OMP_NUM_THREADS", "1")  # each worker would take all cores for itself
    environment |= {"MLOPS_STUDY_WORKER": str(number), "MLOPS_ACTOR": workbench.actor}
    return subprocess.Popen(
        processes.python_module("mlops_tui.studies.worker", *words),
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with_parent,
    )


def _die_with_parent() -> None:
    """A worker without the process that waits for it would hide from `studies show` and go on for ever."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(
    workbench: Workbench,
    study: Study,
    workers: list[subprocess.Popen[bytes]],
    trials: int | None,
    watched: Callable[[int, int | None], None],
) -> None:
    book = Book(workbench)
    try:
        looked = 0.0
        while any(worker.poll() is None for worker in workers):
            if time.monotonic() - looked > _LOOK_S:
                counts = book.standing(study).counts
                watched(counts.get("complete", 0) + counts.get("pruned", 0), trials)
                looked = time.monotonic()
            time.sleep(_POLL_S)
    except BaseException:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
        raise
    if bad := [worker.returncode for worker in workers if worker.returncode]:
        raise InvalidInput(
            f"{len(bad)} of {len(workers)} workers ended early (exit code {bad[0]}).",
            hint=f"What they wrote stands above; the trials are kept: mlops studies show {study.name}",
        )


def optimize(
    objective: Objective,
    *,
    study: str,
    trials: int,
    direction: str = "minimize",
    sampler: str = "tpe",
    pruner: str = "none",
    seed: int | None = None,
    experiment: str = "",
    workspace: str | Path | None = None,
) -> Any:
    """Search in this process: call `objective(trial)` until the study has so many complete or pruned trials; its Standing.

    The study is made when it is new, else gone on with. `trial` is Optuna's, and stands for a run of its own: `trial.run`.
    Raises NotAllowed while it runs elsewhere, InvalidInput after five failures in a row, Unavailable without Optuna.
    """
    with open_workbench(workspace) as bench:
        book = Book(bench)
        if any(one.name == study for one in book.all()):
            found = book.get(study)
        else:
            found = book.create(
                study, experiment=experiment, direction=direction, sampler=sampler, pruner=pruner, seed=seed
            )
        if found.direction != direction:
            raise InvalidInput(
                f"The study '{study}' {found.direction}s; it cannot {direction}.", hint="Take another name."
            )
        handle = book.hold(study)
        try:
            _prepare(book, found)
            try:
                with _study_run(bench, found):
                    Search(bench, found, objective).go(Limits(trials))
            finally:
                bench.experiments.take_in()
            return book.standing(found)
        finally:
            os.close(handle)
