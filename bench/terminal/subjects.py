"""Applications to measure: `python subjects.py KIND DRIVER`, KIND of empty, table, bucketed, scrolling, plotext."""

from __future__ import annotations

import math
import sys
from collections import deque
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Static

CHARTS, SERIES, POINTS = 8, 2, 110
"""As in the study this follows: eight charts of two series of 110 points, one new point a second."""
BUCKET_MS = 10_000.0
"""A bucketed time axis stands still for so long and then moves on, leaving some room at its right end."""
THEME = {"muted": "#8089a6"}


def value(chart: int, series: int, step: int) -> float:
    """A wandering curve that is the same in every run."""
    phase = chart * 1.7 + series * 0.9
    return 50 + 30 * math.sin(step / (9 + chart) + phase) + 12 * math.sin(step * 1.9 + phase * 3)


def answer(press: int) -> str:
    """What the note says after so many presses."""
    return chr(ord("A") + press) * 12


RUSH, RUSH_S = 20, 0.05
"""So many seconds' worth in a hurry, each for as long as a picture needs."""


class Live(App[None]):
    """Something new each second, and a counter that k moves; t goes through 20 seconds in one and then moves it too."""

    CSS = "#grid { grid-size: 2 4; height: 1fr; } #note { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("k", "press", "Press"), Binding("t", "rush", "Rush")]
    presses = 0
    still = False
    """Whether nothing happens by itself."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return THEME

    def compose(self) -> ComposeResult:
        yield Static(answer(0), id="note")
        with Grid(id="grid"):
            for chart in range(CHARTS):
                yield self.chart(chart)

    def on_mount(self) -> None:
        self.step = 0
        self.data = [
            [deque((value(chart, one, step) for step in range(-POINTS, 0)), POINTS) for one in range(SERIES)]
            for chart in range(CHARTS)
        ]
        self.call_after_refresh(self.draw)
        if not self.still:
            self.set_interval(1.0, self.tick)

    def tick(self) -> None:
        for chart in range(CHARTS):
            for one in range(SERIES):
                self.data[chart][one].append(value(chart, one, self.step))
        self.step += 1
        self.draw()

    def action_press(self) -> None:
        self.presses += 1
        # Every cell changes, so that any driver has to send the letters in a row.
        self.query_one("#note", Static).update(answer(self.presses))

    def action_rush(self) -> None:
        self.left = RUSH
        self.hurried = self.set_interval(RUSH_S, self.hurry)

    def hurry(self) -> None:
        self.tick()
        self.left -= 1
        if not self.left:
            self.hurried.stop()
            self.action_press()

    def chart(self, chart: int) -> Any:
        raise NotImplementedError

    def draw(self) -> None:
        raise NotImplementedError


class Ours(Live):
    """Our chart kit; `bucketed` moves the time axis in steps, else it moves with every point."""

    bucketed = True

    def chart(self, chart: int) -> Any:
        from mlops_tui.tui.charts.scale import Steady
        from mlops_tui.tui.widgets.painted import LinesView

        self.steady = getattr(self, "steady", {})
        self.steady[chart] = Steady()
        return LinesView(id=f"chart{chart}")

    def draw(self) -> None:
        from mlops_tui.tui.charts.line import Plot, Series, View, draw
        from mlops_tui.tui.widgets.painted import LinesView

        now = self.step * 1000.0
        xs = tuple(now - 1000.0 * (POINTS - 1 - at) for at in range(POINTS))
        for chart in range(CHARTS):
            series = tuple(Series(f"s{one}", xs, tuple(self.data[chart][one])) for one in range(SERIES))
            end = math.ceil(now / BUCKET_MS) * BUCKET_MS
            window = (end - 1000.0 * POINTS, end) if self.bucketed else None
            plot = Plot(series, low=0, high=100, window=window)
            view = View(steady=self.steady[chart])
            self.query_one(f"#chart{chart}", LinesView).show(
                lambda width, height, plot=plot, view=view: draw(plot, width, height, view)
            )


class Scrolling(Ours):
    bucketed = False


class Plotext(Live):
    """The same with textual-plotext."""

    def chart(self, chart: int) -> Any:
        from textual_plotext import PlotextPlot

        return PlotextPlot(id=f"chart{chart}")

    def draw(self) -> None:
        from textual_plotext import PlotextPlot

        for chart in range(CHARTS):
            widget = self.query_one(f"#chart{chart}", PlotextPlot)
            widget.plt.clear_data()
            for one in range(SERIES):
                xs = list(range(self.step - POINTS, self.step))
                widget.plt.plot(xs, list(self.data[chart][one]), marker="braille")
            widget.refresh()


class Empty(App[None]):
    """What every Textual application pays."""

    def compose(self) -> ComposeResult:
        yield Static("empty")


def table() -> App[None]:
    """A million rows in our table."""
    from mlops_tui.tui.widgets.columns import Column
    from mlops_tui.tui.widgets.rows import Rows
    from mlops_tui.tui.widgets.table import VirtualTable

    def cell(at: int) -> Any:
        return lambda record, now: (f"{record * (at + 7) % 99_991}.{at}", "text" if at % 3 else "muted")

    columns = tuple(Column(f"column {at}", cell(at), right=at % 2 == 1) for at in range(12))

    class Million(Rows):
        count = 1_000_000

        def cells(self, index: int) -> Any:
            return tuple(column.cell(index, 0) for column in columns)

        def record(self, index: int) -> Any:
            return index

    class Table(App[None]):
        CSS = "VirtualTable { height: 1fr; }"

        def get_theme_variable_defaults(self) -> dict[str, str]:
            return THEME

        def compose(self) -> ComposeResult:
            yield VirtualTable(id="table")

        def on_mount(self) -> None:
            rows = Million()
            rows.columns = columns
            self.query_one(VirtualTable).show(columns, rows)
            self.query_one(VirtualTable).focus()

    return Table()


def main(kind: str, driver: str, still: str = "") -> None:
    """Run one of them with "stock" or "thin"; "still": nothing happens until a key says so."""
    apps: dict[str, Any] = {"bucketed": Ours, "scrolling": Scrolling, "plotext": Plotext, "empty": Empty}
    app = table() if kind == "table" else apps[kind]()
    if isinstance(app, Live):
        app.still = bool(still)
    if driver == "thin":
        from mlops_tui.tui.output.driver import ThinDriver

        app.driver_class = ThinDriver
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
