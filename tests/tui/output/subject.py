"""An application with everything a picture can do: scrolling, tabs, a palette, a dialog, wide and joined characters."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import DescendantFocus, Event, Key, Resize
from textual.screen import ModalScreen
from textual.widgets import Button, DataTable, Footer, Header, Input, Label, Static, TabbedContent, TabPane

from mlops_tui.tui.output.driver import ThinDriver

WIDE = "漢字と仮名 🚀 é café naïve Ω ─│┼ ▁▂▃ ⣿⡇"
JOINED = "👩‍👩‍👧 ❤️ 👍🏽 🇩🇪"


class Dialog(ModalScreen[None]):
    """A box over the rest, over wide characters too."""

    DEFAULT_CSS = "Dialog { align: center middle; } Dialog Vertical { width: 41; height: 9; border: round red; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label("Promote [b]fraud/3[/b] to production?")
            yield Button("Cancel")


class Subject(App[None]):
    """Keys: d dialog, t next tab, j joined emoji."""

    CSS = "#box { display: none; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "dialog", "Dialog"),
        Binding("t", "tab", "Tab"),
        Binding("j", "joined", "Joined"),
        Binding("ctrl+l", "redraw", "Redraw"),
    ]

    def compose(self) -> ComposeResult:
        yield Header()
        with TabbedContent():
            with TabPane("Rows", id="rows"):
                yield DataTable[str](id="table", zebra_stripes=True)
            with TabPane("Wide", id="wide"):
                yield Static(
                    "\n".join(f"{WIDE[shift:]} {shift}" for shift in range(len(WIDE))), id="text", markup=False
                )
        yield Footer()

    def on_mount(self) -> None:
        table: DataTable[str] = self.query_one(DataTable)
        table.add_columns(*(f"column {at}" for at in range(14)))
        for row in range(120):
            table.add_row(*(f"{row * at} {'漢' * (at % 3)}" for at in range(14)))

    pressed = 0
    room = ""

    def on_resize(self, event: Resize) -> None:
        self.room = f"{event.size.width}x{event.size.height}"  # a picture says which size it was drawn for
        self.tell()

    async def on_event(self, event: Event) -> None:
        fresh = isinstance(event, Key) and not event.is_forwarded
        await super().on_event(event)
        if fresh:
            self.pressed += 1
            self.call_after_refresh(self.tell)

    def tell(self) -> None:
        self.sub_title = f"{self.room} keys {self.pressed}"

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def action_dialog(self) -> None:
        self.push_screen(Dialog())

    def action_tab(self) -> None:
        tabs = self.query_one(TabbedContent)
        tabs.active = "wide" if tabs.active == "rows" else "rows"

    def action_joined(self) -> None:
        self.query_one("#text", Static).update(f"{JOINED}|bar\nplain|bar")

    def action_redraw(self) -> None:
        repaint: Any = getattr(self._driver, "repaint", None)
        if repaint is not None:
            repaint()
        self.refresh(layout=True)


if __name__ == "__main__":
    Subject(driver_class=ThinDriver if "thin" in sys.argv else None).run()
