"""What can be done to processes of runs and jobs, after a dialog: end, hold and slow them; and a look at their environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.telemetry import owners
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.asking import after
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.parts import Detail


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


def ask_hold(desk: Desk) -> None:
    """Confirm, then hold the selected process and all below it where they are, or let them go on."""
    one = desk.record
    held = one.state == "stopped"
    signal, back = ("cont", "stop") if held else ("stop", "cont")

    def line(name: str) -> str:
        return f"mlops hardware kill {one.pid} --signal {name} --tree"

    effect = "It goes on where it was held." if held else "It stands still, with all it holds, until it is let go on."
    question = Question(f"{'Let' if held else 'Hold'} process {one.pid}{' go on' if held else ''}?",
                        f"{one.name} works for {one.owner}. {effect}", line(signal), "Let it go on" if held else "Hold it")  # fmt: skip
    undo = Undo(line(signal), line(back), lambda bench: owners.send(bench, one.pid, back, whole=True))

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform(f"hold process {one.pid}", lambda bench: owners.send(bench, one.pid, signal, whole=True),
                         command=line(signal), undo=undo)  # fmt: skip

    desk.app.push_screen(Confirm(question), decided)


def show_environment(desk: Desk) -> None:
    """The environment a process began with, values hidden that look like secrets."""
    from mlops_tui.tui.widgets.cell import WholeCell

    one = desk.record

    def shown(found: Detail) -> None:
        if found.environment is None:
            desk.notify(f"Process {one.pid} is over, or of another user.", severity="warning", markup=False)
            return
        text = "\n".join(f"{name}={value}" for name, value in found.environment.items())
        shown = [(f"Environment of process {one.pid}", text or "(it is empty)"), ("Command", one.command)]
        desk.app.push_screen(WholeCell(shown))

    after(desk, lambda bench: bench.hardware.closely(one.pid, environment=True), shown)


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
