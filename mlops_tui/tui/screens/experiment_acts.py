"""What can be done to an experiment from the list of them: every act with its command line and the way back."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens import run_acts
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Experiment


def delete(desk: Acting, one: Experiment) -> None:
    """Ask, then hide the experiment with all its runs; `u` brings them back."""
    name, command = one.name, f"mlops experiments delete {shlex.quote(one.name)}"
    question = Question(f"Delete {name} with {one.runs:,} runs?",
                        "Out of every list; restored with u, gone for good with mlops runs gc.", command, "Delete")  # fmt: skip

    def work(bench: Workbench) -> str:
        bench.experiments.delete(name)
        return f"Deleted {name}."

    def back(bench: Workbench) -> str:
        return f"{name} is back with {bench.experiments.restore(name).runs:,} runs."

    def decided(yes: bool | None) -> None:
        if yes:
            undo = Undo(command, f"mlops experiments restore {shlex.quote(name)}", back)
            desk.perform("hide", work, command=command, undo=undo)

    desk.app.push_screen(Confirm(question), decided)


def rename(desk: Acting, one: Experiment) -> None:
    """Ask for another name."""

    def renaming(old: str, new: str) -> str:
        return f"mlops experiments rename {shlex.quote(old)} {shlex.quote(new)}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            before, name = one.name, answers["name"]
            back = Undo(renaming(before, name), renaming(name, before),
                        lambda bench: f"It is called {bench.experiments.rename(name, before).name} again.")  # fmt: skip
            desk.perform("retitle", lambda bench: f"It is called {bench.experiments.rename(before, name).name} now.",
                         command=renaming(before, name), undo=back)  # fmt: skip

    form = Form(f"Rename {one.name}", (Field("name", "Name", one.name),), "Rename",
                lambda answers: renaming(one.name, answers["name"]))  # fmt: skip
    desk.app.push_screen(form, chosen)


def note(desk: Acting, one: Experiment) -> None:
    """Write its note."""
    name, before = one.name, one.description

    def said(bench: Workbench, text: str) -> str:
        bench.experiments.note_experiment(name, text)
        return "The note is kept." if text.strip() else "There is no note now."

    def keep(text: str | None) -> None:
        if text is None or text.strip() == before.strip():
            return
        command = f"mlops experiments note {shlex.quote(name)} {shlex.quote(text.strip()[:60])}"
        back = Undo(command, f"mlops experiments note {shlex.quote(name)} ...", lambda bench: said(bench, before))
        desk.perform("describe", lambda bench: said(bench, text), command=command, undo=back)

    run_acts.write(desk, f"Note of {name}", before, keep)
