"""The application: eight desks as modes, one watcher of the workspace, themes, and what every desk shares."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from mlops_tui.core import clock
from mlops_tui.tui import themes
from mlops_tui.tui.actions import DESKS
from mlops_tui.tui.palette import Objects
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.state import Sampler, Source, Versions, Watch
from mlops_tui.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Reading


def _desk(name: str) -> Callable[[], Screen[Any]]:
    """A factory that imports the desk's module when it is first opened."""

    def build() -> Screen[Any]:
        from importlib import import_module

        module = import_module(f"mlops_tui.tui.screens.{name}")
        desk: Screen[Any] = getattr(module, f"{name.capitalize()}Desk")()
        return desk

    return build


class MlopsApp(App[str]):
    """The eight desks over one workspace. `source` opens workbenches, `screen` is the first desk."""

    TITLE = "mlops"
    CSS_PATH = "app.tcss"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {name: _desk(name) for name, _, _ in DESKS}
    DEFAULT_MODE = "overview"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[Any]] = {Objects}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(at), f"desk('{name}')", show=False) for at, (name, _, _) in enumerate(DESKS, 1)),
        Binding("colon,ctrl+p", "command_palette", show=False),
        Binding("minus", "last_desk", show=False),
        Binding("q", "quit", show=False),
        Binding("T", "next_theme", show=False),
        Binding("ctrl+l", "redraw", show=False),
    ]

    class Changed(Message):
        """The workspace is not what it was."""

        def __init__(self, versions: Versions) -> None:
            super().__init__()
            self.versions = versions

    class Sampled(Message):
        """The machine was read; the last two minutes, oldest first."""

        def __init__(self, readings: tuple[Reading, ...]) -> None:
            super().__init__()
            self.readings = readings

    def __init__(self, source: Source, *, project: str = "", screen: str | None = None, watch: bool = True) -> None:
        no_color = "NO_COLOR" in os.environ
        # With NO_COLOR Textual greys truecolour; the terminal's own palette plus its filter gives real "no colour".
        super().__init__(ansi_color=True if no_color else None)
        self.source = source
        self.project = project
        self.versions = Versions()
        self.daemon: bool | None = None
        self.readings: tuple[Reading, ...] = ()
        self.last_desk = ""
        self._first = screen if screen in self.MODES else self.DEFAULT_MODE
        self._background: tuple[Watch | Sampler, ...] = ()
        if watch:
            self._background = (
                Watch(source, lambda versions: self.post_message(self.Changed(versions))),
                Sampler(source, self._wants_readings, lambda readings: self.post_message(self.Sampled(readings))),
            )
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = "ansi-dark" if no_color else themes.first()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"muted": "ansi_default"}  # our themes set it; those of the terminal dim the text instead

    async def on_mount(self) -> None:
        await self.switch_mode(self._first)
        self.call_after_refresh(self._start_background)

    def _start_background(self) -> None:
        """After the first paint: nothing before it waits for the workspace."""
        for one in self._background:
            self.run_worker(one.run, thread=True, group="background", exit_on_error=False)

    def on_unmount(self) -> None:
        for one in self._background:
            one.stop()

    def _wants_readings(self) -> bool:
        desk = self.base_desk
        return isinstance(desk, Desk) and desk.wants_readings

    def on_mlops_app_sampled(self, message: Sampled) -> None:
        self.readings = message.readings
        if isinstance(desk := self.base_desk, Desk):
            desk.sampled(message.readings)

    def on_mlops_app_changed(self, message: Changed) -> None:
        changed = message.versions.changed(self.versions)
        self.versions = message.versions
        self.daemon = message.versions.daemon
        if isinstance(desk := self.base_desk, Desk):
            desk.workspace_changed(changed)

    @property
    def base_desk(self) -> Screen[Any] | None:
        """The desk under whatever dialog is open."""
        return self.screen_stack[0] if self.screen_stack else None

    async def open_at(self, desk: str, section: str = "", key: str = "", filter: str = "") -> None:
        """Go to a desk, there to a part, and select an object."""
        await self.action_desk(desk)
        if isinstance(screen := self.base_desk, Desk):
            screen.go(section, key, filter)

    async def action_desk(self, name: str) -> None:
        if name != self.current_mode:
            self.last_desk = self.current_mode
            await self.switch_mode(name)

    async def action_last_desk(self) -> None:
        if self.last_desk:
            await self.action_desk(self.last_desk)

    async def action_quit(self) -> None:
        """Leave at once, and say what goes on without us."""
        self.exit(message="The daemon and its jobs go on. See them: mlops status" if self.daemon else None)

    def action_next_theme(self) -> None:
        self.theme = themes.after(self.theme)
        self.notify(f"Theme: {self.theme}", timeout=2, markup=False)

    def action_redraw(self) -> None:
        self.screen.refresh(layout=True)
        self.refresh(repaint=True, layout=True)

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        for theme in themes.names():
            yield SystemCommand(f"Theme: {theme}", "Use this theme", lambda name=theme: setattr(self, "theme", name))
        yield SystemCommand("Quit", "Leave; the daemon and its jobs go on", self.action_quit)

    def copy(self, text: str) -> None:
        """Put text on the clipboard: through tmux when inside it (it drops OSC 52 by default), else by OSC 52."""
        if os.environ.get("TMUX"):
            self.run_worker(lambda: self._copy_in_tmux(text), thread=True, group="copy", exit_on_error=False)
        else:
            self.copy_to_clipboard(text)
            self.notify(f"Copied {text}", timeout=2, markup=False)

    def _copy_in_tmux(self, text: str) -> None:
        worker = get_current_worker()
        try:
            subprocess.run(["tmux", "load-buffer", "-w", "-"], input=text.encode(), check=True, timeout=5)  # noqa: S607
            said = f"Copied {text}"
        except (OSError, subprocess.SubprocessError) as error:
            said = f"Could not copy: {error}"
        if not worker.is_cancelled:
            self.call_from_thread(self.notify, said, timeout=2, markup=False)


def run(workspace_path: str | Path | None, *, screen: str | None = None, actor: str | None = None) -> int:
    """Open the workspace in the terminal until the user quits; the exit code.

    Raises the errors of `open_workbench` (no workspace, wrong settings) before the terminal is touched.
    """
    with open_workbench(workspace_path, actor=actor) as bench:
        workspace = bench.workspace
    source = Source(lambda: Workbench(workspace, actor=actor), now=clock.now_ms)
    app = MlopsApp(source, project=workspace.project.name, screen=screen)
    app.run()
    return app.return_code or 0
