"""Runs side by side: what they were given, what came out, where they ran, and their curves over each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Chart
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.lines import Span, clean, line, number, state
from mlops_tui.tui.state import Failure, Source
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.cell import WholeCell
from mlops_tui.tui.widgets.chart import ChartView, of_blocks
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.rows import Listed
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Comparison, Run

MOST = 12
"""More runs than this are no longer side by side."""
CHARTS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One thing all runs are compared in, with one value per run (None: a run has none)."""

    group: str
    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        return any(one != self.values[0] for one in self.values[1:])


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """Runs by name, what they are compared in, and the curves of the metrics that have some."""

    names: tuple[str, ...]
    lines: tuple[Line, ...]
    charts: tuple[Block, ...]


def compare(bench: Workbench, ids: Sequence[str]) -> Compared:
    """Read everything the comparison shows (in a worker). Raises InvalidInput for fewer than two runs."""
    found = bench.experiments.compare(ids)
    names = tuple(run.name or run.id[:8] for run in found.runs)
    if len(set(names)) < len(names):
        names = tuple(f"{name} {run.id[:4]}" for name, run in zip(names, found.runs, strict=True))
    lines = (*_facts(found.runs), *_lines("parameter", found.params), *_lines("metric", found.metrics), *_tags(found.runs),
             *_environment(found.runs))  # fmt: skip
    said = tuple(one for one in lines if any(value is not None for value in one.values))
    return Compared(names, said, _charts(bench, found, names))


def _lines(group: str, values: dict[str, Any]) -> list[Line]:
    return [Line(group, name, tuple(of)) for name, of in values.items()]


def _facts(runs: Sequence[Run]) -> list[Line]:
    return [
        Line("run", "state", tuple(str(run.state) for run in runs)),
        Line("run", "experiment", tuple(run.experiment for run in runs)),
        Line("run", "took", tuple(clock.duration(run.duration) for run in runs)),
    ]


def _tags(runs: Sequence[Run]) -> list[Line]:
    return [
        Line("tag", name, tuple(run.tags.get(name) for run in runs))
        for name in sorted({key for run in runs for key in run.tags})
    ]


_ENVIRONMENT: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("python", lambda run: run.python),
    ("commit", lambda run: run.git_commit[:12]),
    ("branch", lambda run: run.git_branch),
    ("uncommitted changes", lambda run: "yes" if run.git_dirty else "no"),
    ("source", lambda run: run.source),
    ("command", lambda run: run.command),
    ("host", lambda run: run.host),
    ("user", lambda run: run.user),
)


def _environment(runs: Sequence[Run]) -> list[Line]:
    return [Line("environment", name, tuple(get(run) or None for run in runs)) for name, get in _ENVIRONMENT]


def _charts(bench: Workbench, found: Comparison, names: Sequence[str]) -> tuple[Block, ...]:
    """One chart per metric that at least one run logged more than once, with a curve per run."""
    counts = [{name: one.count for name, one in bench.experiments.metrics(run.id).items()} for run in found.runs]
    keys = [key for key in found.metrics if any(one.get(key, 0) > 1 for one in counts)][:CHARTS]
    out: list[Block] = []
    for key in keys:
        series = []
        for run, name, count in zip(found.runs, names, counts, strict=True):
            if key in count:
                points = bench.experiments.history(run.id, key)
                series.append(
                    Series(
                        name,
                        tuple(float(one.step) for one in points),
                        tuple(one.value for one in points),
                        tuple(float(one.ts - points[0].ts) for one in points),
                    )
                )
        out.append(Chart(Plot(tuple(series), x_name="step"), title=key))
    return tuple(out)


