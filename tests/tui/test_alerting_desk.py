"""Who is told of alerts and when not, what is odd and who asks: lists of the monitoring desk, and what people do in them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.alerts.recurring import Weekly
from mlops_tui.domains.alerts.rules import Rule, Watch
from mlops_tui.domains.monitoring.odd_records import OddRow, OddWindow, Pattern
from mlops_tui.domains.monitoring.odd_store import OddStore
from mlops_tui.tui.lines import plain
from mlops_tui.tui.screens import chrome, monitor_acts, monitoring_odd, telling, telling_acts
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, text_of
from .filling import HOUR, NOW
from .test_doing import fetch
from .test_registry_desk import agree, fill


def watched(workspace: Workspace) -> None:
    """Odd rows and a client that probes, a rule, two channels of which one fails, and two times of maintenance."""
    for name in ("page.sh", "gone.sh"):
        (workspace.project / name).write_text("")
    with Workbench(workspace, actor="ana", now=lambda: NOW - HOUR) as bench:
        store = OddStore(bench.context)
        probing = Pattern(
            "bikes", "batch", NOW - HOUR, 120, 80, 0.6, 0.4, 0.2, 0.1, "evasion", "60 % of rows are close", 0.24
        )
        usual = Pattern("bikes", "(no token)", NOW - HOUR, 380, 300, 0.02, 0.0, 0.01, 0.01, "", "", 0.76)
        asked = bench.serving.predictions("bikes", limit=2)
        odd = [
            OddRow(one.id, "bikes", 2, one.at, p, why)
            for one, p, why in zip(asked, (0.00001, 0.004), ("temp", "together"), strict=True)
        ]
        for hours, count in ((3, 4), (2, 6), (1, 60)):
            at = NOW - hours * HOUR
            store.put(OddWindow("bikes", 2, at, at - HOUR, at, 500, count, 0.01), odd, [probing, usual])
        bench.alerts.rules.add(Rule("hot", "hardware.cpu", "", Watch.ABOVE, 95.0, 600_000))
        bench.alerts.telling.add("ops", "script", "page.sh", match="subject:bikes", after=30 * 60_000)
        bench.alerts.telling.add("gone", "script", "gone.sh")
        bench.alerts.telling.test("gone")
        bench.alerts.telling.quiet("subject:bikes", NOW - 2 * HOUR, NOW + HOUR, "a new sensor")
        bench.alerts.telling.quiet("", NOW - HOUR, NOW + 800 * HOUR, "", weekly=Weekly("mon", "02:00-04:00"))


async def test_marked_alerts_are_taken_opened_again_and_ended_together(open_app: Open, filled: Workspace) -> None:
    def states(pilot: Pilot[Any]) -> list[str]:
        known = {one.id: str(one.state) for one in fetch(pilot, lambda bench: bench.alerts.list())}
        return [known[number] for number in sorted(known)]

    async with open_app(filled, "monitoring", (100, 30)) as pilot:
        await press(pilot, "space", "space", "a")
        assert states(pilot) == ["acknowledged", "acknowledged", "resolved"]
        assert "2 alerts are acknowledged." in text_of(pilot)
        assert not desk_of(pilot).here.marks
        await press(pilot, "u")
        await agree(pilot)
        assert states(pilot) == ["open", "open", "resolved"]
        await press(pilot, "g", "m")
        await fill(pilot, span="8h")
        assert sorted(states(pilot)) == ["open", "resolved", "silenced"]
        await press(pilot, "asterisk", "r")
        await fill(pilot, why="retrained")
        assert states(pilot) == ["resolved"] * 3
        assert "2 alerts are resolved; 1 could not be." in text_of(pilot)
        await press(pilot, "a")
        assert "It is resolved; this needs open or silenced." in text_of(pilot)
        await press(pilot, "n")
        await fill(pilot, rule="backup", subject="nas", title="No backup")
        assert states(pilot)[-1] == "open"
        assert desk_of(pilot).record.title == "No backup"


async def test_what_a_form_could_not_keep_is_asked_again_with_what_was_typed(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "monitoring", (100, 30)) as pilot:
        desk_of(pilot).go("rules")
        await settle(pilot)
        await press(pilot, "n")
        await fill(pilot, name="slow", series="deployment.p95_ms", limit="much")
        assert "'much' is no number." in text_of(pilot)
        assert pilot.app.screen.query_one("#f-name", Input).value == "slow"
        await fill(pilot, limit="200", of="bikes")
        kept = fetch(pilot, lambda bench: bench.alerts.rules.get("slow"))
        assert kept.words == "deployment.p95_ms of bikes above 200 for 5 min"
        await press(pilot, "o")
        assert 'rule:"rule:slow"' in text_of(pilot)
        assert not pilot.app.source.views.get("monitoring.alerts").filter  # type: ignore[attr-defined]
        await press(pilot, "escape")
        await press(pilot, "d")
        await agree(pilot)
        assert not fetch(pilot, lambda bench: bench.alerts.rules.list())
        await press(pilot, "u")
        await agree(pilot)
        assert fetch(pilot, lambda bench: bench.alerts.rules.get("slow")).words == kept.words
        await press(pilot, "p")
        assert fetch(pilot, lambda bench: bench.alerts.rules.get("slow")).paused
        await press(pilot, "r")
        assert not fetch(pilot, lambda bench: bench.alerts.rules.get("slow")).paused


async def test_a_channel_and_a_time_of_maintenance_are_made_and_taken_away(open_app: Open, filled: Workspace) -> None:
    program = filled.project / "page.sh"
    program.write_text("#!/bin/sh\ncat > told.json\n")
    program.chmod(0o755)

    def quiet(pilot: Pilot[Any]) -> list[str]:
        return [one.match for one in fetch(pilot, lambda bench: bench.alerts.telling.maintenance())]

    async with open_app(filled, "monitoring", (100, 30)) as pilot:
        desk_of(pilot).go("channels")
        await settle(pilot)
        await press(pilot, "n")
        await fill(pilot, name="ops", kind="script", target="page.sh", match="subject:bikes")
        await press(pilot, "t")
        assert "ops took the test message" in text_of(pilot)
        assert (filled.project / "told.json").exists()
        await press(pilot, "p")
        assert fetch(pilot, lambda bench: bench.alerts.telling.get("ops")).paused
        await press(pilot, "r")
        assert not fetch(pilot, lambda bench: bench.alerts.telling.get("ops")).paused
        await press(pilot, "d")
        await agree(pilot)
        assert not fetch(pilot, lambda bench: bench.alerts.telling.channels())
        await press(pilot, "u")
        await agree(pilot)
        assert fetch(pilot, lambda bench: bench.alerts.telling.get("ops")).match == "subject:bikes"
        desk_of(pilot).go("maintenance")
        await settle(pilot)
        await press(pilot, "n")
        await fill(pilot, match="rule:drift")
        assert quiet(pilot) == ["rule:drift"]
        await press(pilot, "d")
        await agree(pilot)
        assert not quiet(pilot)


async def test_a_monitor_keeps_what_was_changed_and_comes_back_as_it_was(open_app: Open, filled: Workspace) -> None:
    def rows(pilot: Pilot[Any]) -> int:
        return int(fetch(pilot, lambda bench: bench.monitoring.get("bikes")).min_rows)

    async with open_app(filled, "monitoring", (100, 40)) as pilot:
        desk_of(pilot).go("monitors", "bikes")
        await settle(pilot)
        await press(pilot, "n")
        await fill(pilot, min_rows="500")
        assert rows(pilot) == 500
        await press(pilot, "d")
        await agree(pilot)
        assert [one.deployment for one in fetch(pilot, lambda bench: bench.monitoring.list())] == ["trial"]
        await press(pilot, "u")
        await agree(pilot)
        assert rows(pilot) == 500
        desk_of(pilot).go("monitors", "trial")
        await press(pilot, "enter")
        assert desk_of(pilot).has_class("-open")
        fetch(pilot, lambda bench: bench.monitoring.remove("trial"))
        await press(pilot, "R")
        assert "What was open is gone" in text_of(pilot)
        assert not desk_of(pilot).has_class("-open")


def test_settings_that_were_changed_make_a_command_line() -> None:
    given = {"min_rows": "500", "sensitive": "a b, c", "slices": ""}
    assert monitor_acts.settings_command("bikes", given) == (
        "mlops monitors add bikes --min-rows 500 --sensitive 'a b' --sensitive c --slice ''"
    )


def test_a_rule_makes_a_command_line() -> None:
    answers = {"name": "q", "series": "deployment.error_rate", "of": "bikes", "test": "burns", "limit": "14.4", "span": "1h",
               "clear": "", "clear_for": "10m", "objective": "99.9", "severity": "critical"}  # fmt: skip
    assert telling_acts.rule_command(answers) == (
        "mlops alerts rules add q --series deployment.error_rate --burns 14.4 --of bikes --objective 99.9 --for 1h"
        " --clear-for 10m --severity critical"
    )
    quiet = {**answers, "test": "absent", "of": "", "clear_for": "0s", "severity": "warning"}
    assert telling_acts.rule_command(quiet).endswith("--series deployment.error_rate --absent --for 1h")


def test_a_value_stands_beside_what_is_usual_at_training() -> None:
    numbers = {
        "kind": "numeric",
        "count": 100,
        "edges": [float(at) for at in range(101)],
        "counts": [0] + [1] * 100 + [0],
    }
    assert monitoring_odd.beside(numbers, 50.0) == ("5 to 95", False)
    assert monitoring_odd.beside(numbers, 97.0) == ("5 to 95", True)
    levels = {"kind": "categorical", "count": 10, "levels": ["a", "b"], "counts": [7, 3], "other": 0}
    assert monitoring_odd.beside(levels, "b") == ("30.0% of training rows", False)
    assert monitoring_odd.beside(levels, "z") == ("not seen at training", True)
    assert monitoring_odd.beside({}, 1) == ("", False)


def test_parts_that_do_not_fit_are_behind_arrows_and_the_one_on_screen_never_is() -> None:
    row = [(((f" {name} ", "text"),), name) for name in ("one", "two", "three", "four", "five", "six")]

    def seen(at: int, room: int) -> str:
        return "".join(plain(spans) for spans, _ in chrome._around(row, at, room))

    assert seen(0, 100) == " one  two  three  four  five  six "
    assert seen(0, 18) == " one  two  three →"
    assert seen(3, 18) == "←  three  four →"
    assert seen(5, 18) == "←  five  six "
    assert seen(2, 3) == "←  three →"


def test_a_rule_is_drawn_with_the_limits_that_stay_where_they_are(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tui.rules.values", lambda bench, rule, since, step: [(NOW, 50.0), (NOW + 1000, 60.0)])
    hot = Rule("hot", "hardware.cpu", "", Watch.ABOVE, 95.0, 600_000, 80.0)
    plot = telling.watched(workbench, hot)
    assert plot is not None
    assert [(one.name, one.ys) for one in plot.series] == [
        ("cpu", (50.0, 60.0)), ("limit", (95.0, 95.0)), ("ends beyond", (80.0, 80.0))
    ]  # fmt: skip
    odd = telling.watched(workbench, dataclasses.replace(hot, test=Watch.ANOMALY, clear=None))
    assert odd is not None
    assert [one.name for one in odd.series] == ["cpu"]
