"""The serving desk: a rollout, what versions showed before their traffic, and predictions explained."""

from __future__ import annotations

import re

import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.serving.reasons.records import Near, Part, Reasons, Replayed
from mlops_tui.domains.serving.records import BOUNDS_MS, GatewayState, Interval, State, WorkerState, bucket_of
from mlops_tui.domains.serving.service import Serving
from mlops_tui.workbench import Workbench

from .conftest import Open, press, settle, text_of
from .filling import NOW


def traffic(version: int, requests: int, errors: int) -> Interval:
    histogram = [0] * (len(BOUNDS_MS) + 1)
    histogram[bucket_of(4.0)] = requests
    return Interval("bikes", version, NOW - 5000, 5000, requests, requests, 0, errors, 4.0, tuple(histogram))


def begin(workspace: Workspace) -> None:
    with Workbench(workspace, actor="ana", now=lambda: NOW - 60_000) as bench:
        bench.serving.rollouts.start("bikes", "hire/3", [10, 50], why="fewer mistakes")
        bench.serving.record_traffic([traffic(2, 900, 9), traffic(3, 100, 1)])


async def test_the_evidence_stands_beside_its_limit_and_what_it_waits_for(open_app: Open, filled: Workspace) -> None:
    begin(filled)
    async with open_app(filled, "serving", (160, 45)) as pilot:
        await press(pilot, "j", "k")
        seen = text_of(pilot)
    assert "[10%]  50%  100%" in seen
    assert "waits for 100 more requests at 10 %" in seen
    assert "errors" in seen

    assert "1/100" in seen
    assert re.search(r"errors +1/100 +9/9\d\d +[█·]{5} [\d.]+ of 50 +<[\d.]+% of 2%", seen)
    assert re.search(r"\b9/9\d\d\b", seen)  # and what the fixture answered in that minute


async def test_an_ended_rollout_says_why(open_app: Open, filled: Workspace) -> None:
    begin(filled)
    with Workbench(filled, actor="ana", now=lambda: NOW) as bench:
        bench.serving.rollouts.abort("bikes", "the depot complained")
    async with open_app(filled, "serving", (160, 45)) as pilot:
        await press(pilot, "j", "k")
        seen = text_of(pilot)
    assert "rolled back" in seen
    assert "the depot complained" in seen


# -- before any traffic, and predictions


async def test_what_a_version_showed_and_how_many_answer_for_it_stand_below_its_traffic(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Serving, "gateway", lambda self: GatewayState(1, 1, "", "127.0.0.1", 8080, NOW))
    checks = (Health("memory", True, "40 MB private"), Health("metrics", False, "rmse 10 recorded, 30 served"))
    with Workbench(filled, actor="ana", now=lambda: NOW) as bench:
        worker = WorkerState("hire", 2, State.READY, 4711, checks=checks, workers=3)
        bench.serving.report([worker], [])
    async with open_app(filled, "serving", (160, 70)) as pilot:
        await press(pilot, "j", "k")
        seen = text_of(pilot)
    assert "pid 4711 and 2 more" in seen
    assert re.search(r"v2 +metrics +refused +rmse 10 recorded, 30 served", seen)


async def test_an_answer_is_explained_and_given_again_by_another_version(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = (Part("temp", 20.5, 30.25, "hours@1"), Part("hour", 11, -4.5))
    near = (Near(0.25, {"temp": 20.0, "hour": 10}, 119),)
    found = Reasons("the predicted hires", "exact: a sum", 105.25, 131.0, 0.0, parts, near, "the rows of hours@1", 0.5)
    again = Replayed("p1", "hire/2", 131.0, None, "hire/3", 135.5, None, same=False, difference=4.5)
    monkeypatch.setattr(Serving, "why", lambda self, name: found)
    monkeypatch.setattr(Serving, "replay", lambda self, name, ref: again)
    async with open_app(filled, "serving", (120, 40)) as pilot:
        await press(pilot, "right_square_bracket", "i")
        seen = text_of(pilot)
        assert "exact: a sum" in seen
        assert re.search(r"temp +20\.5 +\+30\.25 +█+ +hours@1", seen)
        assert re.search(r"hour +11 +-4\.5 +░░░", seen)
        assert "Nearest of the rows of hours@1" in seen
        await press(pilot, "escape", "a")
        assert "Which version" in text_of(pilot)
        pilot.app.screen.dismiss({"version": "3"})
        await settle(pilot)
        seen = text_of(pilot)
    assert "the difference is +4.5" in seen
    assert re.search(r"hire/3 +135\.5", seen)


async def test_predictions_are_filtered_by_what_they_hold(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "serving", (120, 40)) as pilot:
        await press(pilot, "right_square_bracket", "slash", *"ms>4.3", "enter")
        seen = text_of(pilot)
    assert "4.6" in seen
    assert "3.5" not in seen
