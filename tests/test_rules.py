"""Where rules get their numbers: real hardware history, traffic and reports."""

from __future__ import annotations

import dataclasses

import pytest

from mlops_tui import rules
from mlops_tui.core import clock as time
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.alerts.rules import Rule, Watch


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
    ],
)
def test_what_a_rule_cannot_look_at_is_said_before_it_is_kept(workbench, series, subject, kind, said):
    with pytest.raises(kind) as caught:
        rules.check(workbench, rule(series, subject))
    assert said in caught.value.message


def test_a_deployment_that_is_gone_gives_no_values_and_ends_nothing(workbench):
    workbench.alerts.rules.add(rule("deployment.p95_ms", "churn"))
    workbench.alerts.rules.add(dataclasses.replace(rule("monitor.psi", "churn"), name="two"))
    assert {one.finding for one in rules.evaluate(workbench).values()} == {"unknown"}
