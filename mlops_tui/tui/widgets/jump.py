"""ctrl+o: a letter on every pane and on every part of the desk; the letter goes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Label

from mlops_tui.tui.lines import width
from mlops_tui.tui.widgets.bar import Bar

if TYPE_CHECKING:
    from mlops_tui.tui.screens.base import Desk

LETTERS = "asdfghjklqwertyuiopzxcvbnm"
Target = tuple[int, int, Callable[[], object]]


def targets(desk: Desk) -> Iterator[Target]:
    """Where the letters go (column, row) and what each does: the parts of the desk, then the panes on screen."""
    bar = desk.query_one("#parts", Bar)
    column = 0
    for spans, action in desk.parts():
        if action:
            yield bar.region.x + column, bar.region.y, _runner(desk, action)
        column += width(spans)
    for pane in desk.query("*"):
        if pane.focusable and pane.region.area and pane.id != "filter":
            yield pane.region.x, pane.region.y, pane.focus


def _runner(desk: Desk, action: str) -> Callable[[], object]:
    return lambda: desk.call_later(desk.app.run_action, action, desk)


class Jump(ModalScreen[None]):
    """Letters over the desk; anything else closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", show=False)]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._targets = dict(zip(LETTERS, targets(desk), strict=False))

    def compose(self) -> ComposeResult:
        for letter, (column, row, _) in self._targets.items():
            label = Label(f" {letter} ", classes="jump", markup=False)
            label.styles.offset = (column, row)
            yield label

    def on_key(self, event: events.Key) -> None:
        """Go to the letter, or close."""
        event.stop()
        self.dismiss()
        if event.key in self._targets:
            self._targets[event.key][2]()
