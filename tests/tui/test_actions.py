"""The registry of actions: complete, without conflicts, and true."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import Any

import pytest

from mlops_tui.tui import actions
from mlops_tui.tui.actions import Situation

KINDS = {"overview": "OverviewDesk"}


def desk_class(desk: str) -> Any:
    return getattr(import_module(f"mlops_tui.tui.screens.{desk}"), f"{desk.capitalize()}Desk")


@pytest.mark.parametrize("action", actions.ACTIONS, ids=lambda action: action.id)
def test_every_action_has_a_method_a_command_and_a_section_that_exists(action: actions.Action) -> None:
    desk = desk_class(action.desk)
    assert callable(getattr(desk, f"act_{action.id.partition('.')[2]}"))
    assert action.cli.startswith("mlops ")
    assert action.section in ("", *(section.id for section in desk.SECTIONS))


@pytest.mark.parametrize("desk", [name for name, _, _ in actions.DESKS])
def test_no_method_of_a_desk_is_missing_from_the_registry(desk: str) -> None:
    methods = {name.removeprefix("act_") for name in vars(desk_class(desk)) if name.startswith("act_")}
    assert methods == {one.id.partition(".")[2] for one in actions.ACTIONS if one.desk == desk}


@pytest.mark.parametrize("desk", [name for name, _, _ in actions.DESKS])
def test_one_key_means_one_thing_in_each_part_and_never_what_it_means_everywhere(desk: str) -> None:
    everywhere = {key for one in actions.GLOBAL for key in one.keys}
    for section in desk_class(desk).SECTIONS:
        keys = [key for one in actions.of(desk, section.id) for key in one.keys]
        assert len(keys) == len(set(keys))
        assert not everywhere & set(keys)


def test_no_key_is_one_that_terminals_swallow() -> None:
    used = {key for one in (*actions.GLOBAL, *actions.ACTIONS) for key in one.keys}
    assert not used & {"ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m", "ctrl+b", "ctrl+a", "ctrl+["}


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
    assert all(one.title in page for one in (*actions.GLOBAL, *actions.ACTIONS))
