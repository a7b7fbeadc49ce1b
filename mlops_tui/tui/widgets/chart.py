"""A pane whose charts can be looked into: zoom, cursor, log axis, smoothing, window, step or time, pause."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

from mlops_tui.tui import actions
from mlops_tui.tui.actions import Action
from mlops_tui.tui.binding import bound
from mlops_tui.tui.charts import line as line_chart
from mlops_tui.tui.charts import series as curves
from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.heat import LEVELS
from mlops_tui.tui.charts.line import Plot, View
from mlops_tui.tui.charts.scale import Steady
from mlops_tui.tui.lines import Line, Span, line
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.picture import Picture, changed, of_blocks

__all__ = ["ChartView", "Picture", "changed", "key_line", "of_blocks"]

SMOOTHING = (0.0, 0.6, 0.9, 0.97)
SHARES = (0.5, 0.25, 0.1)
SPANS = tuple(count * ticks.MINUTE for count in (1440, 360, 60, 15, 5, 1))
"""What `w` goes through: the last of these lengths of time, or the last of these shares of the steps."""
_CLOSEST = 1e-3
"""No zoom below this share of the whole."""


class ChartView(LinesView):
    """Lines as any pane; with a `Picture` the keys of charts too. All charts of a pane share zoom and cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("chart.zoom_in", "zoom(1)"),
        bound("chart.zoom_out", "zoom(-1)"),
        bound("chart.cursor_before", "cursor(-1)"),
        bound("chart.cursor_after", "cursor(1)"),
        bound("chart.log", "log"),
        bound("chart.smooth", "smooth"),
        bound("chart.window", "window"),
        bound("chart.axis", "axis"),
        bound("chart.pause", "pause"),
        bound("chart.reset", "reset"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"role--heat{level}" for level in range(1, LEVELS + 1)}
    DEFAULT_CSS = """
    ChartView > .role--heat1 { color: $panel; }
    ChartView > .role--heat2 { color: $primary; }
    ChartView > .role--heat3 { color: $accent; }
    ChartView > .role--heat4 { color: $warning; }
    ChartView > .role--heat5 { color: $error; }
    """
    _OWN: ClassVar[frozenset[str]] = frozenset({"zoom", "cursor", "log", "smooth", "window", "axis", "pause", "reset"})

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view = View(steady=Steady())
        self.paused = False
        self._picture: Picture | None = None
        self._waiting: Callable[[int, int], Sequence[Line]] | None = None
        self._last = -1  # place in the windows of `w`
        self._of = ""
        self._said: Line = ()

    # -- what is shown ------------------------------------------------------------------------------------------------

    def show(self, draw: Callable[[int, int], Sequence[Line]], *, home: bool = False, of: str = "") -> None:
        """Draw with this from now on. `of` names the object: another one is looked at afresh; a paused one waits."""
        if of != self._of:
            self._of, self.paused = of, False
            self._fresh()
        if self.paused:
            self._waiting = draw
            return
        self._picture = draw if isinstance(draw, Picture) and draw.plots else None
        super().show(self._looked if self._picture else draw, home=home)

    @property
    def plots(self) -> tuple[Plot, ...]:
        """The charts on screen."""
        return self._picture.plots if self._picture else ()

    def _looked(self, width: int, height: int) -> Sequence[Line]:
        assert self._picture is not None
        left, right = self._zoomed()
        view = dataclasses.replace(self.view, canvas=self._canvas(), left=left, right=right)
        return self._picture.draw(width, height - 1, view)

    def _canvas(self) -> str:
        return "ascii" if getattr(getattr(self.app, "modes", None), "ascii", False) else "braille"

    def _hint(self) -> Line:
        """The last line while the pane has the keys: how the charts are looked at and what can be changed."""
        view = self.view
        on = [
            word for word, active in (("paused", self.paused), ("log", view.log), ("by time", view.by_time)) if active
        ]
        on += [f"smooth {view.smooth:g}"] if view.smooth else []
        state = [(f" {', '.join(on)} ", "accent")] if on else []
        return line(*state, *key_line(getattr(self.app, "keys", {})))

    # -- looking ------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without charts the keys are those of the desk; so is `a` where there is no other axis."""
        if action in self._OWN and not self.plots:
            return False
        if action == "axis":
            return any(one.times for plot in self.plots for one in plot.series)
        return super().check_action(action, parameters)

    async def carry_out(self, action: Action) -> None:
        """Do what a key of charts does, and give the pane the focus."""
        method = next(one.action for one in self.BINDINGS if isinstance(one, Binding) and one.id == action.id)
        self.focus()
        if self.check_action(method.partition("(")[0], ()):
            await self.run_action(method)

    def action_zoom(self, step: int) -> None:
        """Twice as close, or half; around the cursor, else at the right end."""
        low, high = self._extent()
        left, right = self._range()
        middle = self.view.cursor if self.view.cursor is not None else right if self._live() else (left + right) / 2
        width = (right - left) * (0.5 if step > 0 else 2.0)
        if width >= (high - low) * 0.999:
            self._look(left=None, right=None)
        elif width > (high - low) * _CLOSEST:
            share = (middle - left) / (right - left) if right > left else 0.5
            left = min(max(low, middle - share * width), high - width)
            self._look(left=left, right=left + width)

    def action_cursor(self, step: int) -> None:
        """To the next point of any curve; the view follows."""
        left, right = self._range()
        if self.view.cursor is None:
            self._look(cursor=right if step < 0 else left)
            return
        cell = (right - left) / max(20, self.size.width - 10)
        found = [one for plot in self.plots for one in line_chart.shown(plot, self.view)]
        at = curves.neighbour(found, self.view.cursor, step * cell)
        low, high = self._extent()
        if at is None or not low <= at <= high:
            return
        shift = min(0.0, at - left) + max(0.0, at - right)
        zoomed = {"left": left + shift, "right": right + shift} if shift else {}
        self._look(cursor=at, **zoomed)

    def action_log(self) -> None:
        """Logarithmic or linear y."""
        self._look(log=not self.view.log)

    def action_smooth(self) -> None:
        """The next weight of the average."""
        self._look(smooth=SMOOTHING[(SMOOTHING.index(self.view.smooth) + 1) % len(SMOOTHING)])

    def action_window(self) -> None:
        """The next shorter window at the right end, at last everything."""
        self._last = self._last + 1 if self._last + 1 < len(self._windows()) else -1
        self._look(left=None, right=None)

    def action_axis(self) -> None:
        """Steps or time."""
        self._fresh()
        self._look(by_time=not self.view.by_time)

    def action_pause(self) -> None:
        """Stand still; on again, the newest."""
        self.paused = not self.paused
        waiting, self._waiting = self._waiting, None
        if not self.paused and waiting is not None:
            self.show(waiting, of=self._of)
        self._redraw()

    def action_reset(self) -> None:
        """As at first."""
        self.view = View(steady=self.view.steady)
        self._fresh()
        self._look()

    def _fresh(self) -> None:
        self._last = -1
        self.view = dataclasses.replace(self.view, left=None, right=None, cursor=None)
        if self.view.steady is not None:
            self.view.steady.forget()

    def _look(self, **changes: float | bool | None) -> None:
        if "left" in changes and changes["left"] is not None:
            self._last = -1
        self.view = dataclasses.replace(self.view, **changes)  # type: ignore[arg-type]
        self._redraw()

    def _live(self) -> bool:
        return any(plot.window is not None for plot in self.plots)

    def _extent(self) -> tuple[float, float]:
        ends = [line_chart.extent(plot, self.view) for plot in self.plots]
        return min(low for low, _ in ends), max(high for _, high in ends)

    def _windows(self) -> list[float]:
        low, high = self._extent()
        timed = self._live() or self.view.by_time or any(plot.x is ticks.TIME for plot in self.plots)
        return [span for span in SPANS if span < high - low] if timed else [(high - low) * share for share in SHARES]

    def _zoomed(self) -> tuple[float | None, float | None]:
        """The range for drawing: the window of `w` moves on with the data, a zoom stands."""
        if 0 <= self._last < len(windows := self._windows()):
            high = self._extent()[1]
            return high - windows[self._last], high
        return self.view.left, self.view.right

    def _range(self) -> tuple[float, float]:
        low, high = self._extent()
        left, right = self._zoomed()
        return low if left is None else left, high if right is None else right

    # -- painting -----------------------------------------------------------------------------------------------------

    def on_focus(self) -> None:
        self._redraw()

    def on_blur(self) -> None:
        self._redraw()

    def render_line(self, y: int) -> Strip:
        if self.plots and self.has_focus and y == self.content_region.height - 1:
            return self.paint(self._hint(), self.scrollable_content_region.width)
        return super().render_line(y)

    def role_style(self, role: str) -> Style:
        """A role, or two as ``upper/lower`` for half blocks: the second one's colour lies behind."""
        upper, _, lower = role.partition("/")
        style = super().role_style(upper)
        return style + Style(bgcolor=super().role_style(lower).color) if lower else style

    def _redraw(self) -> None:
        """Draw, and repaint only the cells of each line that are not what they were."""
        width, height = self.content_region.width - 1, self.content_region.height
        if self._draw is None or width < 1:
            return
        before, self._lines = self._lines, self._draw(width, height)
        self.virtual_size = Size(width, len(self._lines) + int(bool(self.plots)))  # the last line is that of the keys
        if len(before) != len(self._lines):
            self.refresh()
            return
        said = self._hint() if self.plots and self.has_focus else ()
        if said != self._said:
            self._said = said
            self.refresh(Region(0, max(0, height - 1), width, 1))
        top = self.scroll_offset.y
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if old != new and top <= y < top + height:
                start, count = changed(old, new)
                self.refresh(Region(start, y - top, count, 1))


def key_line(keys: Mapping[str, tuple[str, ...]]) -> list[Span]:
    """The keys of charts with a word each, as the user has them; those of one word stand together."""
    named: dict[str, list[str]] = {}
    for one in actions.CHARTS:
        named.setdefault(one.footer, []).append(actions.shown(keys.get(one.id, one.keys)[0]))
    return [span for word, found in named.items() for span in ((f" {' '.join(found)}", "key"), (f" {word} ", "muted"))]
