"""Text is chosen by dragging the mouse over a pane and copied when the button is let go.

Textual's own selection goes through whatever lies between two places on screen; here a selection stays within its pane, so
that list and detail side by side are not mixed. Shift and alt are left to terminals, which have a selection of their own.
"""

from __future__ import annotations

import dataclasses

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.timer import Timer

from mlops_tui.tui.widgets.painting import Painted

PULL_S = 0.05
"""A line further every so often while the mouse is held above or below the pane."""
_LIT = Style(reverse=True)


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A cell of the content: its row, wherever that is on screen now, and the cell in it."""

    row: int
    cell: int


class Selecting(Painted):
    """Base of panes whose text can be chosen. Subclasses say which row is on a line (`row_at`) and what it says (`words`)."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.dragged = False
        self._down = False
        self._ends: tuple[Spot, Spot] | None = None
        self._pull = 0
        self._puller: Timer | None = None

    def row_at(self, y: int) -> int:
        """The row of the content on line `y` of the pane."""
        return y + self.scroll_offset.y

    def words(self, row: int) -> str:
        """The plain text of a row, "" where there is none."""
        raise NotImplementedError

    @property
    def chosen(self) -> str:
        """The text that is chosen now, without what fills lines up."""
        if self._ends is None or not self.dragged:
            return ""
        first, last = sorted(self._ends)
        lines = []
        for row in range(first.row, last.row + 1):
            span = self._span(row)
            lines.append(between(self.words(row), *span).rstrip() if span else "")
        return "\n".join(lines).strip("\n")

    def lit(self, y: int, strip: Strip) -> Strip:
        """A line as it is painted, with the chosen cells standing out."""
        span = self._span(self.row_at(y)) if self.dragged else None
        if span is None or span[0] >= strip.cell_length:
            return strip
        start, end = span[0], min(span[1], strip.cell_length)
        before, inside, after = (strip.crop(0, start), strip.crop(start, end), strip.crop(end))
        return Strip.join([before, inside.apply_style(_LIT), after])

    def _span(self, row: int) -> tuple[int, int] | None:
        """The chosen cells of a row."""
        if self._ends is None:
            return None
        first, last = sorted(self._ends)
        if not first.row <= row <= last.row:
            return None
        return first.cell if row == first.row else 0, last.cell + 1 if row == last.row else 1_000_000

    def unchoose(self) -> None:
        """Nothing is chosen any more."""
        lit, self._ends, self._down, self._pull = self.dragged and self._ends is not None, None, False, 0
        if lit:
            self.refresh()

    # -- the mouse ------------------------------------------------------------------------------------------------------

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.unchoose()
        self.dragged = False
        if event.button == 1 and not (event.shift or event.meta):
            spot = self._spot(event)
            self._ends, self._down = (spot, spot), True
            self.capture_mouse()  # a quick hand is outside of the pane with its first move

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if not self._down or self._ends is None:
            return
        spot = self._spot(event)
        if not self.dragged and spot == self._ends[0]:
            return
        self.dragged = True
        y = event.y - self.gutter.top
        self._pull = -1 if y < 0 else int(y >= self.scrollable_content_region.height)
        if self._pull and self._puller is None:
            self._puller = self.set_interval(PULL_S, self._pulled)
        self._choose(spot)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if not self._down:
            return
        self._down, self._pull = False, 0
        self.release_mouse()
        if not self.dragged:
            self._ends = None
        elif chosen := self.chosen:
            self.app.copy_to_clipboard(chosen)

    def on_key(self) -> None:
        self.unchoose()

    def _choose(self, spot: Spot) -> None:
        assert self._ends is not None
        if spot != self._ends[1]:
            self._ends = (self._ends[0], spot)
            self.refresh()

    def _spot(self, event: events.MouseEvent) -> Spot:
        height, width = self.scrollable_content_region.height, self.scrollable_content_region.width
        x, y = event.x - self.gutter.left, event.y - self.gutter.top
        if y < 0:
            return Spot(self.row_at(0), 0)
        if y >= height:
            return Spot(self.row_at(height - 1), width)
        return Spot(self.row_at(y), max(0, min(x, width)))

    def _pulled(self) -> None:
        """The mouse is held outside: the content moves under it and the selection grows."""
        if not self._pull or self._ends is None:
            if self._puller is not None:
                self._puller.stop()
            self._puller = None
            return
        self.scroll_relative(y=self._pull, animate=False, immediate=True)
        height = self.scrollable_content_region.height
        self._choose(Spot(self.row_at(height - 1), self._ends[1].cell) if self._pull > 0 else Spot(self.row_at(0), 0))


def between(text: str, start: int, end: int) -> str:
    """The characters of a text that lie, at least in part, in the cells from `start` up to `end`."""
    out, at = [], 0
    for one in text:
        wide = cell_len(one)
        if at < end and at + wide > start:
            out.append(one)
        at += wide
    return "".join(out)
