"""Keys of an action as Textual binds them; the user's keymap replaces them by the action's id."""

from __future__ import annotations

from textual.binding import Binding

from mlops_tui.tui import actions


def bound(action_id: str, method: str) -> Binding:
    """The keys of an action of the registry, bound to a method. Raises KeyError for an action that is not there."""
    return Binding(",".join(actions.get(action_id).keys), method, id=action_id, show=False)
