"""A scrolling widget that paints lines of (text, role) spans; roles take their colours from the theme."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mlops_tui.tui import roles
from mlops_tui.tui.lines import Line, clean

_FADING = frozenset({"text", "muted", "good", "warn", "bad", "busy"})
_DIM = Style(dim=True)


class Painted(ScrollView):
    """Base of everything we draw ourselves. User text is cleaned here and never read as markup."""

    ALLOW_SELECT = False  # see `Selecting`

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._ground: Style | None = None
        self._worn: dict[Style, dict[str, Style]] = {}

    def render_lines(self, crop: Region) -> list[Strip]:
        """All lines of a picture; what a role looks like on which ground is found out once for them."""
        self._worn = {}
        self._ground = self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._ground = None

    @property
    def ground(self) -> Style:
        """What lies under the text."""
        return self.rich_style if self._ground is None else self._ground

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
        base = self.ground if base is None else base
        worn = self._worn.setdefault(base, {}) if self._ground is not None else {}
        room, segments = width, []
        for text, role in spans:
            style = worn.get(role)
            if style is None:
                style = worn[role] = base + self.role_style(role)
            text = clean(text)
            cells = len(text) if text.isascii() else cell_len(text)
            if cells > room:
                text, cells = set_cell_size(text, room), room
            segments.append(Segment(text, style))
            room -= cells
            if not room:
                break
        if room:
            segments.append(Segment(" " * room, base))
        return Strip(segments, width)
