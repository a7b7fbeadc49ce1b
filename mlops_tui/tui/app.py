"""The application: eight desks as modes, one watcher of the workspace, themes, and what every desk shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from mlops_tui.domains.registry import aside
from mlops_tui.tui import keymap, themes
from mlops_tui.tui.actions import DESKS
from mlops_tui.tui.binding import bound
from mlops_tui.tui.deeds import Deeds
from mlops_tui.tui.history import History, Place
from mlops_tui.tui.palette import Objects
from mlops_tui.tui.preferences import Preferences
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.state import Sampler, Source, Versions, Watch, spare_collector
from mlops_tui.tui.stylesheet import SteadySheet
from mlops_tui.tui.terminal import TerminalApp

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Reading


WARM_S = 1.0
"""So long after the first picture nothing is prepared yet for the next."""
TWICE_S = 2.0
"""Within this a second ctrl+c quits."""


def _desk(name: str) -> Callable[[], Screen[Any]]:
    """A factory that imports the desk's module when it is first opened."""

    def build() -> Screen[Any]:
        module = import_module(f"mlops_tui.tui.screens.{name}")
        desk: Screen[Any] = getattr(module, f"{name.capitalize()}Desk")()
        return desk

    return build


class MlopsApp(TerminalApp):
    """The eight desks over one workspace. `source` opens workbenches, `screen` is the first desk."""

    TITLE = "mlops"
    spares_collector = False
    """Whether the objects of desks are kept from the garbage collector: in a process that is ours alone."""
    CSS_PATH = "app.tcss"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {name: _desk(name) for name, _, _ in DESKS}
    DEFAULT_MODE = "overview"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[Any]] = {Objects}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(at), f"desk('{name}')", show=False) for at, (name, _, _) in enumerate(DESKS, 1)),
        bound("go.palette", "command_palette"),
        bound("go.last", "go_last"),
        bound("go.back", "go_back"),
        bound("go.forward", "go_forward"),
        bound("go.jump", "jump"),
        bound("app.log", "command_log"),
        bound("app.theme", "next_theme"),
        bound("app.redraw", "redraw"),
        bound("app.quit", "quit"),
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

    def __init__(
        self,
        source: Source,
        *,
        project: str = "",
        home: str = "",
        screen: str | None = None,
        where: Place | None = None,
        watch: bool = True,
        read_only: bool = False,
        keys: keymap.Keys | None = None,
        preferences: Preferences | None = None,
    ) -> None:
        self._first = where or Place(screen if screen in self.MODES else self.DEFAULT_MODE)
        # Textual opens this mode by itself: any other desk first would be built, and read, for nothing.
        self.DEFAULT_MODE = self._first.desk  # type: ignore[misc]
        super().__init__()
        self.source = source
        self.project = project
        self.read_only = read_only
        self.keys = keys or {}
        self.preferences = preferences or Preferences()
        self.home = home or project
        self.last_visit = self.preferences.visits.get(self.home)
        self.deeds = Deeds()
        self.history = History()
        self.versions = Versions()
        self.daemon: bool | None = None
        self.readings: tuple[Reading, ...] = ()
        self.copied = ""
        self._asked_to_quit = 0.0
        self._background: tuple[Watch | Sampler, ...] = ()
        if watch:
            self._background = (
                Watch(source, lambda versions: self.post_message(self.Changed(versions))),
                Sampler(source, self._wants_readings, lambda readings: self.post_message(self.Sampled(readings))),
            )
        if self.keys:
            self.set_keymap(keymap.for_textual(self.keys))
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = "ansi-dark" if self.modes.no_color else themes.known(self.preferences.theme)
        self.stylesheet = SteadySheet(self.get_css_variables())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"muted": "ansi_default"}  # our themes set it; those of the terminal dim the text instead

    async def on_mount(self) -> None:
        await self._show(self._first)
        self.call_after_refresh(self._start_background)

    def _start_background(self) -> None:
        """After the first paint: nothing before it waits for the workspace."""
        for one in self._background:
            self.run_worker(one.run, thread=True, group="background", exit_on_error=False)
        if self._background:
            self.set_timer(WARM_S, lambda: self.run_worker(self._warm, thread=True, group="warm", exit_on_error=False))

    def _warm(self) -> None:
        """Import what is opened later, so that the first visit of a desk or a dialog does not hold the loop up."""
        for folder in ("screens", "widgets"):
            package = import_module(f"mlops_tui.tui.{folder}")
            for found in iter_modules(package.__path__, f"{package.__name__}."):
                if not self.is_running:
                    return
                import_module(found.name)
        if self.spares_collector:
            spare_collector()

    def on_unmount(self) -> None:
        self.preferences.remember(visit=(self.home, self.source.now()))
        for one in self._background:
            one.stop()
        aside.end_all()  # a model that never answers would keep us

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
        if "catalog" in changed:
            self._count_alarms()
        for one in self.screen_stack:
            if one is self.base_desk and isinstance(one, Desk):
                one.workspace_changed(changed)
            elif isinstance(one, Desk):
                one.note_changed(changed)

    def _count_alarms(self) -> None:
        """Open alerts into the title of the terminal."""

        def count() -> None:
            found = self.source.attempt(lambda bench: bench.alerts.open_count())
            if isinstance(found, int) and self.is_running:
                self.call_from_thread(self.show_alarms, found)

        self.run_worker(count, thread=True, exclusive=True, group="alarms", exit_on_error=False)

    @property
    def watches(self) -> bool:
        """Whether what others write is looked for; a picture of the application stands still."""
        return bool(self._background)

    @property
    def base_desk(self) -> Screen[Any] | None:
        """The desk, or the page of an object in front of it, under whatever dialog is open."""
        stack = self.screen_stack
        return next((one for one in reversed(stack) if isinstance(one, Desk)), stack[0] if stack else None)

    # -- going places -------------------------------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """Where the user is."""
        desk = self.base_desk
        if not isinstance(desk, Desk):
            return Place(self.current_mode)
        return desk.place

    def leave(self) -> None:
        """Remember this place before going to another."""
        self.history.leave(self.place)

    async def open_at(self, desk: str, section: str = "", key: str = "", filter: str = "") -> None:
        """Go to a desk, there to a part, and select an object."""
        self.leave()
        await self._show(Place(desk, section, key, filter))

    async def _show(self, place: Place) -> None:
        if place.desk != self.current_mode:
            await self.switch_mode(place.desk)
        if place.section and isinstance(desk := self.base_desk, Desk):
            desk.go(place.section, place.key, place.filter)

    async def action_desk(self, name: str) -> None:
        if name != self.current_mode:
            await self.open_at(name)

    async def action_go_last(self) -> None:
        """The view before this one; again comes back."""
        await self._show(self.history.last(self.place) or self.place)

    async def action_go_back(self, quiet: bool = False) -> None:
        """One place back."""
        found = self.history.back(self.place)
        if found is not None:
            await self._show(found)
        elif not quiet:
            self.notify("This is where you started.", timeout=2, markup=False)

    async def action_go_forward(self) -> None:
        """One place forward again."""
        found = self.history.forward(self.place)
        if found is not None:
            await self._show(found)
        else:
            self.notify("There is nothing ahead.", timeout=2, markup=False)

    def action_jump(self) -> None:
        """A letter on every pane and part."""
        from mlops_tui.tui.widgets.jump import Jump

        desk = self.base_desk
        if isinstance(desk, Desk) and not self.screen.is_modal:
            self.push_screen(Jump(desk))

    def action_command_log(self) -> None:
        """What was done here, as command lines."""
        from mlops_tui.tui.widgets.help import CommandLog

        self.push_screen(CommandLog(self.deeds.log))

    # -- leaving, looks -----------------------------------------------------------------------------------------------

    def action_help_quit(self) -> None:
        """What ctrl+c does when nothing is selected to be copied: twice within two seconds quits."""
        if time.monotonic() - self._asked_to_quit < TWICE_S:
            self.call_later(self.action_quit)
            return
        self._asked_to_quit = time.monotonic()
        self.notify("Press ctrl+c again to quit, or q.", timeout=TWICE_S, markup=False)

    async def action_quit(self) -> None:
        """Leave at once, and say what goes on without us."""
        self.exit(message="The daemon and its jobs go on. See them: mlops status" if self.daemon else None)

    def action_next_theme(self) -> None:
        self.choose_theme(themes.after(self.theme))

    def choose_theme(self, name: str) -> None:
        """Use a theme now and the next time."""
        self.theme = name
        self.preferences.remember(theme=name)
        self.notify(f"Theme: {name}", timeout=2, markup=False)

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        for theme in themes.names():
            yield SystemCommand(f"Theme: {theme}", "Use this theme", lambda name=theme: self.choose_theme(name))
        yield SystemCommand("Quit", "Leave; the daemon and its jobs go on", self.action_quit)
