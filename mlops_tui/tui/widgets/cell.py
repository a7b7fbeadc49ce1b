"""Everything a row holds, uncut: the value under the column cursor first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from mlops_tui.tui.lines import Line, clean, line, wrap
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.painted import LinesView


def pretty(value: Any) -> str:
    """A value as text: nested ones as indented JSON, text that is JSON too."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value[:1] in ("[", "{") else value
        except ValueError:
            return str(value)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, indent=2, default=str, ensure_ascii=False)
    return "" if value is None else str(value)


class WholeCell(ModalScreen[None]):
    """One value in full, wrapped; `,` and `.` go through the others of its row, `y` copies."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", show=False),
        Binding("enter", "dismiss", show=False, priority=True),
        Binding("comma", "turn(-1)", show=False),
        Binding("full_stop", "turn(1)", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(self, values: Sequence[tuple[str, Any]], at: int = 0) -> None:
        super().__init__()
        self._values = [(name, pretty(value), type(value).__name__) for name, value in values]
        self._at = max(0, min(at, len(values) - 1))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Bar(id="dialog-title")
            yield LinesView(id="dialog-text")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        keys = line((" , .", "key"), " other columns  ", ("y", "key"), " copy  ", ("esc", "key"), " close")
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        self._draw()
        self.query_one("#dialog-text").focus()

    def _draw(self) -> None:
        name, text, kind = self._values[self._at]
        words = f"  {kind}, {len(text):,} characters, column {self._at + 1} of {len(self._values)}"
        self.query_one("#dialog-title", Bar).show([(line((f" {clean(name)}", "title"), (words, "muted")), "")])
        self.query_one("#dialog-text", LinesView).show(lambda width, height: _lines(text, width), home=True)

    def action_turn(self, step: int) -> None:
        self._at = (self._at + step) % len(self._values)
        self._draw()

    def action_scroll(self, lines: int) -> None:
        self.query_one("#dialog-text", LinesView).scroll_relative(y=lines, animate=False)

    def action_copy(self) -> None:
        from mlops_tui.tui.app import MlopsApp

        if isinstance(self.app, MlopsApp):
            self.app.copy(self._values[self._at][1])


def _lines(text: str, width: int) -> list[Line]:
    return [line(f" {piece}") for piece in wrap(text, width - 2)] or [line((" empty", "muted"))]
