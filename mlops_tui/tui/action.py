"""One thing a user can do, as a value."""

from __future__ import annotations

import dataclasses

from mlops_tui.tui.rules import READ_ONLY, Rule, Situation


@dataclasses.dataclass(frozen=True)
class Action:
    """One thing a user can do.

    `help` says in one sentence what happens, `section` is the part of the desk it belongs to ("" = all), `on` what it
    works on ("" = nothing selected needed), `cli` the same as a command line, `undo` the command line that takes it
    back ("" = it cannot be), `rules` say why not ("" = allowed), `footer` the word of the key line ("" = not there).
    A `view` action changes only what is on screen. The keys of a `fixed` one cannot be given to something else. Those of a
    `pane` are the pane's while it has the focus; elsewhere they mean what they mean there.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    desk: str = ""
    section: str = ""
    on: str = ""
    cli: str = ""
    danger: bool = False
    rules: tuple[Rule, ...] = ()
    footer: str = ""
    help: str = ""
    undo: str = ""
    view: bool = False
    fixed: bool = False
    pane: str = ""

    @property
    def verb(self) -> str:
        """The part of the id after the desk: the desk's method is `act_<verb>`."""
        return self.id.partition(".")[2]

    def why_not(self, situation: Situation) -> str:
        """The first reason that forbids it now, "" when allowed."""
        if situation.read_only and not self.view:
            return READ_ONLY
        if self.on and situation.record is None:
            return f"Select {self.on} first."
        return next((reason for rule in self.rules if (reason := rule(situation))), "")

    def keys_for(self, situation: Situation) -> tuple[str, ...]:
        """Its keys in the keymap of the user."""
        return situation.keys.get(self.id, self.keys)
