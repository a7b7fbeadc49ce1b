"""Runs beside each other: how they do, what differs, what mattered, what was best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.query import read
from mlops_tui.domains.experiments.reading import Reading
from mlops_tui.domains.experiments.records import Comparison, Group, Health, Importance, Run, RunState

MOST_RUNS = 100_000


class Insight(Reading):
    """The part of the room that draws conclusions."""

    def health(self, run_id: str) -> Health:
        """What the points of a run say: overfitting, divergence, standstill, silence, and each pair of training and validation."""
        from mlops_tui.domains.experiments import judging  # with statistics 10 ms that lists need not pay

        return judging.judge(self._context, self._store, self.run(run_id))

    # -- some runs -----------------------------------------------------------------------------------------------------

    def compare(self, run_ids: Sequence[str]) -> Comparison:
        """Two or more runs side by side. Raises InvalidInput for fewer than two different runs."""
        from mlops_tui.domains.experiments import comparing  # with difflib 4 ms that lists need not pay

        runs = {run.id: run for run in map(self.run, run_ids)}
        if len(runs) < 2:
            raise InvalidInput("A comparison needs at least two different runs.", hint="mlops runs compare RUN RUN")
        params = [self.params(run_id) for run_id in runs]
        metrics = [self.metrics(run_id) for run_id in runs]
        values = {
            key: tuple(each[key].value if key in each else None for each in metrics)
            for key in sorted(set().union(*metrics))
        }
        return Comparison(
            runs=tuple(runs.values()),
            params={key: tuple(each.get(key) for each in params) for key in sorted(set().union(*params))},
            metrics=values,
            packages=comparing.packages(self._context, [self.artifacts(run_id) for run_id in runs]),
            code=tuple(map(comparing.code, runs.values())),
            data=comparing.data([self.inputs(run_id) for run_id in runs]),
            best={key: place for key, row in values.items() if (place := _best(key, row)) is not None},
        )

    def code_diff(self, first: str, second: str, *, folder: Path | None = None) -> str:
        """How the code of the second run differs from that of the first; empty when nothing is known to.

        Between commits it needs their repository in `folder` (the current one by default).
        """
        from mlops_tui.domains.experiments import comparing

        runs = [self.run(first), self.run(second)]
        files = [self.artifacts(run.id) for run in runs]
        return comparing.code_diff(self._context, runs, files, folder or Path.cwd())

    # -- all runs of an experiment -------------------------------------------------------------------------------------

    def best(self, experiment: str, metric: str, *, lower: bool | None = None, query: str = "") -> Run:
        """The finished run with the best latest value; whether lower is better is told by the name unless it is said.

        Raises NotFound (no such experiment, no run with a value), InvalidInput (no such metric).
        """
        from mlops_tui.domains.experiments import metric_names

        down = metric_names.lower_is_better(metric) if lower is None else lower
        order = f"{'' if down else '-'}metric:{metric}"
        found = self.runs(experiment, state=RunState.FINISHED, order=order, limit=1, query=query)
        if not found or metric not in self.metrics(found[0].id):
            raise NotFound(f"No finished run of '{experiment}' has a value of '{metric}'.", hint="See: mlops runs list")
        return found[0]

    def groups(self, experiment: str, by: Sequence[str], metric: str, *, query: str = "") -> list[Group]:
        """A metric's latest values over the runs with the same values of the parameters `by`, best mean first.

        Raises NotFound (no such experiment), InvalidInput (a parameter or metric that no run has).
        """
        import statistics

        from mlops_tui.domains.experiments import metric_names

        values: dict[tuple[str | None, ...], list[float]] = {}
        for params, value in self._rows(experiment, by, metric, query):
            values.setdefault(tuple(params.get(name) for name in by), []).append(value)
        found = []
        for key, given in values.items():
            kept = [value for value in given if math.isfinite(value)]
            if kept:
                std = statistics.stdev(kept) if len(kept) > 1 else None
                out = len(given) - len(kept)
                found.append(Group(key, len(kept), statistics.fmean(kept), std, min(kept), max(kept), out))
        return sorted(found, key=lambda one: one.mean, reverse=not metric_names.lower_is_better(metric))

    def importance(self, experiment: str, metric: str, *, query: str = "") -> Importance:
        """How much each parameter mattered for a metric over the newest runs of an experiment; loads scikit-learn.

        Raises NotFound (no such experiment), InvalidInput (no such metric, too few runs, nothing that differs).
        """
        from mlops_tui.domains.experiments import importance

        return importance.importance(metric, self._rows(experiment, None, metric, query))

    def scatter(self, experiment: str, param: str, metric: str, *, query: str = "") -> list[tuple[str, float]]:
        """(parameter as text, latest value of the metric) of each run that has both, the oldest first."""
        rows = self._rows(experiment, [param], metric, query)
        return [(params[param], value) for params, value in reversed(rows) if param in params and math.isfinite(value)]

    def _rows(
        self, experiment: str, params: Sequence[str] | None, metric: str, query: str
    ) -> list[tuple[dict[str, str], float]]:
        """Parameters (those named, or all) and latest value of the runs that have the metric, the newest first."""
        self.experiment(experiment)
        self._check_name("metric", metric, self.metric_keys(experiment))
        known = self.param_keys(experiment)
        for name in params or ():
            self._check_name("parameter", name, known)
        wanted = read(query, self.fields, self._context.now()) if query.strip() else None
        numbers = self._store.numbers_where({"experiment": experiment}, wanted, MOST_RUNS)
        values = self._store.numbers.values("metric_latest", numbers, [metric])
        found = self._store.numbers.values("param", list(values), known if params is None else params)
        return [
            (found.get(number, {}), math.nan if values[number][metric] is None else values[number][metric])
            for number in numbers
            if number in values
        ]

    @staticmethod
    def _check_name(kind: str, name: str, known: Sequence[str]) -> None:
        if name not in known:
            hint = ids.did_you_mean(name, known, f"Known: {', '.join(known[:20]) or 'none'}.")
            raise InvalidInput(f"No run of this experiment has a {kind} '{name[:80]}'.", hint=hint)


def _best(key: str, row: Sequence[float | None]) -> int | None:
    """The place of the best value, or None when there is nothing to choose between."""
    from mlops_tui.domains.experiments import metric_names

    finite = {place: value for place, value in enumerate(row) if value is not None and math.isfinite(value)}
    if len(set(finite.values())) < 2 or key.startswith(metric_names.MACHINE):
        return None
    choose = min if metric_names.lower_is_better(key) else max
    return choose(finite, key=lambda place: finite[place])
