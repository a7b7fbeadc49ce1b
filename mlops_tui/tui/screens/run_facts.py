"""What is known of a run: the summary, parameters, the console, notes. All `of`-functions run in a worker."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Fields, Grid, Text, draw_all, heading, side_by_side
from mlops_tui.tui.charts.line import Plot, View
from mlops_tui.tui.charts.small import sparkline
from mlops_tui.tui.lines import Line, Span, clean, line, number, size, state, wrap
from mlops_tui.tui.screens import cells, run_curves
from mlops_tui.tui.screens.markdown import draw_markdown
from mlops_tui.tui.widgets.chart import Picture
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Health, LatestMetric, Pair, Run

SPARKS = 24
"""So many metrics have their course beside them."""
MOST_LINES = 5000
LAST_BYTES = 256 * 1024
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""Escape sequences of terminals (ECMA-48): colours, cursor moves, titles."""
SPARK = 40
SIDE_BY_SIDE = 110


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """The run a page is about."""

    run: Run

    @property
    def title(self) -> str:
        return self.run.name or self.run.id[:8]


def subject(bench: Workbench, run_id: str) -> Subject:
    """The run a page is about. Raises NotFound."""
    return Subject(bench.experiments.run(run_id))


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """Everything the first part of the page says."""

    run: Run
    now: int
    health: Health
    params: Mapping[str, str]
    metrics: Mapping[str, LatestMetric]
    sparks: Mapping[str, tuple[float, ...]]
    files: int
    bytes: int
    versions: tuple[str, ...]
    children: int
    note: str


def summary(of: str, bench: Workbench) -> Summary:
    """Read it."""
    room = bench.experiments
    run = room.run(of)
    metrics = room.metrics(of)
    shown = [name for name in metrics if not run_curves.is_system(name)]
    files = room.artifacts(of)
    return Summary(
        run,
        bench.context.now(),
        room.health(of),
        room.params(of),
        {name: metrics[name] for name in shown},
        {
            name: tuple(point.value for point in room.history(of, name, most=4 * SPARK))
            for name in shown[:SPARKS]
            if metrics[name].count > 1
        },
        len(files),
        sum(one.size for one in files),
        tuple(one.ref for one in bench.registry.by_run(of)),
        len(room.runs(parent=of, limit=1000)),
        run.tags.get("note", ""),
    )


def picture(draw: Callable[[Any, int, int, View | None], Sequence[Line]], records: Any) -> Picture:
    """A part that is drawn, with the charts in it."""
    plots: tuple[Plot, ...] = getattr(records, "plots", ())
    return Picture(lambda width, height, view: draw(records, width, height, view), plots)


