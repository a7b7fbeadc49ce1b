"""A pane of lines that a function draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.geometry import Size
from textual.strip import Strip

from mlops_tui.tui.lines import Line, plain
from mlops_tui.tui.widgets.selecting import Selecting


class LinesView(Selecting, can_focus=True):
    """Shows what `draw(width, height)` returns; draws again when the width changes."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._draw: Callable[[int, int], Sequence[Line]] | None = None
        self._lines: Sequence[Line] = ()

    @property
    def lines(self) -> Sequence[Line]:
        """What is drawn now."""
        return self._lines

    def show(self, draw: Callable[[int, int], Sequence[Line]], *, home: bool = False) -> None:
        """Draw with this function from now on; `home` scrolls back to the top."""
        self._draw = draw
        self._redraw()
        if home:
            self.scroll_to(y=0, animate=False)

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width, height = self.content_region.width - 1, self.content_region.height  # one cell is the scrollbar's
        if self._draw is None or width < 1:
            return
        before, self._lines = self._lines, self._draw(width, height)
        self.virtual_size = Size(width, len(self._lines))
        if len(before) != len(self._lines):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if old != new:
                self.refresh_line(y)

    def render_line(self, y: int) -> Strip:
        row = self.scroll_offset.y + y
        width = self.scrollable_content_region.width
        return self.lit(y, self.paint(self._lines[row] if row < len(self._lines) else (), width))

    def words(self, row: int) -> str:
        return plain(self._lines[row]) if 0 <= row < len(self._lines) else ""
