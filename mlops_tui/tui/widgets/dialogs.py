"""Questions in front of a desk; each dismisses with a typed value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select

from mlops_tui.tui.lines import clean

BINDINGS: list[BindingType] = [
    Binding("escape", "cancel", show=False),
    Binding("left", "app.focus_previous", show=False),
    Binding("right", "app.focus_next", show=False),
]


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What a confirmation says: the object, the effect (a line or several), the same as a command line; `type_name` must be
    typed if given.
    """

    title: str
    effect: str
    command: str
    verb: str
    type_name: str = ""


class Confirm(ModalScreen[bool]):
    """Yes or no; Cancel has the focus, so that enter alone changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = BINDINGS

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        asked = self.question
        with Vertical(classes="dialog"):
            yield Label(clean(asked.title), classes="dialog-head", markup=False)
            effect = "\n".join(clean(each) for each in asked.effect.split("\n"))
            yield Label(effect, classes="dialog-words", markup=False)
            yield Label(f"$ {clean(asked.command)}", classes="dialog-command", markup=False)
            if asked.type_name:
                yield Label(f"Type {clean(asked.type_name)} to go on:", classes="dialog-words", markup=False)
                yield Input(id="typed", compact=True)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(asked.verb, id="yes", variant="error", compact=True, disabled=bool(asked.type_name))

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    @on(Input.Changed, "#typed")
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = event.value.strip() != self.question.type_name

    @on(Input.Submitted, "#typed")
    def _entered(self) -> None:
        if not self.query_one("#yes", Button).disabled:
            self.dismiss(True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_cancel(self) -> None:
        self.dismiss(False)


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One answer of a form: free text, or one of `choices`. An optional field may stay empty."""

    name: str
    label: str
    value: str = ""
    placeholder: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False


Answers = dict[str, str]


AT_ONCE = 3
"""So many fields of a form are built before the keys have their turn."""


class Form(ModalScreen["Answers | None"]):
    """Several answers and the command line they make; dismisses with {field name: text}, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", show=False)]
    DEFAULT_CSS = "Form #form-fields { height: auto; }"

    def __init__(self, title: str, fields: tuple[Field, ...], verb: str, command: Callable[[Answers], str]) -> None:
        super().__init__()
        self._title, self._fields, self._verb, self._command = title, fields, verb, command

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(clean(self._title), classes="dialog-head", markup=False)
            with Vertical(id="form-fields"):
                for field in self._fields[:AT_ONCE]:
                    yield _row(field)
            yield Label("", id="form-command", classes="dialog-command", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self._verb, id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#form-fields").styles.min_height = len(self._fields)
        self._say()
        there = self._fields[:AT_ONCE]
        empty = next((one for one in there if not one.value and not one.choices), there[0])
        self.query_one(f"#f-{empty.name}").focus()
        if len(self._fields) > AT_ONCE:
            self.call_after_refresh(self._more, AT_ONCE)

    async def _more(self, begin: int) -> None:
        """The next fields: a long form at once would hold up the keys for as long as it takes to build."""
        if not self.is_running:
            return
        await self.query_one("#form-fields").mount(*map(_row, self._fields[begin : begin + AT_ONCE]))
        if begin + AT_ONCE < len(self._fields):
            self.call_after_refresh(self._more, begin + AT_ONCE)

    def answers(self) -> Answers:
        """What the fields hold now."""
        return {field.name: self._answer(field) for field in self._fields}

    def _answer(self, field: Field) -> str:
        found = self.query(f"#f-{field.name}")
        if not found:  # not built yet
            return field.value or next(iter(field.choices), "")
        widget = found.first()
        return str(widget.value) if isinstance(widget, Select) else _text(widget)

    @on(Input.Changed)
    @on(Select.Changed)
    def _say(self) -> None:
        answers = self.answers()
        self.query_one("#form-command", Label).update(f"$ {clean(self._command(answers))}")
        missing = any(not answers[one.name] for one in self._fields if not one.optional)
        self.query_one("#yes", Button).disabled = missing

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if self.query_one("#yes", Button).disabled:
            self.focus_next()
        else:
            self.dismiss(self.answers())

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(self.answers() if event.button.id == "yes" else None)

    def action_cancel(self) -> None:
        self.dismiss(None)


def _row(field: Field) -> Horizontal:
    """The label of a field and what takes its answer."""
    label = Label(field.label, classes="dialog-label", markup=False)
    return Horizontal(label, _taker(field), classes="dialog-field")


def _taker(field: Field) -> Input | Select[str]:
    if not field.choices:
        return Input(field.value, field.placeholder, id=f"f-{field.name}", compact=True)
    choices = [(clean(choice), choice) for choice in field.choices]
    value = field.value or field.choices[0]
    return Select[str](choices, value=value, allow_blank=False, id=f"f-{field.name}", compact=True)


def _text(widget: object) -> str:
    return widget.value.strip() if isinstance(widget, Input) else ""