def draw_summary(one: Summary, width: int, height: int, view: View | None = None) -> list[Line]:
    """State and origin, metrics with their course, parameters; in two columns where there is room."""
    note = [Text(one.note.splitlines()[0].lstrip("# ")[:300], "text", "Note")] if one.note else []
    left: list[Block] = [_head(one, named=width >= SIDE_BY_SIDE), *note]
    params = Grid(("Parameter", "Value"), _pairs(one.params), title="Parameters")
    if one.run.error:
        left.append(Text(one.run.error.strip()[-2000:], "bad", "Error"))
    if width < SIDE_BY_SIDE:
        out = [*draw_all(left, width - 2), (), *_metrics(one, width - 2), (), *params.draw(width - 2)]
        return [((" ", "text"), *each) for each in out]
    half = max(44, width * 2 // 5)
    first = draw_all([*left, params], half - 2)
    return side_by_side(first, _metrics(one, width - half - 2), half)


def beside(bench: Workbench, run_id: str) -> Sequence[Block]:
    """A run beside the list of runs: the summary with the first chart."""
    found = summary(run_id, bench)
    row = next((one for one in run_curves.rows(run_id, bench) if one.latest.count > 1), None)
    charts = run_curves.detail(bench, row) if row is not None else ()
    return (_Named(found), *charts, Grid(("Parameter", "Value"), _pairs(found.params), title="Parameters"))


def _pairs(params: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((clean(name), clean(value)) for name, value in params.items())


@dataclasses.dataclass(frozen=True)
class _Named:
    """Head and metrics under the name of the run."""

    of: Summary

    def draw(self, width: int) -> list[Line]:
        head = dataclasses.replace(_head(self.of), title=self.of.run.name or self.of.run.id[:8])
        error = Text(self.of.run.error.strip()[-500:], "bad").draw(width) if self.of.run.error else []
        return [*head.draw(width), *error, (), *_metrics(self.of, width)]


def _head(one: Summary, *, named: bool = True) -> Fields:
    """State and origin; what the line at the top of the page says is left out unless `named`."""
    run = one.run
    took = clock.duration((run.ended_at or one.now) - run.started_at)
    tags = (f"{key}={value}" for key, value in run.tags.items() if key != "note" and not key.startswith("mlflow."))
    who = f"{run.user} on {run.host}" if run.host else run.user
    changes = " with changes" if run.git_dirty else ""
    said = (("State", state(run.state)), ("Experiment", run.experiment), ("Id", run.id)) if named else ()
    return Fields(
        (
            *said,
            *(("Look at", (f"▲ {mark.kind}: {mark.detail}", "warn")) for mark in one.health.marks),
            *((f"Best {pair.valid}", _advice(pair, run.state == "running")) for pair in one.health.pairs),
            ("Started", cells.moment(run.started_at, one.now)),
            ("Took" if run.ended_at else "So far", took),
            ("By", f"{who}, {run.source}" if run.source else who),
            ("Commit", f"{run.git_commit[:12]} {run.git_branch}{changes}" if run.git_commit else ""),
            ("Tags", clean(", ".join(tags))),
            ("Files", f"{one.files}, {size(one.bytes)}" if one.files else ""),
            ("Versions", ", ".join(one.versions)),
            ("Parent", run.parent[:8]),
            ("Children", f"{one.children:,}" if one.children else ""),
        )
    )


def _advice(pair: Pair, running: bool) -> Span:
    """The best of a validation metric, and whether going on is worth it."""
    words = f"{number(pair.best_value)} at step {pair.best_step:,}"
    return (f"{words}; stopping now is advised", "warn") if pair.stop and running else (words, "text")


def _metrics(one: Summary, width: int) -> list[Line]:
    """A line per metric: last, range, and its course in what room is left."""
    if not one.metrics:
        return [*heading("Metrics"), line(("none logged yet", "muted"))]
    label = min(max(len(name) for name in one.metrics), max(12, width // 3))
    rows = [(name, number(of.value), number(of.min), number(of.max)) for name, of in one.metrics.items()]
    widths = [max(4, *(len(row[at]) for row in rows)) for at in (1, 2, 3)]
    room = width - label - sum(widths) - 10
    out = heading("Metrics")
    names = f"{'':<{label}}  {'last':>{widths[0]}}  {'least':>{widths[1]}}  {'most':>{widths[2]}}"
    out.append(line((names, "muted")))
    for name, last, low, high in rows:
        values = run_curves.course(one.sparks.get(name, ()), min(SPARK, room)) if room >= 8 else []
        spark = sparkline(values, len(values)) if values else ("", "text")
        shown = clean(name) if len(name) <= label else clean(name)[: label - 1] + "…"
        out.append(line(f"{shown:<{label}}  ", (f"{last:>{widths[0]}}", "title"),
                        (f"  {low:>{widths[1]}}  {high:>{widths[2]}}", "muted"), "  ", spark))  # fmt: skip
    return out


# -- parameters --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    value: str


def parameters(of: str, bench: Workbench) -> list[Parameter]:
    """Parameters by name."""
    return [Parameter(name, value) for name, value in bench.experiments.params(of).items()]


def parameter(bench: Workbench, row: Parameter) -> Sequence[Block]:
    """The value in full."""
    return (Text(row.value or "(empty)", title=row.name),)


# -- console -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Console:
    """The end of what the run printed; `title` says which file it is, and what came before."""

    title: str
    lines: tuple[str, ...]


def console(of: str, bench: Workbench) -> Console:
    """The newest text log of the run, or the file `console.log` it kept; the end of it when it is long."""
    folder = bench.experiments.log_dir(of)
    logs = sorted((one for one in folder.glob("*") if one.is_file()), key=lambda one: one.stat().st_mtime)
    if logs:
        return _tail(logs[-1], logs[-1].name)
    kept = [
        one.path for one in bench.experiments.artifacts(of) if one.path.endswith((".log", "console.txt", "output.txt"))
    ]
    if kept:
        return _tail(bench.experiments.artifact_file(of, kept[0]), kept[0])
    return Console("", ())


def _tail(path: Path, name: str) -> Console:
    length = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, length - LAST_BYTES))
        text = file.read(LAST_BYTES).decode("utf-8", "replace")
    found = tuple(_printed(each) for each in text.split("\n")[-MOST_LINES:])
    found = found[:-1] if found and not found[-1] else found
    cut = f", the last {size(LAST_BYTES)} of it" if length > LAST_BYTES else ""
    return Console(f"{name}, {size(length)}{cut}", found)


def _printed(text: str) -> str:
    """A line as a terminal shows it in the end: what a progress bar wrote over is gone, and so are colours."""
    return _ESCAPE.sub("", text.rstrip("\r").rpartition("\r")[2])


def draw_console(one: Console, width: int, height: int, view: View | None = None) -> list[Line]:
    """The lines as they were printed."""
    if not one.title:
        return [(), *(line(f" {piece}") for piece in wrap(
            "This run kept no log. `mlops.start_run(capture_output=True)` keeps what a script prints, "
            "`mlops runs start -- COMMAND` what any command does.", width - 2))]  # fmt: skip
    return [line((f" {one.title}", "muted")), *(line(f" {clean(each)}") for each in one.lines)]


# -- notes -------------------------------------------------------------------------------------------------------------


def notes(of: str, bench: Workbench) -> str:
    """The note as it was written, "" without one."""
    return bench.experiments.run(of).tags.get("note", "")


def draw_notes(text: str, width: int, height: int, view: View | None = None) -> list[Line]:
    """The note as Markdown, or how to write one."""
    if not text:
        return [(), line(" No note yet. Press ", ("n", "key"), " here to write one, or run:"),
                line(("   mlops runs note RUN 'text'", "accent"))]  # fmt: skip
    return [(), *(((" ", "text"), *one) for one in draw_markdown(text, width - 2))]
