"""One line of parts, some of which can be clicked: the top bar, the parts of a desk, the key line."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.strip import Strip

from mlops_tui.tui.lines import Line, crop, width
from mlops_tui.tui.widgets.painting import Painted

Part = tuple[Line, str]


class Bar(Painted, can_focus=False):
    """`show` takes parts of (spans, action); a click on a part runs its action ("" = none)."""

    DEFAULT_CSS = "Bar { height: 1; overflow: hidden hidden; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._parts: Sequence[Part] = ()
        self._right: Line = ()

    def show(self, parts: Sequence[Part], right: Line = ()) -> None:
        """Parts from the left, `right` at the right edge if there is room."""
        if (parts, right) != (self._parts, self._right):
            self._parts, self._right = parts, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        room = self.size.width
        left = tuple(span for spans, _ in self._parts for span in spans)
        free = room - width(left) - width(self._right)
        if self._right and free >= 1:
            left = (*left, (" " * free, "text"), *self._right)
        return self.paint(crop(left, room), room)

    async def on_click(self, event: events.Click) -> None:
        place = event.x
        for spans, action in self._parts:
            place -= width(spans)
            if place < 0:
                if action:
                    await self.app.run_action(action, self.screen)
                return
