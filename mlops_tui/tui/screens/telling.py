"""Rules of one's own and channels, as lists of the monitoring desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.domains.alerts.records import Severity
from mlops_tui.domains.alerts.rules import Watch
from mlops_tui.tui.blocks import Block, Chart, Fields, Grid, Text
from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.lines import number, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.states import Empty

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.channel_records import Channel, Maintenance
    from mlops_tui.domains.alerts.rules import Rule
    from mlops_tui.workbench import Workbench

MESSAGES = 20
SPANS, POINTS = 6, 200
STEP = 10 * clock.SECOND
"""How much of a rule's series is drawn, and how finely."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A rule with what it says now."""

    rule: Rule
    finding: str
    value: float | None
    reason: str

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def paused(self) -> bool:
        return self.rule.paused


def standings(bench: Workbench) -> list[Standing]:
    """Every rule, looked at."""
    from mlops_tui.rules import source

    found = []
    for rule in bench.alerts.rules.list():
        judged = bench.alerts.rules.look(rule, source(bench))
        word = "paused" if rule.paused else {"holds": "open", "clear": "ok"}.get(judged.finding, str(judged.finding))
        found.append(Standing(rule, word, judged.value, "" if rule.paused else judged.reason))
    return found


def rule_detail(bench: Workbench, one: Standing) -> Sequence[Block]:
    """A rule: what it says, when it ends, and the alerts it raised."""
    rule, now = one.rule, bench.context.now()
    head = Fields(
        (
            ("Raises", rule.words),
            ("Now", state(one.finding)),
            ("Because", one.reason),
            ("Value", number(one.value)),
            ("Ends beyond", number(rule.clear) if rule.clear is not None else ""),
            ("Ends after", f"{clock.duration(rule.clear_for)} without it" if rule.clear_for else ""),
            *_learned(bench, rule),
            ("Severity", state(rule.severity)),
            ("Made", f"{cells.moment(rule.created_at, now)} by {rule.created_by}"),
        ),
        title=rule.name,
    )
    plot = watched(bench, rule)
    charts = [Chart(plot, title=rule.series)] if plot is not None else []
    raised = tuple(
        (str(alert.id), state(alert.state), clock.ago(alert.first_at, now), alert.detail)
        for alert in bench.alerts.list(rule=f"rule:{rule.name}", limit=MESSAGES)
    )
    return (head, *charts, Grid(("Alert", "State", "First", "What"), raised, title="Raised"))


