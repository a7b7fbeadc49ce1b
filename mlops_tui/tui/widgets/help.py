"""Pages in front of a desk: the keys valid here, what this pane is, the menu of actions, the command log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from mlops_tui.core import clock
from mlops_tui.tui import about, actions
from mlops_tui.tui.actions import Action, Situation
from mlops_tui.tui.deeds import Deed
from mlops_tui.tui.lines import Line, fit, line, plain, wrap
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.table import Column, VirtualTable

_INDENT = 19


def key_lines(desk: str, section: str, now: Situation, width: int, search: str = "") -> list[Line]:
    """Help text: the actions of this part first, then what works everywhere; only those that hold every word searched for."""
    words = search.lower().split()
    out: list[Line] = []
    groups = [("Here", actions.of(desk, section)), ("Everywhere", actions.GLOBAL)]
    if "chart" in now.panes:
        groups.insert(
            0 if now.pane else 1, ("In charts" + ("" if now.pane else ", once tab went there"), actions.CHARTS)
        )
    for title, group in groups:
        drawn = [_lines(one, now, width) for one in group]
        found = [one for one in drawn if all(word in " ".join(map(plain, one)).lower() for word in words)]
        if found:
            out += [*([()] if out else []), line((f" {title}", "title")), *(each for one in found for each in one)]
    return out or [line((f" No key has to do with “{search}”.", "muted"))]


def _lines(action: Action, now: Situation, width: int) -> list[Line]:
    keys = " ".join(actions.shown(key) for key in action.keys_for(now))
    asks = (" (asks first)", "muted") if action.danger else ("", "muted")
    out = [line((f"  {fit(keys, _INDENT - 3)} ", "key"), (action.title, "title"), asks)]
    out += [line(" " * _INDENT, piece) for piece in wrap(action.help, max(20, width - _INDENT))]
    if action.cli:
        out.append(line(" " * _INDENT, (actions.command(action, now.names), "accent")))
    if action.undo:
        out.append(line(" " * _INDENT, (f"undo: {actions.command(action, now.names, undo=True)}", "muted")))
    reason = action.why_not(now)
    if reason:
        out.append(line(" " * _INDENT, (reason, "warn")))
    return out


class Page(ModalScreen[None]):
    """A titled page of lines that scrolls; esc closes it."""

    FIRST: ClassVar[str] = "#dialog-text"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, draw: Callable[[int, int], Sequence[Line]]) -> None:
        super().__init__()
        self._title, self._draw = title, draw

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Bar(id="dialog-title")
            yield LinesView(id="dialog-text")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one("#dialog-title", Bar).show([(line((f" {self._title}", "title")), "")])
        self.query_one("#dialog-keys", Bar).show([(line((" esc", "key"), " close  ", ("↑ ↓", "key"), " move"), "")])
        view = self.query_one("#dialog-text", LinesView)
        view.show(self._draw)
        self.query_one(self.FIRST).focus()

    def action_scroll(self, lines: int) -> None:
        self.query_one("#dialog-text", LinesView).scroll_relative(y=lines, animate=False)


class Help(Page):
    """The keys valid here, made from the registry; what is typed narrows them."""

    FIRST = "#search"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False, priority=True),
        Binding("down", "scroll(1)", show=False, priority=True),
        Binding("up", "scroll(-1)", show=False, priority=True),
        Binding("pagedown", "scroll(10)", show=False, priority=True),
        Binding("pageup", "scroll(-10)", show=False, priority=True),
    ]

    def __init__(self, desk: str, section: str, now: Situation) -> None:
        self._search = ""
        super().__init__("Keys", lambda width, height: key_lines(desk, section, now, width, self._search))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Bar(id="dialog-title")
            yield Input(placeholder="type to search: a key, a word, a command", id="search", compact=True)
            yield LinesView(id="dialog-text")
            yield Bar(id="dialog-keys")

    @on(Input.Changed, "#search")
    def _typed(self, event: Input.Changed) -> None:
        self._search = event.value
        self.query_one("#dialog-text", LinesView).show(self._draw, home=True)


class About(Page):
    """What this pane shows and what its figures mean."""

    def __init__(self, desk: str, section: str) -> None:
        super().__init__("What is this?", lambda width, height: about.lines(desk, section, width))


class CommandLog(Page):
    """What was done in this session, the newest first, as command lines that do the same."""

    def __init__(self, log: Sequence[Deed]) -> None:
        super().__init__("What was done here", lambda width, height: log_lines(log, width))


def log_lines(log: Sequence[Deed], width: int) -> list[Line]:
    """The command log: time, command, what came of it."""
    if not log:
        return [line((" Nothing was done in this session yet.", "muted"))]
    out: list[Line] = []
    for deed in reversed(log):
        mark = ("✗ ", "bad") if deed.failed else ("✓ ", "good")
        out.append(line((f" {clock.local(deed.at)}  ", "muted"), (f"$ {deed.command}", "accent")))
        said = wrap(deed.said, max(20, width - 6))
        out += [line("   ", mark if at == 0 else ("  ", "text"), piece) for at, piece in enumerate(said)]
    return out


class _Choices:
    def __init__(self, choices: tuple[Action, ...], now: Situation) -> None:
        self._now = now
        self._rows = [(one, one.why_not(now)) for one in choices]

    @property
    def count(self) -> int:
        return len(self._rows)

    def cells(self, index: int) -> Line:
        one, reason = self._rows[index]
        role = "muted" if reason else "text"
        return (
            (actions.shown(one.keys_for(self._now)[0]), "key"),
            (one.title, role),
            (reason or actions.command(one, self._now.names), "warn" if reason else "muted"),
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
        title = " Actions" if self._actions else " There is nothing to do here but look."
        self.query_one("#dialog-title", Bar).show([(line((title, "title")), "")])
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
