"""The registry of actions: complete, without conflicts, and true."""

from __future__ import annotations

import dataclasses
import pkgutil
from importlib import import_module
from typing import Any

import pytest
from textual.binding import Binding
from textual.message_pump import MessagePump
from textual.screen import ModalScreen

from mlops_tui import tui
from mlops_tui.tui import about, actions, keymap
from mlops_tui.tui.actions import Situation
from mlops_tui.tui.keymap import long
from mlops_tui.tui.rules import READ_ONLY


def desk_class(desk: str) -> Any:
    return getattr(import_module(f"mlops_tui.tui.screens.{desk}"), f"{desk.capitalize()}Desk")


@pytest.mark.parametrize("action", actions.ALL, ids=lambda action: action.id)
def test_every_action_has_a_key_a_help_line_and_a_command_line_unless_it_only_changes_the_view(
    action: actions.Action,
) -> None:
    assert action.keys
    assert action.title
    assert len(action.help.split()) >= 3
    assert action.help.endswith(".")
    assert action.cli.startswith("mlops ") or (action.view and not action.cli)
    assert action.undo == "" or action.undo.startswith("mlops ")


@pytest.mark.parametrize("action", actions.ACTIONS, ids=lambda action: action.id)
def test_every_action_of_a_desk_has_a_method_a_command_and_a_section_that_exists(action: actions.Action) -> None:
    desk = desk_class(action.desk)
    assert callable(getattr(desk, f"act_{action.verb}"))
    assert action.cli.startswith("mlops ")
    assert action.section in ("", *(section.id for section in desk.SECTIONS))


@pytest.mark.parametrize("desk", [name for name, _, _ in actions.DESKS])
def test_no_method_of_a_desk_is_missing_from_the_registry(desk: str) -> None:
    methods = {name.removeprefix("act_") for name in vars(desk_class(desk)) if name.startswith("act_")}
    assert methods == {one.verb for one in actions.ACTIONS if one.desk == desk}


def classes() -> set[type]:
    """The application, its screens and their widgets: every class of ours that binds keys."""
    for module in pkgutil.walk_packages(tui.__path__, "mlops_tui.tui."):
        if not module.name.startswith("mlops_tui.tui.browser"):
            import_module(module.name)
    found, open_ = set[type](), [MessagePump]
    while open_:
        for one in open_.pop().__subclasses__():
            if one not in found:
                found.add(one)
                open_.append(one)
    return {one for one in found if one.__module__.startswith("mlops_tui.")}


def bindings(of: type) -> list[Binding]:
    return [one for one in vars(of).get("BINDINGS", ()) if isinstance(one, Binding)]


def test_every_action_is_bound_to_its_keys_and_no_key_is_bound_to_what_the_registry_lacks() -> None:
    known = {one.id for one in actions.ALL}
    bound = {one.id for of in classes() for one in bindings(of) if one.id}
    assert bound <= known, f"bound but not in the registry: {sorted(bound - known)}"
    assert known - bound <= {one.id for one in actions.ALL if one.fixed}


FIXED = {long(each) for one in actions.ALL if one.fixed for key in one.keys for each in keymap.each(key)}
THE_SAME = {"home", "end", "ctrl+d", "ctrl+u", "ctrl+z"}
"""Keys beside those of the registry that mean what they mean everywhere: the ends of a list, half a page, to suspend."""


def test_every_key_outside_of_dialogs_comes_from_the_registry() -> None:
    own = [
        (of.__name__, key)
        for of in classes()
        if not issubclass(of, ModalScreen)
        for one in bindings(of)
        if not one.id
        for key in one.key.split(",")
        if key not in FIXED | THE_SAME
    ]
    assert own == []


@pytest.mark.parametrize("key", ["x", "plus"])
def test_a_key_of_charts_shadows_that_of_a_desk_and_never_one_that_is_the_same_everywhere(key: str) -> None:
    assert not actions.meet(actions.get("chart.pause"), actions.get("registry.promote"))
    assert actions.meet(actions.get("chart.pause"), actions.get("chart.log"))
    assert keymap.conflicts({"chart.pause": (key,)}) == (
        [] if key == "x" else ["+ would mean both 'chart.zoom_in' and 'chart.pause'."]
    )
    assert keymap.conflicts({"chart.pause": ("j",)}) == ["j would mean both 'move' and 'chart.pause'."]
    assert keymap.conflicts({"list.filter": ("3",)}) == ["3 would mean both 'go.desk' and 'list.filter'."]


def test_no_pane_is_without_an_explanation() -> None:
    panes = {(desk, section.id) for desk, _, _ in actions.DESKS for section in desk_class(desk).SECTIONS}
    assert panes <= set(about.PANES)


def test_a_read_only_session_allows_what_only_looks_and_nothing_else() -> None:
    now = Situation(object(), True, read_only=True)
    for one in actions.ALL:
        assert (one.why_not(now) == READ_ONLY) is not one.view


def test_why_not_gives_the_first_reason_that_holds() -> None:
    start = next(one for one in actions.ACTIONS if one.id == "serving.start")

    @dataclasses.dataclass
    class Deployment:
        wanted: str

    assert start.why_not(Situation(None, True)) == "Select a deployment first."
    assert "mlops daemon start" in start.why_not(Situation(Deployment("stopped"), False))
    assert start.why_not(Situation(Deployment("running"), True)) == "It is started already."
    assert start.why_not(Situation(Deployment("stopped"), True)) == ""


def test_a_command_names_the_selected_object() -> None:
    promote = next(one for one in actions.ACTIONS if one.id == "registry.promote")
    assert actions.command(promote, {"ref": "hire/3"}) == "mlops models promote hire/3 --to STAGE"


def test_the_key_page_lists_every_action() -> None:
    page = actions.markdown()
    assert all(one.title in page for one in actions.ALL)
