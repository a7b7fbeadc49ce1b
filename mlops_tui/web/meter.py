"""Counts requests: as intervals for the workbench, as Prometheus text for anyone else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from mlops_tui.domains.serving.records import BOUNDS_MS, Interval, State, WorkerState, bucket_of
from mlops_tui.telemetry.prometheus import Family, counter, exposition, gauge

# Every fourth bound (half a decade) keeps the exposition short.
_SHOWN = range(0, len(BOUNDS_MS), 4)


@dataclasses.dataclass(slots=True)
class Counts:
    """Totals of one deployment's version since the gateway started."""

    codes: dict[int, int] = dataclasses.field(default_factory=dict)
    rows: int = 0
    latency_sum_ms: float = 0.0
    histogram: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))

    def copy(self) -> Counts:
        return Counts(dict(self.codes), self.rows, self.latency_sum_ms, list(self.histogram))

    def errors(self, kind: int) -> int:
        """Requests answered with 4xx (kind 4) or 5xx (kind 5)."""
        return sum(count for code, count in self.codes.items() if code // 100 == kind)


class Meter:
    """Counts per deployment and version; `refused` counts what never reached one, by status."""

    def __init__(self, now: int) -> None:
        self.refused: dict[int, int] = {}
        self.marked: dict[tuple[str, str], int] = {}
        self._started_at = now
        self._taken_at = now
        self._counts: dict[tuple[str, int], Counts] = {}
        self._taken: dict[tuple[str, int], Counts] = {}

    def count(self, deployment: str, version: int, status: int, rows: int, latency_ms: float) -> None:
        """Count one answered request; its latency runs from the first byte of the request to the answer."""
        counts = self._counts.get((deployment, version))
        if counts is None:
            counts = self._counts[deployment, version] = Counts()
        counts.codes[status] = counts.codes.get(status, 0) + 1
        counts.rows += rows
        counts.latency_sum_ms += latency_ms
        counts.histogram[bucket_of(latency_ms)] += 1

    def refuse(self, status: int) -> None:
        """Count a request that no deployment saw."""
        self.refused[status] = self.refused.get(status, 0) + 1

    def mark(self, deployment: str, marks: Iterable[str]) -> None:
        """Count odd rows by what is odd: missing, unseen, range, outlier."""
        for text in marks:
            for kind in {part.partition(":")[0] for part in text.split(",") if part}:
                self.marked[deployment, kind] = self.marked.get((deployment, kind), 0) + 1

    def take(self, now: int) -> list[Interval]:
        """Return what was counted since the last call, quiet versions left out."""
        begun, self._taken_at = self._taken_at, now
        found = []
        for key, counts in self._counts.items():
            before = self._taken.get(key) or Counts()
            requests = sum(counts.codes.values()) - sum(before.codes.values())
            if requests:
                found.append(_interval(key, counts, before, requests, begun, now))
                self._taken[key] = counts.copy()
        return found

    def exposition(self, workers: Iterable[WorkerState], unlogged: int) -> str:
        """Return all counts in the Prometheus text format."""
        requests = counter("mlops_requests_total", "Answered requests.")
        rows = counter("mlops_rows_total", "Rows asked for.")
        took = Family("mlops_request_duration_seconds", "histogram", "From request to answer.")
        for (name, version), counts in self._counts.items():
            labels = {"deployment": name, "version": version}
            for code, count in sorted(counts.codes.items()):
                requests.add(count, **labels, code=code)
            rows.add(counts.rows, **labels)
            _histogram(took, labels, counts)
        up = gauge("mlops_worker_up", "Whether a version's worker answers.")
        restarts = counter("mlops_worker_restarts_total", "How often a version's worker was begun again.")
        for worker in workers:
            up.add(worker.state is State.READY, model=worker.model, version=worker.version)
            restarts.add(worker.restarts, model=worker.model, version=worker.version)
        refused = counter("mlops_refused_total", "Requests no deployment saw.")
        for code, count in sorted(self.refused.items()):
            refused.add(count, code=code)
        marked = counter("mlops_marked_rows_total", "Rows unlike the training data.")
        for (name, kind), count in self.marked.items():
            marked.add(count, deployment=name, kind=kind)
        lost = counter("mlops_unlogged_total", "Answers that could not be logged.")
        lost.add(unlogged)
        start = gauge("process_start_time_seconds", "When the gateway began.")
        start.add(self._started_at / 1000)
        return exposition((requests, rows, took, up, restarts, refused, marked, lost, start))


def _interval(key: tuple[str, int], counts: Counts, before: Counts, requests: int, begun: int, now: int) -> Interval:
    return Interval(
        deployment=key[0],
        version=key[1],
        at=begun,
        span_ms=now - begun,
        requests=requests,
        rows=counts.rows - before.rows,
        client_errors=counts.errors(4) - before.errors(4),
        server_errors=counts.errors(5) - before.errors(5),
        latency_sum_ms=counts.latency_sum_ms - before.latency_sum_ms,
        histogram=tuple(a - b for a, b in zip(counts.histogram, before.histogram, strict=True)),
    )


def _histogram(family: Family, labels: dict[str, object], counts: Counts) -> None:
    for place in _SHOWN:
        family.add(sum(counts.histogram[: place + 1]), "_bucket", **labels, le=f"{BOUNDS_MS[place] / 1000:g}")
    total = sum(counts.histogram)
    family.add(total, "_bucket", **labels, le="+Inf")
    family.add(round(counts.latency_sum_ms / 1000, 6), "_sum", **labels)
    family.add(total, "_count", **labels)