class Compare(ModalScreen[None]):
    """The comparison over the whole window; `d` leaves only what differs, tab goes to the curves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,c", "dismiss", show=False),
        Binding("d", "differences", show=False),
        Binding("tab,shift+tab", "pane", show=False),
        Binding("comma", "column(-1)", show=False),
        Binding("full_stop", "column(1)", show=False),
    ]
    DEFAULT_CSS = """
    Compare { align: left top; }
    Compare #compare { width: 100%; height: 100%; background: $background; }
    Compare #compare-table { height: 1fr; }
    Compare #compare-note { height: 1fr; display: none; }
    Compare #compare-charts { height: 1fr; border-top: solid $panel; display: none; }
    Compare.-curves #compare-charts { display: block; }
    """

    class Ready(Message):
        """A worker has the comparison, or why not."""

        def __init__(self, found: Compared | Failure) -> None:
            super().__init__()
            self.found = found

    def __init__(self, source: Source, ids: Sequence[str]) -> None:
        super().__init__()
        self._source, self._ids = source, tuple(ids)
        self._found: Compared | None = None
        self.only_differences = False

    def compose(self) -> ComposeResult:
        with Vertical(id="compare"):
            yield Bar(id="dialog-title")
            yield VirtualTable(id="compare-table")
            yield LinesView(id="compare-note")
            yield ChartView(id="compare-charts")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        keys = line((" d", "key"), " differences only  ", (", .", "key"), " runs  ", ("tab", "key"), " curves  ",
                    ("enter", "key"), " whole value  ", ("esc", "key"), " close")  # fmt: skip
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        self.query_one("#dialog-title", Bar).show([(line((f" Compare {len(self._ids)} runs", "title")), "")])
        source, ids = self._source, self._ids
        self.run_worker(
            lambda: self.post_message(self.Ready(source.attempt(lambda bench: compare(bench, ids)))),
            thread=True,
            exit_on_error=False,
        )

    @on(Ready)
    def _ready(self, message: Ready) -> None:
        found = message.found
        if isinstance(found, Failure):
            note = self.query_one("#compare-note", LinesView)
            note.display, self.query_one("#compare-table").display = True, False
            note.show(lambda width, height: states.failed(found, width))
            return
        self._found = found
        charts = self.query_one("#compare-charts", ChartView)
        self.set_class(bool(found.charts), "-curves")
        charts.show(of_blocks(found.charts))
        self._draw()
        self.query_one("#compare-table").focus()

    @property
    def _table(self) -> VirtualTable:
        return self.query_one("#compare-table", VirtualTable)

    def _draw(self) -> None:
        found = self._found
        if found is None:
            return
        lines = [one for one in found.lines if one.differs or not self.only_differences]
        columns = (
            Column("", lambda one, now: ("≠" if one.differs else " ", "warn"), width=1),
            Column(
                "What",
                lambda one, now: (one.name, "title" if one.differs else "text"),
                width=22,
                whole=lambda one: one.name,
            ),
            Column("", lambda one, now: (one.group, "muted"), width=11, rank=99),
            *(_run_column(name, at) for at, name in enumerate(found.names)),
        )
        columns = (columns[1], columns[0], *columns[2:])
        note = self.query_one("#compare-note", LinesView)
        note.display, self._table.display = not lines, bool(lines)
        note.show(
            lambda width, height: [(), line((" These runs are the same in everything that is recorded.", "muted"))]
        )
        self._table.show(
            columns, Listed(lines, columns, 0, lambda one: f"{one.group} {one.name}"), cursor=self._table.cursor
        )
        differing = sum(one.differs for one in found.lines)
        words = f"  {differing} of {len(found.lines)} differ{', only those are shown' if self.only_differences else ''}"
        self.query_one("#dialog-title", Bar).show(
            [(line((f" Compare {len(found.names)} runs", "title"), (words, "muted")), "")]
        )

    def action_differences(self) -> None:
        self.only_differences = not self.only_differences
        self._draw()

    def action_column(self, step: int) -> None:
        self._table.move_column(step)

    def action_pane(self) -> None:
        charts = self.query_one("#compare-charts")
        (charts if charts.display and self.focused is not charts else self._table).focus()

    @on(VirtualTable.Opened)
    def _whole(self, message: VirtualTable.Opened) -> None:
        one, found = self._table.rows.record(message.index), self._found
        if one is not None and found is not None:
            values = [(f"{one.name}: {name}", value) for name, value in zip(found.names, one.values, strict=True)]
            self.app.push_screen(WholeCell(values, max(0, self._table.column - 3)))


def _run_column(name: str, at: int) -> Column:
    return Column(
        clean(name), lambda one, now: _value(one, at), width=24, rank=3 + at, whole=lambda one: one.values[at]
    )


def _value(one: Line, at: int) -> Span | str:
    value = one.values[at]
    if value is None:
        return ("-", "muted")
    if one.name == "state" and one.group == "run":
        return state(value)
    return (number(value) if isinstance(value, float) else clean(value), "text" if one.differs else "muted")