def watched(bench: Workbench, rule: Rule) -> Plot | None:
    """What a rule looks at, over six of its spans or an hour, with the limits that stay where they are; None without values."""
    from mlops_tui.rules import values

    now = bench.context.now()
    back = max(SPANS * rule.reach, clock.HOUR)
    found = values(bench, rule, now - back, max(STEP, back // POINTS))
    if len(found) < 2:
        return None
    at, ends = tuple(float(one[0]) for one in found), (float(found[0][0]), float(found[-1][0]))
    limits = {"limit": rule.limit if rule.test in (Watch.ABOVE, Watch.BELOW) else None, "ends beyond": rule.clear}
    curves = [Series(rule.series.partition(".")[2], at, tuple(float(one[1]) for one in found))]
    curves += [Series(name, ends, (value, value)) for name, value in limits.items() if value is not None]
    return Plot(tuple(curves), x=ticks.TIME)


def _learned(bench: Workbench, rule: Rule) -> tuple[tuple[str, str], ...]:
    """What a rule that learns holds for normal now."""
    normal = bench.alerts.rules.normal(rule.name)
    if normal is None:
        return ()
    level, spread = normal.at(bench.context.now())
    return (
        ("Normal now", f"{level:.4g} +- {spread:.2g}, learned for each {normal.season}"),
        ("Odd before", f"{normal.odd} of {normal.seen} spans"),
    )


def _quiet(one: Maintenance, now: int) -> str:
    """One time of maintenance: whether it is on, when, and of what."""
    when = one.weekly.words if one.weekly else f"until {cells.moment(one.until, now)}"
    return f"{'now, ' if one.on(now) else ''}{when}{f', {one.match}' if one.match else ''}"


def _repeats(one: Channel) -> str:
    """How long what waits is not told again; how often a heartbeat beats."""
    if str(one.kind) == "heartbeat":
        return f"beats every {clock.duration(one.beats_after)}"
    after = {each: one.repeats_after(each) for each in Severity}
    if len(set(after.values())) == 1:
        return clock.duration(after[Severity.CRITICAL])
    return f"critical after {clock.duration(after[Severity.CRITICAL])}, others after {clock.duration(after[Severity.INFO])}"


def channel_detail(bench: Workbench, one: Channel) -> Sequence[Block]:
    """A channel: what it tells of, and its newest messages."""
    now = bench.context.now()
    head = Fields(
        (
            ("State", state("paused" if one.paused else "active")),
            ("Kind", one.kind),
            ("To", one.target),
            ("Tells of", f"{one.severity} and worse{f', {one.match}' if one.match else ''}"),
            ("Escalates", f"after {clock.duration(one.after)} without acknowledgement" if one.after else ""),
            ("Again", _repeats(one)),
            ("At most", f"{one.per_hour} messages an hour"),
            ("Quiet", "; ".join(_quiet(each, now) for each in bench.alerts.telling.maintenance())),
            ("Made", f"{cells.moment(one.created_at, now)} by {one.created_by}"),
        ),
        title=one.name,
    )
    said = tuple(
        (
            clock.ago(message.created_at, now),
            state(message.state),
            f"{message.title}{f': {message.error}' if message.error else ''}",
        )
        for message in bench.alerts.telling.deliveries(channel=one.name, limit=MESSAGES)
    )
    if not said:
        return (head, Text("Nothing was told yet: t sends a test.", "muted"))
    return (head, Grid(("When", "State", "What"), said, title="Messages"))


SECTIONS: tuple[Section, ...] = (
    Section(
        "rules",
        "Rules",
        standings,
        columns=(
            cells.text("Name", lambda one: one.name, width=20),
            cells.status("Now", lambda one: one.finding),
            cells.text("Raises", lambda one: one.rule.words, width=40, grow=True),
            cells.status("Severity", lambda one: one.rule.severity, rank=2),
            cells.text("Because", lambda one: one.reason, width=28, rank=3, role="muted"),
        ),
        key=lambda one: str(one.name),
        empty=Empty(
            "No rules of your own. One raises an alert when a series is above, below, absent or changed for a while.",
            "mlops alerts rules add hot --series hardware.cpu --above 95 --for 10m",
        ),
        detail=rule_detail,
        inside=Inside("alerts", lambda one: f'rule:"rule:{one.name}"', "alerts"),
        watches=frozenset({"catalog", "telemetry"}),
        names=lambda one: {"name": one.name},
    ),
    Section(
        "channels",
        "Channels",
        lambda bench: bench.alerts.telling.channels(),
        columns=(
            cells.text("Channel", lambda one: one.name, width=20),
            cells.text("Kind", lambda one: one.kind, width=9),
            cells.status("State", lambda one: "paused" if one.paused else "active"),
            cells.status("From", lambda one: one.severity, rank=2),
            cells.text("Match", lambda one: one.match or "all", width=20, rank=3),
            cells.text("To", lambda one: one.target or "-", width=30, grow=True, role="muted"),
        ),
        key=lambda one: str(one.name),
        empty=Empty(
            "Nobody is told of alerts. A channel is e-mail, a webhook, a chat, the desktop or a program of yours.",
            "mlops alerts channels add desk --kind desktop",
        ),
        detail=channel_detail,
        inside=Inside("deliveries", lambda one: f"channel:{one.name}", "deliveries"),
        names=lambda one: {"name": one.name},
    ),
)
