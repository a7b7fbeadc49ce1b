"""Where rules get their numbers: real hardware history, traffic and reports."""

from __future__ import annotations

import dataclasses

import pytest

from mlops_tui import rules
from mlops_tui.core import clock as time
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.alerts.rules import Rule, Watch
from mlops_tui.domains.serving.records import Interval


def rule(series="hardware.cpu", subject="", test=Watch.ABOVE):
    return Rule("one", series, subject, test, 90.0, 5 * time.MINUTE)


def test_hardware_comes_from_its_history(workbench, clock):
    reading = workbench.hardware.read()
    for value in (91.0, 95.0):
        clock.advance(time.SECOND)
        workbench.hardware.record(dataclasses.replace(reading, at=clock.now, cpu=value))
    workbench.hardware.flush()
    assert [value for _, value in rules.values(workbench, rule(), clock.now - time.MINUTE)] == [91.0, 95.0]


@pytest.mark.parametrize(
    ("series", "subject", "kind", "said"),
    [
        ("hardware.cpuu", "", InvalidInput, "hardware.cpuu"),
        ("hardware.cpu", "churn", InvalidInput, "no --of"),
        ("deployment.p96_ms", "churn", InvalidInput, "deployment.p96_ms"),
        ("deployment.p95_ms", "", InvalidInput, "needs a deployment"),
        ("deployment.p95_ms", "churn", NotFound, "churn"),
        ("weather", "", InvalidInput, "weather"),
        ("run.p95_ms", "", InvalidInput, "run.p95_ms"),
        ("run.cpu_percent", "nobody", NotFound, "nobody"),
        ("job.cpu_percent", "nobody", NotFound, "nobody"),
        ("job.cpu_percent", "12", NotFound, "12"),
    ],
)
def test_what_a_rule_cannot_look_at_is_said_before_it_is_kept(workbench, series, subject, kind, said):
    with pytest.raises(kind) as caught:
        rules.check(workbench, rule(series, subject))
    assert said in caught.value.message


def test_what_rules_looked_at_of_a_deployment_that_is_gone_is_gone_too(workbench):
    workbench.alerts.rules.add(rule("deployment.p95_ms", "churn"))
    workbench.alerts.rules.add(dataclasses.replace(rule("monitor.psi", "churn"), name="two"))
    assert {one.finding for one in rules.evaluate(workbench).values()} == {"gone"}


def test_what_a_deployment_takes_of_the_machine_can_be_looked_at(workbench, clock, monkeypatch):
    for value in (2.0, 3.0):
        clock.advance(10 * time.SECOND)
        workbench.hardware.record_loads([("deployment churn", clock.now, {"saturation": value, "gpu_percent": None})])
    under_use = rule("deployment.saturation", "churn", Watch.BELOW)
    monkeypatch.setattr(type(workbench.serving), "get", lambda self, name: name)
    rules.check(workbench, under_use)
    assert [value for _, value in rules.values(workbench, under_use, clock.now - time.MINUTE)] == [2.0, 3.0]
    assert rules.values(workbench, rule("deployment.gpu_percent", "churn"), clock.now - time.MINUTE) == []
    assert rules.values(workbench, rule("deployment.saturation", "gone"), clock.now - time.MINUTE) == []


def test_of_several_runs_the_one_nearest_to_the_limit_is_looked_at_and_named(workbench, clock):
    busy, idle, young = (workbench.experiments.start("churn").id for _ in range(3))
    other = workbench.experiments.start("other").id
    for at in range(31):
        clock.advance(10 * time.SECOND)
        taken = {busy: 90.0 + at % 3, idle: 3.0, other: 0.0} | ({young: 1.0} if at == 30 else {})
        now = [(f"run {one}", clock.now, {"cpu_percent": value}) for one, value in taken.items()]
        workbench.hardware.record_loads(now)
    workbench.experiments.take_in()
    below = dataclasses.replace(rule("run.cpu_percent", "churn", Watch.BELOW), limit=5.0)
    above = dataclasses.replace(rule("run.cpu_percent", "churn"), name="two", limit=80.0)
    anything = dataclasses.replace(below, name="three", subject="")
    for one in (below, above, anything, dataclasses.replace(above, name="four", subject=busy[:6])):
        rules.check(workbench, one)
        workbench.alerts.rules.add(one)
    said = rules.evaluate(workbench)
    assert {one.finding for one in said.values()} == {"holds"}
    assert said["one"].reason.startswith(f"run {idle}: 3 now")
    assert said["two"].reason.startswith(f"run {busy}: ")
    assert said["three"].reason.startswith(f"run {other}: ")
    clock.advance(2 * time.MINUTE)  # nothing of them runs any more
    assert {one.finding for one in rules.evaluate(workbench).values()} == {"gone"}
    assert workbench.alerts.open_count() == 0


def test_a_deployment_nobody_asks_has_no_requests_and_no_share_of_errors(workbench, clock, monkeypatch):
    monkeypatch.setattr(type(workbench.serving), "get", lambda self, name: name)
    clock.now = clock.now // time.MINUTE * time.MINUTE
    histogram = (0,) * 10 + (4,) + (0,) * 39
    workbench.serving.record_traffic([Interval("churn", 1, clock.now, 5_000, 4, 4, 0, 1, 40_000.0, histogram)])
    clock.advance(time.MINUTE)

    def seen(name):
        return [one[1] for one in rules.values(workbench, rule(f"deployment.{name}", "churn"), clock.now - time.MINUTE)]

    assert seen("requests") == [4.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert seen("in_flight")[:2] == [4.0, 0.0]
    assert seen("success_rate") == [0.75]
    assert len(seen("p99_ms")) == 1
