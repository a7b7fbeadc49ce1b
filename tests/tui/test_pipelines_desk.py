"""What people do with pipelines in the terminal: mistakes in the file, steps of a run, the gate, schedules along time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from textual.widgets import TextArea

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.pipelines.records import (
    GateCheck,
    GateVerdict,
    Outcome,
    PipelineRun,
    RunState,
    StepRun,
    StepState,
)
from mlops_tui.domains.schedules.records import Coming, Prospect
from mlops_tui.tui.lines import plain
from mlops_tui.tui.screens import pipeline_facts, pipeline_file, pipeline_steps, timeline
from mlops_tui.tui.screens.execution import ExecutionDesk
from mlops_tui.tui.screens.explained import Explained
from mlops_tui.tui.screens.pipeline import PipelineDesk

from .conftest import Open, desk_of, press, settle, text_of
from .filling import HOUR, NOW
from .test_doing import fetch
from .test_registry_desk import agree, as_somebody, fill


@pytest.fixture(autouse=True)
def _no_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)


def run(state: RunState = RunState.RUNNING, verdict: GateVerdict | None = None) -> PipelineRun:
    """Half done: load took a fifth of the time, split runs."""
    steps = [
        StepRun("load", StepState.SUCCEEDED, NOW - 10_000, NOW - 8_000, "4,320 rows"),
        StepRun("split", StepState.RUNNING, NOW - 8_000, None),
        StepRun("train", StepState.PENDING),
    ]
    return PipelineRun(
        "ab" * 8, "hire", state, steps, verdict, "", "", 2, {"kind": "manual"}, "ana", NOW, NOW - 10_000, None, ""
    )


def lines(found: Any) -> Iterator[str]:
    return (plain(one).rstrip() for one in found)


# -- what the parts draw -----------------------------------------------------------------------------------------------


def test_a_mistake_stands_at_its_line() -> None:
    text = '[pipeline]\nname = "x" # why\n'
    found = list(
        lines(
            pipeline_file.draw_written(
                pipeline_file.Written("p.toml", text, ((2, "pipeline.owners: unknown"),)), 60, 20
            )
        )
    )
    assert found == [
        " p.toml  ✗ 1 mistake",
        "",
        " 1 │ [pipeline]",
        ' 2 ✗ name = "x" # why',
        "   └ pipeline.owners: unknown",
    ]


def test_a_mistake_beyond_the_file_stands_at_its_end() -> None:
    found = list(lines(pipeline_file.draw_written(pipeline_file.Written("p.toml", "", ((9, "no [data]"),)), 60, 20)))
    assert found[-1].endswith("└ no [data]")


def test_steps_lie_along_the_time_of_the_run() -> None:
    rows = pipeline_steps.rows_of(run(), NOW, {})
    assert [pipeline_steps.bar(one, 10)[0] for one in rows] == ["━━        ", "  ━━━━━━━━", "··········"]
    assert [one.branch for one in rows] == ["┌ ", "├ ", "└ "]


def test_own_steps_are_a_branch_of_the_graph() -> None:
    own = [StepRun(name, StepState.PENDING) for name in ("load", "clean", "join", "collect", "train")]
    rows = pipeline_steps.rows_of(dataclasses.replace(run(), steps=own), NOW, {"join": ("load", "clean")})
    assert [one.branch for one in rows] == ["┌ ", "│ ├ ", "│ └ ", "├ ", "└ "]
    assert rows[2].needs == ("load", "clean")


def test_the_verdict_names_every_number() -> None:
    checks = [GateCheck("rmsle", False, 0.4, "<= 0.3", low=0.35, high=0.45, rows=40, rows_needed=400)]
    verdict = GateVerdict(Outcome.BLOCKED, checks, "hire/2", "rmsle <= 0.3")
    said = "\n".join(lines(pipeline_facts.draw_gate(pipeline_facts.Ran(run(RunState.BLOCKED, verdict), NOW), 120, 20)))
    assert "blocked against hire/2" in said
    assert "between 0.35 and 0.45; needs 400 rows, has 40" in said


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (80, ["Slot   Will be", "03:00  skipped  the machine is backed up then"]),
        (30, ["Slot   Will be", "03:00  skipped", "       the machine is backed", "       up then"]),
        (12, ["03:00  skipped", "  the machine is", "  backed up then"]),
    ],
)
def test_why_stands_beside_a_row_or_below_it(width: int, said: list[str]) -> None:
    rows = (("03:00", "skipped", "the machine is backed up then"),)
    assert list(lines(Explained(("Slot", "Will be", ""), rows).draw(width))) == said


def test_the_origin_says_what_a_run_was_made_of() -> None:
    made = dataclasses.replace(run(), facts={"seeds": {"split": 7}, "snapshots": ["hours@1", "stations@1"]})
    said = "\n".join(lines(pipeline_facts.draw_origin(pipeline_facts.Ran(made, NOW), 100, 20)))
    assert "kind manual" in said
    assert "seeds      split 7" in said
    assert "hours@1, stations@1" in said


def test_a_run_without_a_verdict_says_so() -> None:
    said = "\n".join(lines(pipeline_facts.draw_gate(pipeline_facts.Ran(run(), NOW), 80, 20)))
    assert "the run is running" in said


def test_a_coming_slot_says_why_it_will_not_run(filled: Workspace) -> None:
    with as_somebody(filled, "ana") as bench:
        found = timeline.timeline(bench)
        bench.schedules.pause(found.schedules[0].name)
        paused = timeline.timeline(bench)
    assert [str(one.prospect) for one in found.coming] == ["runs"]
    assert all(str(one.prospect) != "runs" for one in paused.coming)
    said = list(lines(timeline.draw_timeline(found, 80, 24)))
    assert said[0].split() == ["-24h", "-12h", "now", "+12h", "+24h"]
    assert "│" in said[1]
    assert "○" in said[1]


def test_a_slot_lies_where_its_time_is() -> None:
    slot = Coming("s", "p", "", NOW + 12 * HOUR, Prospect.WAITS, "a blackout")
    one = timeline.Timeline(NOW, (), (), (slot,), ())
    assert timeline._cell(one, NOW - 24 * HOUR, 100) == 0
    assert timeline._cell(one, slot.due_at or 0, 100) == 75
    assert timeline._cell(one, NOW + 30 * HOUR, 100) == 99


# -- at the desk -------------------------------------------------------------------------------------------------------


async def test_a_file_is_edited_with_its_mistakes_marked_taken_back_and_never_written_over(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "pipelines", (120, 40)) as pilot:
        await press(pilot, "j", "enter")
        assert isinstance(desk_of(pilot), PipelineDesk)
        assert "✓ right" in text_of(pilot)
        await press(pilot, "E")
        area = pilot.app.screen.query_one(TextArea)
        before = area.text
        area.text = before.replace("target =", "targets =")
        await press(pilot, "ctrl+s")
        seen = text_of(pilot)
        assert "✗ targets =" in seen
        await press(pilot, "r")
        assert "Its file has mistakes" in text_of(pilot)
        await press(pilot, "u")
        await agree(pilot)
        assert (filled.pipelines / "hire.toml").read_text() == before
        await press(pilot, "E")
        (filled.pipelines / "hire.toml").write_text(before + "# theirs\n")
        pilot.app.screen.query_one(TextArea).text = "mine"
        await press(pilot, "ctrl+s")
        assert "changed by somebody else" in text_of(pilot)
        assert (filled.pipelines / "hire.toml").read_text() == before + "# theirs\n"


async def test_a_pipeline_and_a_schedule_are_made_by_form_and_the_schedule_is_taken_back(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "pipelines", (120, 40)) as pilot:
        await press(pilot, "n")
        await fill(pilot, name="riders", target="hires", spine="hours")
        assert (filled.pipelines / "riders.toml").exists()
        assert "mlops pipelines new riders --template regression --spine hours --target hires" in (
            pilot.app.deeds.log[-1].command  # type: ignore[attr-defined]
        )
        desk_of(pilot).go("schedules")
        await settle(pilot)
        await press(pilot, "n")
        await fill(pilot, name="nightly", pipeline="hire", cron="not a line")
        assert "Not done" in text_of(pilot)
        await press(pilot, "n")
        await fill(pilot, name="nightly", pipeline="hire", cron="30 4 * * *")
        assert fetch(pilot, lambda bench: bench.schedules.get("nightly")).cron == "30 4 * * *"
        await press(pilot, "u")
        await agree(pilot)
        assert [one.name for one in fetch(pilot, lambda bench: bench.schedules.list())] == ["hire-schedule"]


async def test_the_page_of_a_run_has_steps_with_outputs_gate_and_origin(open_app: Open, filled: Workspace) -> None:
    with as_somebody(filled, "ana") as bench:
        one = bench.pipelines.runs("hire")[0]
        folder = bench.pipelines.folder(one.id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "load.json").write_text('{"result": {"rows": 4320, "slices": [{"column": "hour", "rows": 7}]}}')
        (folder / "load.log").write_text("read hours@1\n")
    async with open_app(filled, "pipelines", (140, 40)) as pilot:
        await press(pilot, "right", "enter")
        assert isinstance(desk_of(pilot), ExecutionDesk)
        seen = text_of(pilot)
        assert "┌ load" in seen
        assert "4,320" in seen
        assert "read hours@1" in seen
        await press(pilot, "right_square_bracket")
        assert "There is no verdict: the run is queued" in text_of(pilot)
        await press(pilot, "a")
        assert "It is queued; this needs succeeded" in text_of(pilot)
        await press(pilot, "c")
        await agree(pilot)
        assert str(fetch(pilot, lambda bench: bench.jobs.get(2)).state) == "cancelled"
        assert "cancelled" in text_of(pilot)


async def test_pictures(open_app: Open, filled: Workspace, snapshot: Any) -> None:
    async with open_app(filled, "pipelines", (80, 24)) as pilot:
        desk_of(pilot).go("pipeline", "broken")
        await settle(pilot)
        snapshot(pilot, "pipeline-definition-80x24")
        run_id = fetch(pilot, lambda bench: bench.pipelines.runs("hire"))[0].id
        desk_of(pilot).go("execution", run_id)
        await settle(pilot)
        snapshot(pilot, "execution-steps-80x24")
        await pilot.resize_terminal(160, 45)
        await settle(pilot)
        snapshot(pilot, "execution-steps-160x45")


async def test_a_blackout_is_made_and_lifted_from_the_timeline_and_both_are_taken_back(
    open_app: Open, filled: Workspace, snapshot: Any
) -> None:
    def names(pilot: Any) -> list[str]:
        return [one.name for one in fetch(pilot, lambda bench: bench.schedules.blackouts())]

    async with open_app(filled, "pipelines", (80, 24)) as pilot:
        desk_of(pilot).go("timeline")
        await settle(pilot)
        await press(pilot, "n")
        snapshot(pilot, "blackout-dialog-80x24")
        await press(pilot, "escape", "d")
        assert "There is no blackout" in text_of(pilot)
        await press(pilot, "n")
        await fill(pilot, name="office", weekdays="mon-sun", hours="00:00-24:00", then="wait")
        assert names(pilot) == ["office"]
        assert pilot.app.deeds.log[-1].command == (  # type: ignore[attr-defined]
            "mlops schedules blackout office --weekdays mon-sun --hours 00:00-24:00 --then wait"
        )
        await settle(pilot)
        assert "░ blackout: office" in text_of(pilot)
        await press(pilot, "u")
        await agree(pilot)
        assert names(pilot) == []
        await press(pilot, "n")
        await fill(pilot, name="feast", begins="2026-12-24", ends="2026-12-20")
        assert "a begin and an end after it" in text_of(pilot)
        await press(pilot, "n")
        await fill(
            pilot, name="feast", begins="2026-12-24", ends="2027-01-02", timezone="Europe/Berlin", why="nobody is in"
        )
        before = fetch(pilot, lambda bench: bench.schedules.blackouts())
        await press(pilot, "d")
        await fill(pilot, why="somebody is")
        assert names(pilot) == []
        await press(pilot, "u")
        await agree(pilot)
        again = fetch(pilot, lambda bench: bench.schedules.blackouts())
        assert (again[0].begins_at, again[0].timezone, again[0].why) == (
            before[0].begins_at,
            "Europe/Berlin",
            "nobody is in",
        )
