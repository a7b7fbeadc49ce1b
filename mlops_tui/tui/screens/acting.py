"""Carrying actions out: the rules first, the work in a worker, then the command log and what `u` would take back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from textual import on
from textual.message import Message

from mlops_tui.tui import actions
from mlops_tui.tui.actions import Action, Situation
from mlops_tui.tui.deeds import Deed, Undo
from mlops_tui.tui.rules import READ_ONLY
from mlops_tui.tui.screens.listing import Listing
from mlops_tui.tui.state import Failure
from mlops_tui.workbench import Workbench

PROGRESS_S = 0.1
"""Progress is drawn at most this often."""


class Acting(Listing):
    """A desk that does things; it has a method `act_<verb>` per action of the registry."""

    class Progress(Message):
        """How far a worker is; None when it is over."""

        def __init__(self, title: str, text: str | None) -> None:
            super().__init__()
            self.title, self.text = title, text

    class Performed(Message):
        """A worker has carried an action out, or why not."""

        def __init__(
            self,
            title: str,
            said: str | Failure,
            then: Callable[[], None] | None,
            command: str,
            undo: Undo | None,
            otherwise: Callable[[], None] | None = None,
        ) -> None:
            super().__init__()
            self.title, self.said, self.then, self.command, self.undo = title, said, then, command, undo
            self.otherwise = otherwise

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key may mean different actions in different parts: only the one of this part is there."""
        if action != "act":
            return True
        return actions.get(str(parameters[0])).section in ("", self.section.id)

    async def action_act(self, action_id: str) -> None:
        """Carry out an action of the registry."""
        await self.carry_out(actions.get(action_id))

    async def carry_out(self, action: Action) -> None:
        """Call the desk's method for an action, or say why not."""
        reason = action.why_not(self.situation)
        if reason:
            self.notify(reason, title=action.title, severity="warning", markup=False)
            return
        self.doing = actions.command(action, self.situation.names)
        await getattr(self, f"act_{action.verb}")()

    def command(self, action_id: str) -> str:
        """The command line that does the same as an action for the selected record."""
        return actions.command(actions.get(action_id), self.situation.names)

    def perform(
        self,
        title: str,
        work: Callable[[Workbench], str],
        *,
        then: Callable[[], None] | None = None,
        command: str = "",
        undo: Undo | None = None,
        otherwise: Callable[[], None] | None = None,
    ) -> None:
        """Carry out `work` in a worker; what it returns is said in a toast, and the desk is read again.

        `command` is the same as a command line (that of the action unless given) for the command log, `undo` what takes
        it back. `then` follows when it is done, `otherwise` when it was refused. Nothing is carried out in a read-only session.
        """
        if self.workbench_app.read_only:
            self.notify(READ_ONLY, title=title, severity="warning", markup=False)
            return
        source = self.workbench_app.source
        line = command or self.doing
        self.progress[title] = "..."
        self.chrome()
        self.run_worker(
            lambda: self.post_message(self.Performed(title, source.attempt(work), then, line, undo, otherwise)),
            thread=True,
            group="act",
            exit_on_error=False,
        )

    def find(self, key: str) -> None:
        """Put the cursor on an object as soon as it is read, whatever the filter was."""
        self.here.wanted, self.here.filter = key, ""

    def undo(self, action_id: str, work: Callable[[Workbench], str], *, type_name: str = "", **names: Any) -> Undo:
        """How to take an action on the selected record back, with the command line the registry has for that."""
        action = actions.get(action_id)
        situation: Situation = self.situation
        line = actions.command(action, {**situation.names, **names}, undo=True)
        return Undo(actions.command(action, situation.names), line, work, type_name)

    def report(self, title: str) -> Callable[[int, int | None, str], None]:
        """A progress callback for a worker: shown in the bar of the desk."""
        last = 0.0

        def step(done: int, total: int | None, note: str = "") -> None:
            nonlocal last
            if time.monotonic() - last >= PROGRESS_S:
                last = time.monotonic()
                text = f"{done:,} of {total:,} {note}" if total else f"{done:,} {note}"
                self.post_message(self.Progress(title, text))

        return step

    @on(Progress)
    def _progressed(self, message: Progress) -> None:
        if message.title in self.progress and message.text is not None:
            self.progress[message.title] = message.text
            self.chrome()

    @on(Performed)
    def _performed(self, message: Performed) -> None:
        self.progress.pop(message.title, None)
        deeds, said = self.workbench_app.deeds, message.said
        if isinstance(said, Failure):
            text = "\n".join(part for part in (said.message, said.hint) if part)
            deeds.note(Deed(self.now, message.command, said.message, failed=True))
            self.notify(text, title="Not done", severity="error", timeout=10, markup=False)
            if message.otherwise is not None:
                message.otherwise()
        else:
            deeds.note(Deed(self.now, message.command, said), message.undo)
            self.notify(f"{said}  u undoes it." if message.undo else said, markup=False)
            if message.then is not None:
                message.then()
        self.here.detail_of = ""
        self.load(self.section)
        self.chrome()

    async def action_undo(self) -> None:
        """Ask, then take the newest deed back; production needs its name typed again."""
        action, newest = actions.get("app.undo"), self.workbench_app.deeds.newest
        reason = action.why_not(self.situation)
        if reason or newest is None:
            self.notify(reason, title=action.title, severity="warning", markup=False)
            return
        from mlops_tui.tui.widgets.dialogs import Confirm, Question

        question = Question("Undo?", f"Takes back: {newest.title}", newest.command, "Undo", newest.type_name)
        undo = newest

        def decided(yes: bool | None) -> None:
            if yes:
                self.perform(
                    "undo", undo.work, command=undo.command, then=lambda: self.workbench_app.deeds.taken_back(undo)
                )

        self.app.push_screen(Confirm(question), decided)
