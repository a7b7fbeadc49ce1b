"""From counts to what people read: rates, latencies, series, and one state per deployment. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from mlops_tui.domains.serving.records import (
    Deployment,
    Interval,
    Route,
    RouteState,
    SeriesPoint,
    ServiceStats,
    State,
    Wanted,
    WorkerState,
    add_up,
    quantile,
)


def stats(intervals: Sequence[Interval], span_ms: int) -> ServiceStats:
    """Sum up intervals over a span; the rate is per second of the span."""
    histogram = add_up([interval.histogram for interval in intervals])
    requests = sum(interval.requests for interval in intervals)
    client = sum(interval.client_errors for interval in intervals)
    server = sum(interval.server_errors for interval in intervals)
    return ServiceStats(
        requests=requests,
        errors=client + server,
        rate=requests * 1000 / span_ms if span_ms > 0 else 0.0,
        p50_ms=quantile(histogram, 0.5),
        p95_ms=quantile(histogram, 0.95),
        p99_ms=quantile(histogram, 0.99),
        rows=sum(interval.rows for interval in intervals),
        client_errors=client,
        server_errors=server,
    )


def series(intervals: Sequence[Interval], since: int, until: int, step: int) -> list[SeriesPoint]:
    """Sum up intervals per `step` ms from `since` (rounded down to a step) to `until`."""
    groups: dict[int, list[Interval]] = {at: [] for at in range(since // step * step, until + 1, step)}
    for interval in intervals:
        for part in _parts(interval, step) if interval.span_ms > step else (interval,):
            groups.setdefault(part.at // step * step, []).append(part)
    return [_point(at, groups[at], step) for at in sorted(groups)]


def with_state(
    deployment: Deployment,
    gateway_runs: bool,
    workers: Mapping[tuple[str, int], WorkerState],
    routes: Mapping[str, RouteState],
    base_url: str,
) -> Deployment:
    """Put together what is wanted and what the gateway reports."""
    url = f"{base_url}/v2/models/{deployment.name}/infer"
    if deployment.wanted is Wanted.STOPPED:
        stopped = tuple(dataclasses.replace(route, state=State.STOPPED) for route in deployment.versions)
        return dataclasses.replace(deployment, state=State.STOPPED, versions=stopped, url=url)
    if not gateway_runs:
        detail = "no gateway runs; start one: mlops daemon start"
        return dataclasses.replace(deployment, state=State.STARTING, detail=detail, url=url)
    versions = tuple(_route(route, workers.get((deployment.model, route.version))) for route in deployment.versions)
    told = routes.get(deployment.name)
    if told is None or told.revision != deployment.revision:
        return dataclasses.replace(deployment, state=State.STARTING, versions=versions, url=url)
    return dataclasses.replace(deployment, state=told.state, detail=told.detail, versions=versions, url=url)


def _route(route: Route, worker: WorkerState | None) -> Route:
    if worker is None:
        return route
    return dataclasses.replace(route, state=worker.state, pid=worker.pid, detail=worker.detail, workers=worker.workers)


def _parts(whole: Interval, step: int) -> list[Interval]:
    """An interval that is longer than a step as equal parts of whole requests: of what was added up no more is known."""
    count = -(-whole.span_ms // step)

    def share(total: int, part: int) -> int:
        return total * (part + 1) // count - total * part // count

    return [
        dataclasses.replace(
            whole,
            at=whole.at + part * step,
            span_ms=step,
            requests=share(whole.requests, part),
            rows=share(whole.rows, part),
            client_errors=share(whole.client_errors, part),
            server_errors=share(whole.server_errors, part),
            latency_sum_ms=whole.latency_sum_ms / count,
        )
        for part in range(count)
    ]


def _point(at: int, intervals: list[Interval], step: int) -> SeriesPoint:
    summed = stats(intervals, step)
    return SeriesPoint(
        at, summed.requests, summed.errors, summed.rate, summed.p50_ms, summed.p95_ms, summed.p99_ms,
        sum(one.latency_sum_ms for one in intervals) / step, summed.rows, summed.client_errors, summed.server_errors,
    )  # fmt: skip
