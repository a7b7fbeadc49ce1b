"""`mlops alerts rules`: alerts of your own over any series."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.alert_keeping import Kept, add_keeping
from mlops_tui.cli.output import emit, json_option, pass_workbench, say
from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

TESTS = ("above", "below", "rises", "falls", "anomaly", "burns")


@click.group()
def rules() -> None:
    """Alerts of your own: a series above, below, absent, changed, unlike its past, or burning a budget.

    \b
    Example: mlops alerts rules add slow --series deployment.p95_ms --of churn --above 200 --for 5m
    """


@rules.command("list")
@json_option
@pass_workbench
def list_rules(workbench: Workbench, as_json: bool) -> None:
    """List rules with what each says now.

    \b
    Example: mlops alerts rules list
    """
    from mlops_tui.rules import source

    rows = []
    for rule in workbench.alerts.rules.list():
        judged = workbench.alerts.rules.look(rule, source(workbench))
        rows.append(
            {**dataclasses.asdict(rule), "rule": rule.words, "finding": judged.finding, "value": judged.value,
             "reason": "paused" if rule.paused else judged.reason}
        )  # fmt: skip
    columns = [("name", "Name"), ("rule", "Rule"), ("severity", "Severity"), ("finding", "Now"), ("reason", "Because")]
    empty = "No rules. Make one: mlops alerts rules add hot --series hardware.cpu --above 95 --for 10m"
    emit(rows, columns, as_json=as_json, empty=empty)


@rules.command("add")
@click.argument("name")
@click.option(
    "--series", required=True, help="deployment.p95_ms, monitor.psi, hardware.cpu, ...; a wrong one lists them."
)
@click.option(
    "--of",
    "subject",
    default="",
    metavar="NAME",
    help="Of what: a deployment; a run or an experiment, a job or a pipeline, any that runs when left out.",
)
@click.option("--above", type=float, help="Raise when every value of the span is above this.")
@click.option("--below", type=float, help="Raise when every value of the span is below this.")
@click.option(
    "--rises", type=float, metavar="PERCENT", help="Raise when the mean rose so much against the span before."
)
@click.option(
    "--falls", type=float, metavar="PERCENT", help="Raise when the mean fell so much against the span before."
)
@click.option("--absent", is_flag=True, help="Raise when there are no values for the span.")
@click.option(
    "--anomaly", type=float, metavar="SPREADS", help="Raise when its mean is so far from its own past, as in 6."
)
@click.option("--burns", type=float, metavar="TIMES", help="Raise when it burns the budget of --objective so fast.")
@click.option(
    "--objective", type=float, default=0.0, metavar="PERCENT", help="With --burns: what is promised, as in 99.9."
)
@click.option("--for", "span", default="5m", show_default=True, metavar="SPAN", help="How long it must last.")
@click.option("--clear", type=float, help="The alert ends beyond this, not at the limit already.")
@click.option("--clear-for", default="0s", metavar="SPAN", help="It ends only when its condition is gone for so long.")
@click.option("--severity", type=click.Choice(["info", "warning", "critical"]), default="warning", show_default=True)
@pass_workbench
def add_rule(
    workbench: Workbench,
    name: str,
    series: str,
    subject: str,
    above: float | None,
    below: float | None,
    rises: float | None,
    falls: float | None,
    absent: bool,
    anomaly: float | None,
    burns: float | None,
    objective: float,
    span: str,
    clear: float | None,
    clear_for: str,
    severity: str,
) -> None:
    """Raise an alert by a rule; the daemon looks every five seconds.

    \b
    Example: mlops alerts rules add quiet --series deployment.requests --of churn --absent --for 1h
    """
    from mlops_tui.domains.alerts.records import Severity
    from mlops_tui.domains.alerts.rules import Rule, Watch
    from mlops_tui.rules import check

    limits = dict(zip(TESTS, (above, below, rises, falls, anomaly, burns), strict=True))
    given: list[tuple[str, float]] = [(test, limit) for test, limit in limits.items() if limit is not None]
    given += [("absent", 0.0)] if absent else []
    if len(given) != 1:
        raise click.UsageError("Say one of --above, --below, --rises, --falls, --absent, --anomaly or --burns.")
    [(test, limit)] = given
    rule = Rule(
        name, series, subject, Watch(test), limit, clock.parse_span(span), clear, Severity(severity),
        clear_for=clock.parse_span(clear_for), objective=objective,
    )  # fmt: skip
    check(workbench, rule)
    say(f"Raises {severity} alerts: {workbench.alerts.rules.add(rule).words}.")


add_keeping(
    rules,
    Kept(
        noun="rule",
        example="slow",
        room=lambda workbench: workbench.alerts.rules,
        paused="Do not look until resumed; an open alert of it ends.",
        resumed="Look again.",
        removed="Forget a rule; an open alert of it ends.",
    ),
)
