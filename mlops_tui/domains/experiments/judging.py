"""Looking at the points of runs and remembering what is wrong with them."""

from __future__ import annotations

from mlops_tui.core.context import Context
from mlops_tui.domains.experiments import health, metric_names
from mlops_tui.domains.experiments.records import Health, Mark, MarkKind, Point, Run, RunState, silent
from mlops_tui.domains.experiments.store import ExperimentsStore

_MOST_METRICS = 100
_MOST_POINTS = 4000
_MOST_READ = 1_000_000
_TIMES = 200


def judge(context: Context, store: ExperimentsStore, run: Run) -> Health:
    """Everything that can be said now, silence included, by at most 4,000 points of each of at most 100 metrics."""
    number = store.number(run.id)
    assert number is not None
    found, last_at, interval = _judged(store, number, run)
    if run.state is RunState.RUNNING and silent(last_at, interval, context.now()):
        minutes = (context.now() - last_at) / 60_000
        said = f"no point for {minutes:.0f} min, where one came every {(interval or 0) / 1000:.3g} s"
        found = Health(found.run_id, (*found.marks, Mark(MarkKind.SILENT, "", 0, said)), found.pairs)
    return found


def remember(context: Context, store: ExperimentsStore, run_ids: list[str]) -> None:
    """Judge these runs and keep their marks for lists."""
    for run_id in run_ids:
        run = store.run(run_id)
        number = store.number(run_id)
        if run is None or number is None:
            continue
        found, last_at, interval = _judged(store, number, run)
        with context.metrics.write() as tx:
            store.upkeep.put_health(tx, number, found, context.now(), last_at, interval)


def _judged(store: ExperimentsStore, number: int, run: Run) -> tuple[Health, int, int | None]:
    """Health without silence, the time of the newest point, and the usual interval between points in ms."""
    latest = {
        name: one for name, one in store.numbers.metrics(number).items() if not name.startswith(metric_names.MACHINE)
    }
    names = _chosen({name: one.count for name, one in latest.items()})
    curves: dict[str, list[Point]] = {}
    for name in names:
        points = store.numbers.points.history(number, name, most=_MOST_POINTS)
        if points and points[-1].step != latest[name].step:
            points.append(Point(latest[name].step, latest[name].ts, latest[name].value))
        curves[name] = points
    found = health.judge(curves, running=run.state is RunState.RUNNING, run_id=run.id)
    # The densest metric says best how often the run speaks; of it only the newest points.
    densest = max(names, key=lambda name: latest[name].count, default="")
    step = latest[densest].step - _TIMES if densest else 0
    recent = store.numbers.points.history(number, densest, after=step, limit=_TIMES) if densest else []
    interval = health.usual_interval([point.ts for point in recent])
    if interval is None and densest:
        interval = health.usual_interval([point.ts for point in curves[densest]])
    last_at = max((one.ts for one in latest.values()), default=run.started_at)
    # Points from before the run are a replay with times of their own: silence cannot be told from them.
    return found, last_at, interval if last_at >= run.started_at else None


def _chosen(counts: dict[str, int]) -> list[str]:
    """Which metrics are looked at: pairs first, then losses, then the others, until a million points are behind them."""
    names = list(counts)
    paired = [name for pair in metric_names.pair_names(names) for name in pair]
    losses = [name for name in names if metric_names.lower_is_better(name, [0.0, 1.0])]
    ordered = list(dict.fromkeys([*paired, *losses, *names]))
    chosen: list[str] = []
    read = 0
    for name in ordered[:_MOST_METRICS]:
        read += counts[name]
        if chosen and read > _MOST_READ:
            break
        chosen.append(name)
    return chosen
