"""The filter line of a desk: `/` opens it, what is typed works at once, tab completes, a mistake is shown below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.message import Message
from textual.widgets import Input

from mlops_tui.core.query import Fields
from mlops_tui.tui import filtering
from mlops_tui.tui.filtering import Completion
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.bar import Bar

if TYPE_CHECKING:
    from mlops_tui.tui.screens.section import Section


class FilterLine(Acting):
    """A desk whose lists are filtered in the query language."""

    class Fielded(Message):
        """A worker knows what a query may ask in a section, with names and values for completion."""

        def __init__(self, section: str, fields: Fields | Failure) -> None:
            super().__init__()
            self.section, self.fields = section, fields

    _completion: Completion | None = None

    def action_filter(self) -> None:
        """Open the filter line."""
        if self.section.draw is not None:
            return
        self.learn_fields(self.section)
        box = self.query_one("#filter", Input)
        box.display = True
        box.value = self.here.filter
        box.cursor_position = len(box.value)
        box.focus()
        self._show_problem()

    def learn_fields(self, section: Section) -> None:
        """Ask the store, in a worker, what its rows can be asked about."""
        ask, source = section.fields, self.workbench_app.source
        if ask is None:
            return
        self.run_worker(
            lambda: self.post_message(self.Fielded(section.id, source.attempt(lambda bench: ask(bench).known()))),
            thread=True,
            exclusive=True,
            group="fields",
            exit_on_error=False,
        )

    @on(Fielded)
    def _fielded(self, message: Fielded) -> None:
        if isinstance(message.fields, Fields):  # without them the store itself says what is wrong
            self.memory[message.section].fields = message.fields
            if self.query_one("#filter").display and message.section == self.section.id:
                self.show_rows()
                self._show_problem()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        if event.input.display and event.value != self.here.filter:
            self.here.filter = event.value
            if self._completion is not None and self._completion.text != event.value:
                self._completion = None
            self.show_rows()
            event.input.focus()
            self._show_problem()

    @on(Input.Submitted, "#filter")
    def _filter_kept(self) -> None:
        """Enter keeps the filter; one that cannot be read stays open with its mistake."""
        if self.here.reading(self.section, self.now).problem is None:
            self.close_filter(self.here.filter)

    def close_filter(self, text: str) -> None:
        """Leave the line with this filter in force."""
        self.here.filter, self._completion = text, None
        self.query_one("#filter").display = False
        self.query_one("#wrong").display = False
        self.query_one("#table").focus()
        self.show_rows()

    def complete_filter(self) -> bool:
        """Put the next name or value at the cursor of the filter line; whether the line is in focus."""
        box = self.query_one("#filter", Input)
        if self.focused is not box:
            return False
        if self._completion is None:
            typed = self.here.reading(self.section, self.now)
            if typed.fields is None:
                return True  # still on its way
            self._completion = Completion.of(box.value, box.cursor_position, typed.fields)
        if self._completion.offers:
            box.value, box.cursor_position = self._completion.next()
        self._show_problem()
        return True

    def _show_problem(self) -> None:
        bar = self.query_one("#wrong", Bar)
        typed = self.here.reading(self.section, self.now)
        bar.display = self._completion is not None or typed.problem is not None
        if self._completion is not None:
            bar.show([(self._completion.shown(), "")])
        elif typed.problem is not None:
            bar.show([(filtering.said(typed, self.size.width), "")])
