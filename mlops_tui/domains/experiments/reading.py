"""Answers about experiments and runs. Wherever a run is named, its id or a unique beginning of it will do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from mlops_tui.core import ids
from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.query import Fields, read
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments.records import (
    DataInput,
    Experiment,
    LatestMetric,
    Point,
    Run,
    RunArtifact,
    RunState,
)
from mlops_tui.domains.experiments.searching import run_fields
from mlops_tui.domains.experiments.store import ExperimentsStore

ORDERS = ("started_at", "ended_at", "name", "state")
Runs = list[Run]
Points = list[Point]
Files = list[RunArtifact]
Names = list[str]
_HEX = frozenset("0123456789abcdef")


class Reading:
    """The part of the room that changes nothing."""

    def __init__(self, context: Context, audit: Audit) -> None:
        self._context = context
        self._audit = audit
        self._store = ExperimentsStore(context)

    def runs(
        self,
        experiment: str | None = None,
        *,
        state: str | None = None,
        parent: str | None = None,
        deleted: bool = False,
        limit: int = 100,
        offset: int = 0,
        order: str = "-started_at",
        query: str = "",
    ) -> Runs:
        """Runs in the order of a field (started_at, ended_at, name, state), a metric's latest value or `param:name`.

        `-` is descending. `deleted`: those that can be restored instead of the others.

        `query` is in the query language (docs/query.md): `metrics.auc>=0.9 params.lr<1e-3 -state:failed`.
        By a metric, runs without it or with NaN come last. Raises NotFound for an unknown experiment, InvalidInput for
        an unknown state or order and, with a caret under the mistake, for a query that cannot be read.
        """
        if experiment is not None:
            self.experiment(experiment)
        if state is not None and state not in set(RunState):
            raise InvalidInput(f"'{state}' is no state of a run.", hint="States: " + ", ".join(RunState))
        where = {"experiment": experiment, "state": state, "parent": parent, "deleted": deleted}
        wanted = read(query, self.fields, self._context.now()) if query.strip() else None
        key = self.metric_of(order)
        if key is None:
            return self._store.runs(where, order, limit, offset, wanted)
        by_param = key.startswith("param:")
        keys = [f"param:{name}" for name in self.param_keys()] if by_param else self.metric_keys()
        if key not in keys:
            hint = ids.did_you_mean(key, [*ORDERS, *keys], "Sort by " + ", ".join(ORDERS) + " or a metric.")
            raise InvalidInput(f"Runs cannot be sorted by '{key}'.", hint=hint)
        return self._store.runs_by_metric(where, ("-" if order.startswith("-") else "") + key, limit, offset, wanted)

    def count(self, query: str = "") -> int:
        """How many runs meet a query. Raises InvalidInput as `runs` does."""
        return self._store.count(read(query, self.fields, self._context.now()))

    @cached_property
    def fields(self) -> Fields:
        """What a query may ask of runs."""
        return run_fields(self._store)

    @staticmethod
    def metric_of(order: str) -> str | None:
        """The metric that an order of `runs` means, or None when it is a field; `metric:name` is always a metric."""
        key = order.removeprefix("-")
        return None if key in ORDERS else key.removeprefix("metric:")

    def run(self, run_id: str) -> Run:
        """A run by its id or a unique beginning. Raises NotFound, or InvalidInput when several begin so."""
        run = self._store.run(self._resolve(run_id))
        if run is None:
            raise _no_run(run_id)
        return run

    def params(self, run_id: str) -> dict[str, str]:
        """Parameters as text, by name."""
        return self._store.numbers.params(self._number(run_id))

    def metrics(self, run_id: str) -> dict[str, LatestMetric]:
        """Latest value and range of every metric, by name."""
        return self._store.numbers.metrics(self._number(run_id))

    def history(
        self, run_id: str, key: str, *, after: int | None = None, limit: int | None = None, most: int | None = None
    ) -> Points:
        """Points of a metric by step, from the one after step `after`; with `most`, so many spread over all of them.

        Raises NotFound for a metric the run does not have.
        """
        number = self._number(run_id)
        points = self._store.numbers.points.history(number, key, after, limit, most)
        if not points:
            known = self._store.numbers.metrics(number)
            if key not in known:
                raise NotFound(
                    f"Run {run_id} has no metric '{key}'.",
                    hint=ids.did_you_mean(key, known, "It has: " + (", ".join(known) or "none")),
                )
        return points

    def latest(self, key: str, run_ids: Sequence[str]) -> dict[str, float]:
        """Latest value of one metric for the runs (full ids) that have it."""
        return self._store.numbers.latest(key, run_ids)

    def metric_keys(self, experiment: str | None = None) -> Names:
        """Names of all metrics in the workspace, or in the runs of one experiment."""
        return self._store.numbers.metric_keys(experiment)

    def param_keys(self, experiment: str | None = None) -> Names:
        """Names of all parameters in the workspace, or in the runs of one experiment."""
        return self._store.numbers.param_keys(experiment)

    def inputs(self, run_id: str) -> list[DataInput]:
        """Data sets a run said it read."""
        return self._store.inputs(self._number(run_id))

    def artifacts(self, run_id: str) -> Files:
        """Files of a run by path."""
        return self._store.numbers.artifacts(self._number(run_id))

    def artifact_file(self, run_id: str, path: str) -> Path:
        """Where the content of a run's file lies (read-only, hash checked). Raises NotFound."""
        files = {item.path: item for item in self.artifacts(run_id)}
        if path not in files:
            raise NotFound(
                f"Run {run_id} has no artifact '{path}'.",
                hint=ids.did_you_mean(path, files, "List them: mlops runs artifacts RUN"),
            )
        return self._context.artifacts.path(files[path].sha)

    def log_dir(self, run_id: str) -> Path:
        """The folder for text logs of a run; not made before something is written to it."""
        return self._context.workspace.logs / "runs" / self._resolve(run_id)

    def experiment(self, name: str) -> Experiment:
        """One experiment. Raises NotFound with the nearest name."""
        found = self._store.experiments(name)
        if not found:
            names = [item.name for item in self._store.experiments()]
            raise NotFound(
                f"There is no experiment '{name}'.",
                hint=ids.did_you_mean(name, names, "List them: mlops experiments list"),
            )
        return found[0]

    def list(self) -> list[Experiment]:
        """Experiments, the one with the newest run first."""
        return self._store.experiments()

    def _resolve(self, prefix: str) -> str:
        if not 0 < len(prefix) <= 16 or not _HEX.issuperset(prefix):
            raise InvalidInput(
                f"'{prefix[:40]}' is not the id of a run.",
                hint="An id has up to 16 digits 0-9 and a-f: mlops runs list",
            )
        found = self._store.ids_like(prefix)
        if prefix in found:
            return prefix
        if not found:
            raise _no_run(prefix)
        if len(found) > 1:
            raise InvalidInput(f"Several runs begin with {prefix}.", hint="Which one? " + ", ".join(found))
        return found[0]

    def _number(self, run_id: str) -> int:
        number = self._store.number(self._resolve(run_id))
        if number is None:
            raise _no_run(run_id)
        return number


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id}.", hint="List them: mlops runs list")
