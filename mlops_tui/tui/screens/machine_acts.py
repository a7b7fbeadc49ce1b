"""Ending and slowing processes of runs and jobs, after a dialog."""

from __future__ import annotations

from mlops_tui.telemetry import owners
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question


def ask_end(desk: Desk, signal: str, effect: str, verb: str) -> None:
    """Confirm, then send a signal to the selected process and all below it."""
    one = desk.record
    words = f"{one.name} works for {one.owner}. {effect}"
    question = Question(f"End process {one.pid}?", words, desk.doing, verb)

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform(f"end process {one.pid}", lambda bench: owners.send(bench, one.pid, signal, whole=True),
                         command=question.command)  # fmt: skip

    desk.app.push_screen(Confirm(question), decided)


def ask_nice(desk: Desk) -> None:
    """Ask for a niceness of the selected process, then set it."""
    one = desk.record

    def line(answers: Answers) -> str:
        return f"mlops hardware nice {one.pid} {answers['nice']}"

    def decided(answers: Answers | None) -> None:
        if answers is None:
            return
        try:
            wanted = int(answers["nice"])
        except ValueError:
            desk.notify("A niceness is a whole number from -20 to 19.", severity="warning", markup=False)
            return
        back = Undo(line(answers), line({"nice": str(one.nice)}), lambda bench: owners.renice(bench, one.pid, one.nice))
        desk.perform(f"nice process {one.pid}", lambda bench: owners.renice(bench, one.pid, wanted),
                     command=line(answers), undo=back)  # fmt: skip

    field = Field("nice", "Niceness (0 normal, 19 waits for all)", str(min(19, (one.nice or 0) + 10)))
    desk.app.push_screen(Form(f"Niceness of process {one.pid}, {one.name}", (field,), "Set", line), decided)
