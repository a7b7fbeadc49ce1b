"""The keys valid here, and the menu of actions with the reason where one is not allowed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from mlops_tui.tui import actions
from mlops_tui.tui.actions import Action, Situation
from mlops_tui.tui.lines import Line, fit, line
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.table import Column, VirtualTable


def key_lines(desk: str, section: str, now: Situation, width: int) -> list[Line]:
    """Help text: the actions of this part first, then what works everywhere."""
    own = actions.of(desk, section)
    out: list[Line] = []
    for title, group in (("Here", own), ("Everywhere", actions.GLOBAL)):
        if group:
            out += [(), line((f" {title}", "title"))] if out else [line((f" {title}", "title"))]
        for one in group:
            out += _lines(one, now, width)
    return out


def _lines(action: Action, now: Situation, width: int) -> list[Line]:
    keys = " ".join(actions.shown(key) for key in action.keys)
    out = [line((f"  {fit(keys, 16)} ", "key"), action.title + (" (asks first)" if action.danger else ""))]
    if action.cli:
        out.append(line((" " * 19, "text"), (actions.command(action, now.names), "muted")))
    reason = action.why_not(now)
    if reason:
        out.append(line((" " * 19, "text"), (reason, "warn")))
    return out


class Help(ModalScreen[None]):
    """Made from the registry; esc, q or ? closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, desk: str, section: str, now: Situation) -> None:
        super().__init__()
        self._here = (desk, section, now)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Bar(id="dialog-title")
            yield LinesView(id="dialog-text")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one("#dialog-title", Bar).show([(line((" Keys", "title")), "")])
        self.query_one("#dialog-keys", Bar).show([(line((" esc", "key"), " close  ", ("j k", "key"), " move"), "")])
        view = self.query_one("#dialog-text", LinesView)
        view.show(lambda width, height: key_lines(*self._here, width))
        view.focus()

    def action_scroll(self, lines: int) -> None:
        self.query_one("#dialog-text", LinesView).scroll_relative(y=lines, animate=False)


class _Choices:
    def __init__(self, choices: tuple[Action, ...], now: Situation) -> None:
        self._names = now.names
        self._rows = [(one, one.why_not(now)) for one in choices]

    @property
    def count(self) -> int:
        return len(self._rows)

    def cells(self, index: int) -> Line:
        one, reason = self._rows[index]
        role = "muted" if reason else "text"
        return (
            (actions.shown(one.keys[0]), "key"),
            (one.title, role),
            (reason or actions.command(one, self._names), "warn" if reason else "muted"),
        )


class Menu(ModalScreen["Action | None"]):
    """The actions of this part; dismisses with the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,x", "dismiss(None)", show=False)]

    def __init__(self, desk: str, section: str, now: Situation) -> None:
        super().__init__()
        self._actions = actions.of(desk, section)
        self._now = now

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Bar(id="dialog-title")
            yield VirtualTable(header=False, id="dialog-table")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one("#dialog-title", Bar).show([(line((" Actions", "title")), "")])
        self.query_one("#dialog-keys", Bar).show([(line((" enter", "key"), " do it  ", ("esc", "key"), " close"), "")])
        table = self.query_one("#dialog-table", VirtualTable)
        columns = (
            Column("Key", lambda row, now: "", width=6),
            Column("Action", lambda row, now: "", width=48),
            Column("Command", lambda row, now: "", width=60, grow=True),
        )
        table.show(columns, _Choices(self._actions, self._now))
        table.styles.height = max(1, len(self._actions))

    def on_virtual_table_opened(self, message: VirtualTable.Opened) -> None:
        self.dismiss(self._actions[message.index])
