"""`mlops runs watch`: a run while it runs in a few lines that are drawn over themselves; without a terminal a line now and then."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from mlops_tui.cli import plotting
from mlops_tui.cli.paper import Paper, paper
from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound, Unavailable
from mlops_tui.domains.experiments.records import RunState

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import LatestMetric, Run
    from mlops_tui.tui.lines import Line
    from mlops_tui.workbench import Workbench

MOST_METRICS = 12
SPARK = 32
RATE_MS = 30_000
"""Steps a second are counted over the points of this long."""
QUIET_S = 10.0
"""In a pipe a line is printed when a value changed, this far apart at least; the last one always."""
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class Repaint:
    """Lines that are drawn over themselves below the prompt; only those that changed are sent."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lines: list[str] = []

    def draw(self, lines: Sequence[str]) -> None:
        """Put these lines where the last ones are."""
        before = self._lines
        out = [f"\x1b[{len(before)}A"] if before else []
        for at in range(max(len(lines), len(before))):
            new = lines[at] if at < len(lines) else ""
            out.append("\n" if at < len(before) and before[at] == new else f"\r\x1b[2K{new}\n")
        self._lines = list(lines) + [""] * (len(before) - len(lines))
        if any(one != "\n" for one in out[1 if before else 0 :]):
            self._write("".join(out))


def newest(workbench: Workbench) -> str:
    """The run that runs and began last. Raises NotFound when none runs."""
    _take_in(workbench)
    found = workbench.experiments.runs(state=RunState.RUNNING, limit=1)
    if not found:
        raise NotFound("No run is running.", hint="Name one that ended, or list them: mlops runs list")
    return found[0].id


def watch(workbench: Workbench, run: str, keys: Sequence[str], *, every_s: float, ascii_only: bool) -> Run:
    """Follow a run until it ends; the run as it ended. Raises NotFound for a metric in `keys` that the run ended without."""
    found = workbench.experiments.run(run)
    if not sys.stdout.isatty():
        return _in_words(workbench, found.id, keys, every_s)
    screen = Repaint(lambda text: (sys.stdout.write(text), sys.stdout.flush()))
    sys.stdout.write(_HIDE)
    try:
        while True:
            found = _look(workbench, found.id)
            on = paper(ascii_only=ascii_only)
            screen.draw(plotting.text_of(picture(workbench, found, keys, on), on).split("\n"))
            if str(found.state) != "running":
                return found
            time.sleep(every_s)
    finally:
        sys.stdout.write(_SHOW)
        sys.stdout.flush()


def _take_in(workbench: Workbench) -> None:
    """Take in what scripts wrote, if nobody else is doing that right now; else the next look finds it."""
    try:
        workbench.experiments.sweep()
    except Unavailable:
        pass


def _look(workbench: Workbench, run_id: str) -> Run:
    _take_in(workbench)
    return workbench.experiments.run(run_id)


def _chosen(workbench: Workbench, run_id: str, keys: Sequence[str]) -> dict[str, LatestMetric]:
    found = workbench.experiments.metrics(run_id)
    if keys:
        return {key: found[key] for key in keys if key in found}
    return {key: one for key, one in found.items() if not key.startswith("system/")}


# -- in a terminal -----------------------------------------------------------------------------------------------------


def picture(workbench: Workbench, run: Run, keys: Sequence[str], on: Paper) -> list[Line]:
    """The run in one line, what is wrong with it, a line per metric; metrics that were asked for also as charts."""
    metrics = _chosen(workbench, run.id, keys)
    out = [_head(workbench, run, metrics, on.width), *_health(workbench, run, on.width)]
    if not metrics:
        return [*out, (("no metrics yet", "muted"),)]
    drawn = [key for key in keys if key in metrics and metrics[key].count > 1]
    room = max(1, min(MOST_METRICS, shutil.get_terminal_size((80, 24)).lines - len(out) - 3))
    shown = [key for key in metrics if key not in drawn][:room]
    out += _table(workbench, run, {key: metrics[key] for key in shown}, on)
    if drawn:
        out += plotting.pictures().metrics(workbench, run.id, drawn, on)
    left = len(metrics) - len(shown) - len(drawn)
    return [*out, *([((f"and {left} more: mlops runs metrics {run.id[:8]}", "muted"),)] if left else [])]


