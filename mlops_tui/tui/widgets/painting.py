"""A scrolling widget that paints lines of (text, role) spans; roles take their colours from the theme."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mlops_tui.tui import roles
from mlops_tui.tui.lines import Line, clean

_FADING = frozenset({"text", "muted", "good", "warn", "bad", "busy"})
_DIM = Style(dim=True)


class Painted(ScrollView):
    """Base of everything we draw ourselves. User text is cleaned here and never read as markup."""

    ALLOW_SELECT = False  # see `Selecting`

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
