"""Searching settings: which ones to try, on which folds, when to give one up, and how several are tried at once."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import signal
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.identity import end_with_parent
from mlops_tui.domains.pipelines.making import Range, Tune

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlops_tui.domains.pipelines.records import Trial

Fold = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]
# Trials are judged in groups of this size, whatever the number of processes, and one is given up only by what earlier groups
# showed: so a search gives the same answer on one core and on eight, and after a kill.
BATCH = 4


def candidates(tune: Tune, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the settings to try: every combination of a grid, or `trials` random or Sobol draws without repeats."""
    if tune.method == "grid":
        values = [value if isinstance(value, list) else [] for value in tune.space.values()]
        for combination in itertools.product(*values):
            yield dict(zip(tune.space, combination, strict=True))
        return
    seen: list[dict[str, Any]] = []
    for point in _points(tune, seed):
        drawn = {name: _at(span, share) for (name, span), share in zip(tune.space.items(), point, strict=True)}
        if drawn not in seen:
            seen.append(drawn)
            yield drawn
        if len(seen) == tune.trials:
            return


def folds(
    count: int,
    *,
    kind: str,
    rows: int,
    seed: int,
    labels: np.ndarray[Any, Any] | None = None,
    groups: np.ndarray[Any, Any] | None = None,
) -> list[Fold]:
    """Cut rows for cross-validation. time: each fold after what it is judged by; group: no group in both; else shuffled.

    Raises InvalidInput when there are fewer groups, or rows of a label, than folds.
    """
    from sklearn import model_selection as theirs

    count = min(count, max(2, rows // 2))
    if kind == "time":
        return list(theirs.TimeSeriesSplit(count).split(np.zeros(rows)))
    if kind == "group":
        found = len(np.unique(np.asarray(groups)))
        if found < count:
            raise InvalidInput(f"{found} groups cannot be cut into {count} folds.", hint="Ask for fewer folds.")
        return list(theirs.GroupKFold(count).split(np.zeros(rows), groups=groups))
    if kind == "stratified":
        fewest = int(np.unique(np.asarray(labels), return_counts=True)[1].min())
        if fewest >= count:
            cutter = theirs.StratifiedKFold(count, shuffle=True, random_state=seed)
            return list(cutter.split(np.zeros(rows), labels))
    return list(theirs.KFold(count, shuffle=True, random_state=seed).split(np.zeros(rows)))


class Search:
    """Judges settings fold by fold. `judge(params, fold)` fits and scores; higher is better when `sign` is 1."""

    def __init__(
        self,
        judge: Callable[[dict[str, Any], Fold], float],
        cuts: list[Fold],
        *,
        sign: int,
        prune: bool,
        seed: Callable[[int], None] = lambda number: None,
    ) -> None:
        """`seed(number)` is called before each setting, so that what it draws does not depend on those before it."""
        self.seed = seed
        self.judge = judge
        self.cuts = cuts
        self.sign = sign
        self.prune = prune

    def run(
        self, waiting: Sequence[tuple[int, dict[str, Any]]], done: Sequence[Trial], jobs: int, *, spread: bool = False
    ) -> Iterator[tuple[int, str, list[float], str]]:
        """Yield (number, state, folds, error) of each setting as it ends; `done` are those of an earlier try.

        States: done, pruned, failed. With `jobs` above 1 in as many forked processes, which end with this one; with `spread`
        wherever joblib is told to.
        """
        known = {trial.number: list(trial.folds) for trial in done if trial.state == "done"}
        open_ = dict(waiting)
        if not open_:
            return
        with _Workers(self, jobs, spread) as workers:
            for start in range(0, max(open_) + 1, BATCH):
                group = [(number, open_[number]) for number in range(start, start + BATCH) if number in open_]
                bounds = self._bounds([values for number, values in known.items() if number < start])
                for number, state, values, error in workers.each([(item, bounds) for item in group]):
                    if state == "done":
                        known[number] = values
                    yield number, state, values, error

    def one(self, number: int, params: dict[str, Any], bounds: list[float]) -> tuple[int, str, list[float], str]:
        """Judge one setting; it is given up when its mean so far is worse than the bound of that fold."""
        values: list[float] = []
        self.seed(number)
        for place, cut in enumerate(self.cuts):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # a bad setting may well not converge; its score says enough
                    values.append(float(self.judge(params, cut)))
            except (ValueError, TypeError, ArithmeticError, IndexError) as error:
                return number, "failed", values, " ".join(str(error).split())[:300]
            last = place == len(self.cuts) - 1
            if bounds and not last and self.sign * _mean(values) < self.sign * bounds[place]:
                return number, "pruned", values, ""
        if not any(math.isfinite(value) for value in values):
            return number, "failed", values, "no fold could be scored"
        return number, "done", values, ""

    def _bounds(self, finished: list[list[float]]) -> list[float]:
        """The median of the means so far, fold by fold; empty as long as too few settings were judged to the end."""
        if not self.prune or len(finished) < BATCH:
            return []
        return [
            float(np.nanmedian([_mean(values[: place + 1]) for values in finished])) for place in range(len(self.cuts))
        ]


class _Workers:
    """One process or a pool of forked ones, with one face."""

    def __init__(self, search: Search, jobs: int, spread: bool) -> None:
        self._search = search
        self._spread = spread
        self._pool: Any = None
        if jobs > 1 and not spread:
            # Forked, so that rows and code are there already.
            self._pool = multiprocessing.get_context("fork").Pool(jobs, _start, (search,))

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool.join()

    def each(
        self, tasks: list[tuple[tuple[int, dict[str, Any]], list[float]]]
    ) -> Iterator[tuple[int, str, list[float], str]]:
        if self._spread:
            import joblib

            yield from joblib.Parallel(n_jobs=-1)(joblib.delayed(_elsewhere)(self._search, task) for task in tasks)
            return
        if self._pool is not None:
            yield from self._pool.imap_unordered(_in_worker, tasks)
            return
        for (number, params), bounds in tasks:
            yield self._search.one(number, params, bounds)


_searching: list[Search] = []


def _start(search: Search) -> None:
    end_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _searching[:] = [search]


def _in_worker(task: tuple[tuple[int, dict[str, Any]], list[float]]) -> tuple[int, str, list[float], str]:
    (number, params), bounds = task
    return _searching[0].one(number, params, bounds)


def _elsewhere(
    search: Search, task: tuple[tuple[int, dict[str, Any]], list[float]]
) -> tuple[int, str, list[float], str]:
    (number, params), bounds = task
    return search.one(number, params, bounds)


def mean(values: Sequence[float]) -> float:
    """The mean over the folds that could be scored."""
    return _mean(values)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan


def _points(tune: Tune, seed: int) -> Iterator[Any]:
    """Points of the unit cube; five times as many as wanted, since whole numbers and lists repeat themselves."""
    if tune.method == "sobol":
        from scipy.stats import qmc

        # Balanced only in powers of two (Owen 2020, "On dropping the first Sobol' point").
        power = math.ceil(math.log2(max(2, tune.trials * 5)))
        yield from qmc.Sobol(len(tune.space), scramble=True, rng=np.random.default_rng(seed)).random_base2(power)
        return
    generator = np.random.default_rng(seed)
    for _ in range(tune.trials * 5):
        yield generator.uniform(size=len(tune.space))


def _at(span: Range | list[Any], share: float) -> Any:
    """The value of a range or list at a share of 0 to 1."""
    if isinstance(span, list):
        return span[min(len(span) - 1, int(share * len(span)))]
    whole = isinstance(span.low, int) and isinstance(span.high, int)
    high = span.high + 1 if whole else span.high
    if span.log:
        value = math.exp(math.log(span.low) + share * (math.log(high) - math.log(span.low)))
    else:
        value = span.low + share * (high - span.low)
    return max(int(span.low), min(int(span.high), int(value))) if whole else float(value)