def _head(workbench: Workbench, run: Run, metrics: dict[str, LatestMetric], width: int) -> Line:
    from mlops_tui.tui import lines

    now = workbench.context.now()
    took = clock.duration((run.ended_at or now) - run.started_at)
    step = max((one.step for one in metrics.values()), default=None)
    said = [took, *([f"step {step:,}"] if step is not None else []), *_rate(workbench, run, metrics, now)]
    head = lines.line((lines.clean(run.name or run.id[:8]), "title"), (f"  {lines.clean(run.experiment)}  ", "muted"),
                      lines.state(run.state), (f"  {', '.join(said)}", "text"))  # fmt: skip
    return lines.crop(head, width)


def _rate(workbench: Workbench, run: Run, metrics: dict[str, LatestMetric], now: int) -> list[str]:
    """Steps a second of the metric logged last, over its newest points; of a run that ended, over all of it."""
    if not metrics:
        return []
    key = max(metrics, key=lambda one: metrics[one].ts)
    points = workbench.experiments.history(run.id, key, most=500)
    ended = str(run.state) != "running"
    recent = points if ended else [one for one in points if one.ts >= now - RATE_MS]
    if len(recent) < 2 or recent[-1].ts <= recent[0].ts:
        return []
    return [f"{(recent[-1].step - recent[0].step) / (recent[-1].ts - recent[0].ts) * 1000:.3g} steps/s"]


def _health(workbench: Workbench, run: Run, width: int) -> list[Line]:
    from mlops_tui.tui import lines

    health = workbench.experiments.health(run.id)
    advice = [f"stopping now is advised: best {pair.valid} {pair.best_value:.5g} at step {pair.best_step:,}"
              for pair in health.pairs if pair.stop and str(run.state) == "running"]  # fmt: skip
    words = [*(f"{mark.kind}: {mark.detail}" for mark in health.marks), *advice]
    return [lines.crop((("▲ ", "warn"), (lines.clean(one), "warn")), width) for one in words]


def _table(workbench: Workbench, run: Run, metrics: dict[str, LatestMetric], on: Paper) -> list[Line]:
    """Name, newest value, course and range of each metric, as far as the width goes."""
    from mlops_tui.tui import lines
    from mlops_tui.tui.charts.small import sparkline
    from mlops_tui.tui.screens.run_curves import course

    label = min(max((len(key) for key in metrics), default=0), max(8, on.width // 3))
    out: list[Line] = []
    for key, one in metrics.items():
        found: Line = (("  " + lines.fit(key, label), "text"), (f"  {lines.number(one.value):>10}  ", "title"))
        room = min(SPARK, on.width - lines.width(found) - 2)
        if one.count > 1 and room >= 8:
            points = workbench.experiments.history(run.id, key, most=room * 4)
            drawn = course([point.value for point in points], room)
            text, role = sparkline(drawn, len(drawn))
            reach = f"  {lines.number(one.min)} to {lines.number(one.max)}"
            found = (*found, (text.ljust(room), role), (reach, "muted"))
        out.append(lines.crop(found, on.width))
    return out


# -- in a pipe ---------------------------------------------------------------------------------------------------------


def _in_words(workbench: Workbench, run_id: str, keys: Sequence[str], every_s: float) -> Run:
    """A line when something changed, at most one in ten seconds (or in `every_s`, if that is longer), and one at the end."""
    said, due = "", 0.0
    while True:
        run = _look(workbench, run_id)
        ended = str(run.state) != "running"
        if ended or time.monotonic() >= due:
            words = _words(workbench, run, keys)
            if words != said:
                click.echo(words)
                said, due = words, time.monotonic() + max(QUIET_S, every_s)
        if ended:
            return run
        time.sleep(every_s)


def _words(workbench: Workbench, run: Run, keys: Sequence[str]) -> str:
    metrics = _chosen(workbench, run.id, keys)
    step = max((one.step for one in metrics.values()), default=None)
    values = " ".join(f"{key}={one.value:.6g}" for key, one in metrics.items())
    marks = " ".join(run.marks)
    parts = (
        f"step={step}" if step is not None else "",
        values,
        f"state={run.state}",
        f"marks={marks}" if marks else "",
    )
    return " ".join(part for part in parts if part)
