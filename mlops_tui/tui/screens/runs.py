"""The runs table: every run of the workspace, read by window, with columns of the metrics and parameters the user chose."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.tui.lines import Span, clean, number
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.run_curves import is_system
from mlops_tui.tui.screens.section import Ask, Paged
from mlops_tui.tui.widgets.columns import Arrangement, Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run

METRICS, PARAMS = 8, 4
"""So many metrics and parameters are columns before the user chooses; a query or an order can name any."""
NEWEST = "-started_at"
NEWEST_RUNS = 10
PARAM = "p."
"""Titles of parameters begin so, as in queries: `p.lr<0.01`."""
_EXPERIMENT = re.compile(r"(?:^|\s)(?:experiment|exp)[:=](\"[^\"]+\"|[^\s|]+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A run with the last values of the metrics and the parameters that are columns."""

    run: Run
    metrics: Mapping[str, float]
    params: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """Names of metrics and parameters."""

    metrics: tuple[str, ...]
    params: tuple[str, ...]


def known(bench: Workbench, query: str) -> Keys:
    """What can be a column: all that runs logged, of one experiment where the query names one."""
    found = _EXPERIMENT.findall(query)
    name = found[0].strip('"') if len(found) == 1 and "|" not in query and "-exp" not in query else None
    experiment = name if name in {one.name for one in bench.experiments.list()} else None
    metrics = (one for one in bench.experiments.metric_keys(experiment) if not is_system(one))
    return Keys(tuple(metrics), tuple(bench.experiments.param_keys(experiment)))


def shown(bench: Workbench, ask: Ask) -> Keys:
    """The columns: those chosen, and until something is chosen what most of the newest runs have.

    Not what the experiment has at all: that takes 200 ms over 100,000 runs, and this is asked with every page.
    """
    if not ask.chosen:
        return _usual(bench, ask.filter)
    keys = known(bench, "")
    metrics = [one for one in ask.chosen if one in set(keys.metrics)]
    params = [one.removeprefix(PARAM) for one in ask.chosen if one.startswith(PARAM)]
    return Keys(tuple(metrics), tuple(one for one in params if one in set(keys.params)))


def _usual(bench: Workbench, query: str) -> Keys:
    metrics: Counter[str] = Counter()
    params: Counter[str] = Counter()
    for run in bench.experiments.runs(query=query, limit=NEWEST_RUNS):
        metrics.update(one for one in bench.experiments.metrics(run.id) if not is_system(one))
        params.update(bench.experiments.params(run.id).keys())
    if not metrics or not params:  # they have only begun, perhaps
        keys = known(bench, query)
        metrics, params = metrics or Counter(keys.metrics), params or Counter(keys.params)
    return Keys(_most(metrics, METRICS), _most(params, PARAMS))


def _most(found: Counter[str], most: int) -> tuple[str, ...]:
    return tuple(sorted(found, key=lambda one: (-found[one], one))[:most])


def read(bench: Workbench, ask: Ask, offset: int, limit: int) -> list[Row]:
    """A window of runs: one query for them and one per metric, not one per run."""
    found = bench.experiments.runs(query=ask.filter, order=ask.order or NEWEST, limit=limit, offset=offset)
    if not found:
        return []
    ids, keys = [run.id for run in found], shown(bench, ask)
    values = {key: bench.experiments.latest(key, ids) for key in keys.metrics}
    params = {run: bench.experiments.params(run) for run in ids} if keys.params else {}
    return [
        Row(run, {key: of[run.id] for key, of in values.items() if run.id in of}, params.get(run.id, {}))
        for run in found
    ]


def total(bench: Workbench, ask: Ask) -> int | None:
    """How many runs there are; with a query that is not known before they are read."""
    return None if ask.filter.strip() else sum(one.runs for one in bench.experiments.list())


def columns(bench: Workbench, ask: Ask) -> tuple[Column, ...]:
    """What is known of every run, with its metrics and parameters between state and times."""
    return of_keys(shown(bench, ask))


def of_keys(keys: Keys) -> tuple[Column, ...]:
    """The columns for these metrics and parameters."""
    metrics = (_metric(key, at) for at, key in enumerate(keys.metrics))
    params = (_param(key, at) for at, key in enumerate(keys.params))
    return (*FIRST, *metrics, *params, *LAST)


def _metric(key: str, at: int) -> Column:
    return Column(
        key,
        lambda one, now: number(one.metrics.get(key)),
        right=True,
        width=16,
        rank=2 if at == 0 else 5 + at,
        order=f"metric:{key}",
        whole=lambda one: one.metrics.get(key),
    )


def _param(key: str, at: int) -> Column:
    return Column(
        PARAM + key,
        lambda one, now: (clean(one.params.get(key, "-")), "text"),
        right=True,
        width=14,
        rank=7 + 2 * at,
        order=f"param:{key}",
        whole=lambda one: one.params.get(key),
    )


# -- choosing columns --------------------------------------------------------------------------------------------------


def candidates(keys: Keys, now: Sequence[Column], arrangement: Arrangement) -> tuple[tuple[Column, ...], Arrangement]:
    """Every column there could be, those that are not shown now hidden: what a chooser starts with."""
    every = of_keys(keys)
    there = {column.title for column in now}
    others = {column.title for column in every if column.title not in there}
    return every, Arrangement(arrangement.order, arrangement.hidden | others)


def chosen(every: Sequence[Column], found: Arrangement) -> Arrangement:
    """What a chooser gave, as it is kept: all that is shown in its order, so that other keys stay away."""
    if not found.order and not found.hidden:
        return Arrangement()
    fixed = {column.title for column in (*FIRST, *LAST)}
    return Arrangement(tuple(every[at].title for at in found.apply(every)), found.hidden & fixed)


# -- what every run has ------------------------------------------------------------------------------------------------


def _ordered(column: Column, order: str) -> Column:
    return dataclasses.replace(column, order=order)


def _marks(one: Any, now: int) -> Span:
    return (", ".join(one.run.marks), "warn")


FIRST = (
    _ordered(cells.text("Run", lambda one: one.name or one.id[:8], width=30, grow=True), "name"),
    cells.text("Experiment", lambda one: one.experiment, width=24, rank=3),
    _ordered(cells.status("State", lambda one: one.state), "state"),
)
LAST = (
    Column("▲", _marks, width=26, rank=2),
    cells.text("By", lambda one: one.user, width=12, rank=8, role="muted"),
    cells.lasted("Took", lambda one: one.started_at, lambda one: one.ended_at, rank=3),
    _ordered(cells.when("Started", lambda one: one.started_at), "started_at"),
    _ordered(cells.when("Ended", lambda one: one.ended_at, rank=20), "ended_at"),
    cells.text(
        "Tags",
        lambda one: ", ".join(f"{key}={value}" for key, value in one.tags.items()),
        width=24,
        rank=21,
        role="muted",
    ),
)
PAGED = Paged(read, total, columns)
