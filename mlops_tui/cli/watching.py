"""`mlops runs watch`: the curves of a run while it runs, repainted in place; without a terminal a line per change."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from mlops_tui.cli import plotting
from mlops_tui.core import clock
from mlops_tui.core.errors import Unavailable

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import LatestMetric, Run
    from mlops_tui.tui.lines import Line
    from mlops_tui.workbench import Workbench

CHARTS = 2
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


def watch(workbench: Workbench, run: str, keys: Sequence[str], *, every_s: float, ascii_only: bool) -> Run:
    """Follow a run until it ends; the run as it ended."""
    found = workbench.experiments.run(run)
    if not sys.stdout.isatty():
        return _in_words(workbench, found.id, keys, every_s)
    screen = Repaint(lambda text: (sys.stdout.write(text), sys.stdout.flush()))
    sys.stdout.write(_HIDE)
    try:
        while True:
            found = _look(workbench, found.id)
            on = plotting.paper(ascii_only=ascii_only)
            screen.draw(plotting.text_of(_picture(workbench, found, keys, on), on).split("\n"))
            if str(found.state) != "running":
                return found
            time.sleep(every_s)
    finally:
        sys.stdout.write(_SHOW)
        sys.stdout.flush()


def _look(workbench: Workbench, run_id: str) -> Run:
    """Take in what the run wrote, if nobody else is doing that right now, and read it."""
    try:
        workbench.experiments.sweep()
    except Unavailable:
        pass  # somebody else takes it in at this moment; the next look finds it
    return workbench.experiments.run(run_id)


def _chosen(workbench: Workbench, run_id: str, keys: Sequence[str]) -> dict[str, LatestMetric]:
    found = workbench.experiments.metrics(run_id)
    return {key: found[key] for key in keys if key in found} if keys else found


def _picture(workbench: Workbench, run: Run, keys: Sequence[str], on: plotting.Paper) -> list[Line]:
    now = workbench.context.now()
    took = clock.duration((run.ended_at or now) - run.started_at)
    head: Line = ((run.name or run.id[:8], "title"), (f"  {run.experiment}  {run.state}, {took}", "muted"))
    metrics = _chosen(workbench, run.id, keys)
    drawn = [key for key, one in metrics.items() if one.count > 1][: CHARTS if not keys else len(keys)]
    body = plotting.pictures().metrics(workbench, run.id, drawn, on) if drawn else [(("no points yet", "muted"),)]
    rest = [f"{key} {one.value:.6g}" for key, one in metrics.items() if key not in drawn]
    words = "  ".join(rest)[: on.width]
    return [head, *body, *([((words, "muted"),)] if rest else [])]


def _in_words(workbench: Workbench, run_id: str, keys: Sequence[str], every_s: float) -> Run:
    said = ""
    while True:
        run = _look(workbench, run_id)
        metrics = _chosen(workbench, run_id, keys)
        step = max((one.step for one in metrics.values()), default=None)
        values = " ".join(f"{key}={one.value:.6g}" for key, one in metrics.items())
        words = " ".join(
            part for part in (f"step={step}" if step is not None else "", values, f"state={run.state}") if part
        )
        if words != said:
            click.echo(words)
            said = words
        if str(run.state) != "running":
            return run
        time.sleep(every_s)
