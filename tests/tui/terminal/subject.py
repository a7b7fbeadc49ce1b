"""A small application on our base, to be ended in every way there is. Arguments: where its log goes, and what it does."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from mlops_tui.tui.terminal import TerminalApp


class Subject(TerminalApp):
    """Keys: c crash, h hang, a alarm more, n no alarm, y copy, q quit."""

    TITLE = "bikes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "crash"), Binding("h", "hang"), Binding("a", "alarm"), Binding("n", "calm"), Binding("y", "take"),
        Binding("q", "leave"), Binding("t", "count"), Binding("ctrl+l", "redraw"),
    ]  # fmt: skip
    alarms = 0
    counted = 0

    def compose(self) -> ComposeResult:
        yield Static("ready", id="text")

    async def on_mount(self) -> None:
        self.show_alarms(0)

    def action_crash(self) -> None:
        raise ValueError("the wheel came off")

    def action_hang(self) -> None:
        self.query_one(Static).update("hanging")
        time.sleep(30)

    def action_alarm(self) -> None:
        self.alarms += 1
        self.show_alarms(self.alarms)

    def action_calm(self) -> None:
        self.alarms = 0
        self.show_alarms(0)

    def action_count(self) -> None:
        self.counted += 1
        self.query_one(Static).update(f"count {self.counted}")

    def action_take(self) -> None:
        self.copy("p0001")

    def action_leave(self) -> None:
        self.exit(message="The daemon goes on.")


if __name__ == "__main__":
    sys.exit(Subject().run_in_terminal(Path(sys.argv[1])))
