"""What people were told of alerts, and the times in which nobody is told, as lists of the monitoring desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Fields, Grid, Text
from mlops_tui.tui.lines import Span, number, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.channel_records import Delivery, Maintenance
    from mlops_tui.workbench import Workbench

MESSAGES = 500
LISTED = 20


def deliveries(bench: Workbench) -> list[Delivery]:
    """The newest messages of all channels, newest first."""
    return bench.alerts.telling.deliveries(limit=MESSAGES)


def delivery_detail(bench: Workbench, one: Delivery) -> Sequence[Block]:
    """A message: what it said, of which alerts, and what became of it."""
    now = bench.context.now()
    waiting = str(one.state) == "waiting"
    head = Fields(
        (
            ("State", state(one.state)),
            ("Trouble", (one.error, "bad")),
            ("Channel", one.channel),
            ("Kind", one.kind),
            ("Severity", state(one.severity)),
            ("Made", cells.moment(one.created_at, now)),
            ("Sent", cells.moment(one.sent_at, now)),
            ("Tries", number(one.attempts)),
            ("Next try", cells.moment(one.next_at, now) if waiting else ""),
            ("Alerts", ", ".join(map(str, one.alerts))),
        ),
        title=one.title,
    )
    return (head, Text(one.body, title="Message"))


@dataclass(frozen=True, slots=True)
class Quiet:
    """A time of maintenance, and whether it is on."""

    maintenance: Maintenance
    on: bool

    @property
    def id(self) -> int:
        return self.maintenance.id


def quiet(bench: Workbench) -> list[Quiet]:
    """What is on, then what is to come."""
    now = bench.context.now()
    found = [Quiet(one, one.on(now)) for one in bench.alerts.telling.maintenance()]
    return sorted(found, key=lambda one: (not one.on, one.maintenance.since))


def until(one: Maintenance) -> str:
    """When it is over, as a person says it."""
    return "it is ended" if one.endless else clock.local(one.until)


def when(one: Quiet, now: int) -> str:
    """Its hours each week, else until when, else from when to when."""
    known = one.maintenance
    if known.weekly:
        return known.weekly.words + ("" if known.endless else f" until {clock.local(known.until)}")
    if one.on:
        return f"until {until(known)} ({clock.ago(known.until, now)})" if not known.endless else "until it is ended"
    return f"{clock.local(known.since)} to {until(known)}"


def quiet_detail(bench: Workbench, one: Quiet) -> Sequence[Block]:
    """A time of maintenance: when, of what, and the alerts it keeps quiet now."""
    known, now = one.maintenance, bench.context.now()
    head = Fields(
        (
            ("Now", _on(one)),
            ("From", cells.moment(known.since, now)),
            ("Until", until(known) if known.endless else cells.moment(known.until, now)),
            ("Each week", known.weekly.words if known.weekly else ""),
            ("Of", known.match or "all alerts"),
            ("By", known.by),
            ("Why", known.why),
        ),
        title=f"Maintenance {known.id}",
    )
    mine = [each for each in bench.alerts.list(query=known.match, limit=MESSAGES) if each.active]
    rows = tuple((str(each.id), state(each.severity), each.title) for each in mine[:LISTED])
    more = len(mine) - LISTED
    said = f"and {'more than ' if len(mine) == MESSAGES else ''}{more} more: mlops alerts list" if more > 0 else ""
    title = "Alerts that nobody is told of" if one.on else "Unresolved alerts it is about"
    return (head, Grid(("Alert", "Severity", "What"), rows, title=title, empty="None now."), Text(said, "muted"))


def _on(one: Quiet) -> Span:
    return ("● on", "good") if one.on else ("○ to come", "muted")


DELIVERIES = Section(
    "deliveries",
    "Deliveries",
    deliveries,
    limit=MESSAGES,
    columns=(
        cells.when("Made", lambda one: one.created_at),
        cells.status("State", lambda one: one.state),
        cells.text("Channel", lambda one: one.channel, width=16),
        cells.text("Kind", lambda one: one.kind, width=9, rank=3, role="muted"),
        cells.text("Message", lambda one: one.title, width=40, grow=True),
        cells.count("Tries", lambda one: one.attempts, rank=2),
        cells.text("Trouble", lambda one: one.error, width=30, rank=3, role="bad"),
    ),
    key=lambda one: str(one.id),
    empty=Empty("Nobody was told of anything yet. The daemon sends what is open through the channels.",
                "mlops alerts channels add desk --kind desktop"),
    detail=delivery_detail,
    inside=Inside("alerts", lambda one: " | ".join(f"id:{number}" for number in one.alerts[:LISTED]), "alerts"),
    names=lambda one: {"name": one.channel, "id": one.id},
)  # fmt: skip

MAINTENANCE = Section(
    "maintenance",
    "Maintenance",
    quiet,
    columns=(
        cells.count("Number", lambda one: one.id),
        Column("Now", lambda one, now: _on(one), width=10, kind="text"),
        Column("When", lambda one, now: when(one, now), sort=lambda one: one.maintenance.since, width=44, grow=True),
        cells.text("Of", lambda one: one.maintenance.match or "all alerts", width=24),
        cells.text("By", lambda one: one.maintenance.by, width=12, rank=3),
        cells.text("Why", lambda one: one.maintenance.why, width=30, rank=3, role="muted"),
    ),
    key=lambda one: str(one.id),
    empty=Empty("No maintenance is on or to come: people are told of every alert their channels take.",
                "mlops alerts maintenance begin --for 2h"),
    detail=quiet_detail,
    names=lambda one: {"id": one.id},
)  # fmt: skip

SECTIONS = (DELIVERIES, MAINTENANCE)
