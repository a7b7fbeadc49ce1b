"""What questions share: reading something before one can be asked, and the reason as an option."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from typing import TypeVar

from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.workbench import Workbench

T = TypeVar("T")


def because(answers: Answers) -> str:
    """The reason of a form as an option of its command line."""
    return f" --why {shlex.quote(answers['why'])}" if answers.get("why") else ""


def after(desk: Acting, read: Callable[[Workbench], T], then: Callable[[T], None]) -> None:
    """Read in a worker, then go on with it; what cannot be read is said, and nothing is asked."""
    app = desk.workbench_app

    def work() -> None:
        found = app.source.attempt(read)
        if isinstance(found, Failure):
            said = "\n".join(part for part in (found.message, found.hint) if part)
            app.call_from_thread(app.notify, said, severity="warning", markup=False)
        else:
            app.call_from_thread(then, found)

    desk.run_worker(work, thread=True, exclusive=True, group="ask", exit_on_error=False)


def ask(
    desk: Acting,
    title: str,
    fields: tuple[Field, ...],
    verb: str,
    command: Callable[[Answers], str],
    act: Callable[[Answers, Callable[[], None]], None],
) -> None:
    """Ask by a form, then `act(answers, again)`; `again` asks once more with what was typed, for answers that were refused."""

    def chosen(answers: Answers | None) -> None:
        if answers is None:
            return
        typed = tuple(dataclasses.replace(one, value=answers[one.name]) for one in fields)
        act(answers, lambda: ask(desk, title, typed, verb, command, act))

    desk.app.push_screen(Form(title, fields, verb, command), chosen)
