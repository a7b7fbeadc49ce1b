"""A text of several lines, written in a dialog."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import TextArea

from mlops_tui.tui.lines import clean, line
from mlops_tui.tui.widgets.bar import Bar


class Writing(ModalScreen["str | None"]):
    """Dismisses with the text, or None when it is given up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False, priority=True),
        Binding("ctrl+s,f2", "keep", show=False, priority=True),
    ]

    def __init__(self, title: str, text: str = "") -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Bar(id="dialog-title")
            yield TextArea(self._text, id="dialog-text", soft_wrap=True, show_line_numbers=False)
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        keys = line((" ctrl+s", "key"), " or ", ("F2", "key"), " keeps it  ", ("esc", "key"), " leaves it as it was")
        self.query_one("#dialog-title", Bar).show([(line((f" {clean(self._title)}", "title")), "")])
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        self.query_one(TextArea).focus()

    def action_keep(self) -> None:
        self.dismiss(self.query_one(TextArea).text)
