from __future__ import annotations

import pytest

from mlops_tui.domains.pipelines import graph
from mlops_tui.domains.pipelines.operating import Extra


def test_without_needs_each_own_step_follows_the_one_before_it():
    steps = [Extra("a", "f:a"), Extra("b", "f:b"), Extra("c", "f:c", needs=["load"]), Extra("d", "f:d", needs=[])]
    assert graph.own_needs(steps) == {"a": ("load",), "b": ("a",), "c": ("load",), "d": ("load",)}


def test_steps_come_after_what_they_need_and_else_as_listed():
    assert graph.ordered({"c": ["a", "b"], "b": ["load"], "a": ["load"]}) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("needs", "found"),
    [
        ({"a": ["load"], "b": ["a"]}, []),
        ({"a": ["a"]}, ["a", "a"]),
        ({"x": ["load"], "a": ["c"], "b": ["a"], "c": ["b", "x"], "late": ["a"]}, ["a", "c", "b", "a"]),
        ({"a": ["unknown"]}, []),
    ],
)
def test_a_cycle_is_named_in_turn(needs, found):
    assert graph.cycle(needs) == found


def test_what_lays_the_branches_together_waits_for_their_ends_and_the_rest_follows():
    own = {"a": ("load",), "b": ("a",), "c": ("load",)}
    assert graph.whole(("load", "a", "b", "c", "collect", "check", "split"), own) == {
        "load": (),
        **own,
        "collect": ("b", "c"),
        "check": ("collect",),
        "split": ("check",),
    }
