"""A rollout on the serving desk."""

from __future__ import annotations

import re

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.records import BOUNDS_MS, Interval, bucket_of
from mlops_tui.workbench import Workbench

from .conftest import NOW, Open, press, text_of


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
