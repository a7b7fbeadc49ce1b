"""A scrolling widget that paints lines of (text, role) spans; roles take their colours from the theme."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mlops_tui.tui import roles
from mlops_tui.tui.lines import Line, clean

_FADING = frozenset({"text", "muted", "good", "warn", "bad", "busy"})
_DIM = Style(dim=True)


class Painted(ScrollView):
    """Base of everything we draw ourselves. User text is cleaned here and never read as markup."""

    def role_style(self, role: str) -> Style:
        """The colour and weight of a role, without background. Rows that are out of date are dim."""
        name = f"role--{role}"
        if name in self.COMPONENT_CLASSES:  # what only one kind of widget has comes from its style sheet
            return self.get_component_rich_style(name, partial=True)
        app = self.app
        if role in _FADING and self.has_class("-stale"):
            return roles.style("muted", app.theme_variables, ansi=app.native_ansi_color) + _DIM
        return roles.style(role, app.theme_variables, ansi=app.native_ansi_color)

    def paint(self, spans: Line, width: int, base: Style | None = None) -> Strip:
        """Spans on the widget's background, cut and padded to `width`."""
        base = self.rich_style if base is None else base
        segments = [Segment(clean(text), base + self.role_style(role)) for text, role in spans]
        return Strip(segments).adjust_cell_length(width, base)


class LinesView(Painted, can_focus=True):
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
        return self.paint(self._lines[row] if row < len(self._lines) else (), width)
