"""Ninety days of series of 200 deployments: what they take on disk, and how long a chart of one takes to draw.

    python bench/series.py [--deployments 200] [--days 90] [--quick]

Each deployment has 21 series: 12 of its traffic (requests, rows, errors by kind, rates, latencies) and 9 of what it takes of the
machine. Everything goes through the code that writes it in service: the gateway's intervals, the daemon's loads, their roll-ups and
their trimming. Only the pace differs: in service a sample comes every 5 or 10 s, here one for every row that will be left of it, which
is one an hour, every ten minutes in the last two weeks, every minute in the last two days, and all of them in the last three hours.
Sizes are of the file with its log; a drawing is the read of the points and the chart of them at 160x45, for one deployment after
another, in a process that has the rooms open.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlops_tui.core.clock import DAY, HOUR, MINUTE, SECOND
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.records import BOUNDS_MS, Interval
from mlops_tui.telemetry.loads import OF_DEPLOYMENTS, SERIES
from mlops_tui.tui.charts import line as line_chart
from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.workbench import Workbench

NAMES = (*SERIES, *OF_DEPLOYMENTS)


class Clock:
    """Stands where the bench puts it."""

    def __init__(self) -> None:
        self.now = int(time.time() * 1000) // HOUR * HOUR

    def __call__(self) -> int:
        return self.now


def interval(chance: random.Random, name: str, at: int, span: int) -> Interval:
    """Traffic of a day's rhythm with a latency that wanders: about 20 requests a second over a dozen buckets."""
    requests = max(1, int(span / 1000 * (20 + 15 * chance.random())))
    histogram = [0] * (len(BOUNDS_MS) + 1)
    middle = chance.gauss(14, 1)
    for _ in range(12):
        histogram[min(49, max(0, round(chance.gauss(middle, 2.5))))] += requests // 12
    total = sum(histogram)
    return Interval(name, 1, at, span, total, total, total // 200, total // 500, total * 4.2, tuple(histogram))


def load(chance: random.Random) -> dict[str, float | None]:
    """A sample of the machine; no two are alike, so nothing is smaller than it would be."""
    return {name: chance.uniform(0, 100) for name in NAMES}


def fill(bench: Workbench, clock: Clock, names: list[str], days: int) -> None:
    """Samples from the oldest to now, as close as anything of them is kept."""
    chance = random.Random(1)
    now = clock.now
    hours, tens = (days * DAY, 14 * DAY, HOUR), (min(days, 14) * DAY, 2 * DAY, 10 * MINUTE)
    for begin, end, step in (hours, tens, (2 * DAY, 3 * HOUR, MINUTE), (3 * HOUR, 0, 10 * SECOND)):
        for at in range(now - begin, now - end, step):
            clock.now = at
            bench.serving.record_traffic([interval(chance, name, at, step) for name in names])
            if step == 10 * SECOND:  # the gateway writes twice as often
                bench.serving.record_traffic([interval(chance, name, at + 5 * SECOND, 5 * SECOND) for name in names])
            bench.hardware.record_loads([(f"deployment {name}", at, load(chance)) for name in names])
            if at % MINUTE == 0:
                bench.serving.roll_up()
    clock.now = now
    bench.serving.roll_up()


def draw(points: list[tuple[float, float | None]], since: int, now: int) -> int:
    """The chart of one series as the application draws it; its lines."""
    known = [(at, value) for at, value in points if value is not None]
    one = Series("one", tuple(at for at, _ in known), tuple(value for _, value in known))
    return len(line_chart.draw(Plot((one,), x=ticks.TIME, window=(float(since), float(now))), 158, 40))


def traffic(bench: Workbench, name: str, since: int, now: int) -> list[tuple[float, float | None]]:
    """The 95th percentile of latency, 316 points."""
    step = max(15 * SECOND, (now - since) // 316)
    return [(float(point.at), point.p95_ms) for point in bench.serving.series(name, since, step)]


def machine(bench: Workbench, name: str, since: int, now: int) -> list[tuple[float, float | None]]:
    """How much of its workers' time was in use, 316 points."""
    found = bench.hardware.load_history(f"deployment {name}", "saturation", since, now, 316)
    return [(float(at), mean) for at, _, mean, _ in found]


def timed(
    workspace: Workspace, clock: Clock, names: list[str], read: Callable[..., list], span: int
) -> list[tuple[float, float]]:
    """Milliseconds (wall, CPU) to read and draw, another deployment each time."""
    found = []
    with Workbench(workspace, actor="bench", now=clock) as bench:
        read(bench, names[0], clock.now - span, clock.now)  # opens the rooms
        for name in names[:: max(1, len(names) // 20)]:
            began, cpu = time.perf_counter(), time.process_time()
            points = read(bench, name, clock.now - span, clock.now)
            draw(points, clock.now - span, clock.now)
            found.append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu)))
            assert len([1 for _, value in points if value is not None]) > 30, (name, len(points))
    return found


def size(workspace: Workspace) -> int:
    """Bytes of the database with its log."""
    files = [Path(f"{workspace.telemetry_db}{end}") for end in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deployments", type=int, default=200)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--quick", action="store_true", help="20 deployments, and what 200 would take")
    options = parser.parse_args()
    count = 20 if options.quick else options.deployments
    names = [f"service-{number:03d}" for number in range(count)]
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "project")
        began, cpu = time.perf_counter(), time.process_time()
        with Workbench(workspace, actor="bench", now=clock) as bench:
            fill(bench, clock, names, options.days)
        print(f"{count} deployments x {len(NAMES) + 12} series x {options.days} days: written in {time.perf_counter() - began:.0f} s "
              f"({time.process_time() - cpu:.0f} s of CPU)")  # fmt: skip
        total = size(workspace)
        print(
            f"on disk: {total / 1e6:,.0f} MB"
            + (f", so {total / count * 200 / 1e6:,.0f} MB for 200" if count != 200 else "")
        )
        print(
            f"{'chart over':<12}{'series':<24}{'median ms':>10}{'worst ms':>10}{'median CPU ms':>15}{'worst CPU ms':>14}"
        )
        for words, span in (
            ("hour", HOUR),
            ("day", DAY),
            ("week", 7 * DAY),
            (f"{options.days} days", options.days * DAY),
        ):
            for title, read in (("traffic (p95)", traffic), ("machine (saturation)", machine)):
                wall, spent = zip(*timed(workspace, clock, names, read, span), strict=True)
                print(
                    f"{words:<12}{title:<24}{statistics.median(wall):>10.1f}{max(wall):>10.1f}"
                    f"{statistics.median(spent):>15.1f}{max(spent):>14.1f}"
                )


if __name__ == "__main__":
    main()
