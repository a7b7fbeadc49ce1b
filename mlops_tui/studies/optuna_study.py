"""A study as Optuna has it: a journal file in the workspace, read and appended under a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.extras import need
from mlops_tui.studies.records import Study

EXTRA = "optuna"
RETRY = "retry_of"


class FileLock:
    """What Optuna's journal asks of a lock, kept by the kernel: its own, a link, stays for 30 s after a kill."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def acquire(self) -> bool:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        os.close(self._handle)
        self._handle = -1


def mend(journal: Path) -> None:
    """Cut off a line that a killed writer left half, before anyone appends to it."""
    if not journal.exists():
        return
    with journal.open("r+b") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file.truncate(whole)


def opened(study: Study, journal: Path) -> Any:
    """The Optuna study behind the journal, made when it is not there. Raises Unavailable without Optuna."""
    optuna = need("optuna", EXTRA)
    journal.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the journal is called experimental by versions that have had it for years
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        lock: Any = FileLock(journal.with_suffix(".lock"))  # has what Optuna's own locks have
        backend = JournalFileBackend(str(journal), lock_obj=lock)
        return optuna.create_study(
            storage=JournalStorage(backend),
            study_name=study.name,
            direction=study.direction,
            sampler=_sampler(optuna, study),
            pruner=_pruner(optuna, study.pruner),
            load_if_exists=True,
        )


def _sampler(optuna: Any, study: Study) -> Any:
    # With a seed and several workers each would draw the same numbers; the process makes them differ.
    seed = None if study.seed is None else study.seed + int(os.environ.get("MLOPS_STUDY_WORKER", "0"))
    if study.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if study.sampler == "grid":
        return _grid(optuna, study)
    # constant_liar: a worker takes the trials that others run at the moment for bad ones, so that it looks elsewhere
    return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _grid(optuna: Any, study: Study) -> Any:
    class Grid(optuna.samplers.GridSampler):  # type: ignore[misc]
        """Leaves it to the one who asks to see that the grid is exhausted; stopping is for Optuna's own loop, which is not used."""

        def after_trial(self, *about: Any) -> None:
            """Nothing."""

    return Grid({param.name: param.grid() for param in study.params}, seed=study.seed)


def _pruner(optuna: Any, name: str) -> Any:
    kinds = {
        "none": optuna.pruners.NopPruner,
        "median": optuna.pruners.MedianPruner,
        "hyperband": optuna.pruners.HyperbandPruner,
    }
    return kinds[name]()


def give_up_lost(study: Any) -> list[int]:
    """End the trials whose worker died, and have their parameters tried again; their numbers. Only while nothing of it runs."""
    from optuna.trial import TrialState

    lost = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(dict(trial.params), user_attrs={RETRY: trial.number})
        lost.append(trial.number)
    return lost


def ended(study: Any) -> int:
    """Trials that count for what was asked for: complete and pruned ones."""
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def importance(study: Study, journal: Path) -> dict[str, float]:
    """How much of the differences each parameter explains (fANOVA, random forest), largest first; sums to 1.

    Empty while there are fewer than two complete trials or no differences. Raises Unavailable without Optuna.
    """
    optuna = need("optuna", EXTRA)
    if not journal.exists():
        return {}
    from optuna.trial import TrialState

    found = opened(study, journal)
    complete = found.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < 2 or not set.intersection(*(set(trial.params) for trial in complete)):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            shares = optuna.importance.get_param_importances(
                found, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
            )
        except (ValueError, RuntimeError):  # no variance at all
            return {}
    return {str(name): float(share) for name, share in shares.items()}


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """One at a time, across processes."""
    lock = FileLock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def check_value(value: Any) -> float:
    """What an objective returned, as a number. Raises InvalidInput."""
    try:
        if isinstance(value, (str, bytes)) or value is None:
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"The objective returned {value!r:.80}, which is no number.") from None
