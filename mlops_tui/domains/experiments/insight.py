"""Runs beside each other: what differs, what mattered, what was best."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments.reading import Reading
from mlops_tui.domains.experiments.records import Comparison, Health


class Insight(Reading):
    """The part of the room that draws conclusions."""

    def health(self, run_id: str) -> Health:
        """What the points of a run say: overfitting, divergence, standstill, silence, and each pair of training and validation."""
        from mlops_tui.domains.experiments import judging  # with statistics 10 ms that lists need not pay

        return judging.judge(self._context, self._store, self.run(run_id))

    def compare(self, run_ids: Sequence[str]) -> Comparison:
        """Two or more runs side by side. Raises InvalidInput for fewer than two different runs."""
        runs = {run.id: run for run in map(self.run, run_ids)}
        if len(runs) < 2:
            raise InvalidInput("A comparison needs at least two different runs.", hint="mlops runs compare RUN RUN")
        params = [self.params(run_id) for run_id in runs]
        metrics = [self.metrics(run_id) for run_id in runs]
        return Comparison(
            runs=tuple(runs.values()),
            params={key: tuple(each.get(key) for each in params) for key in sorted(set().union(*params))},
            metrics={
                key: tuple(each[key].value if key in each else None for each in metrics)
                for key in sorted(set().union(*metrics))
            },
        )
