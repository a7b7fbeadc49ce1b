"""Blackouts from the timeline: times in which nothing fires by itself, made by form and lifted again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.domains.schedules import cron
from mlops_tui.domains.schedules.records import Then
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import after, because
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.schedules.records import Blackout

ALL = "all schedules"


def add(desk: Acting) -> None:
    """Ask when and for whom, then keep the blackout; the timeline shows it at once."""
    after(desk, lambda bench: tuple(one.name for one in bench.schedules.list() if one.origin != "workspace"),
          lambda found: _add(desk, found))  # fmt: skip


def _add(desk: Acting, schedules: Sequence[str]) -> None:
    fields = (
        Field("name", "Name", placeholder="office"),
        Field("weekdays", "Every week on", "", "mon-fri, or sat,sun", optional=True),
        Field("hours", "Between", "", "08:00-18:00, or 22:00-06:00 over midnight", optional=True),
        Field("begins", "Or once from", "", "2026-12-24, or 2026-12-24T18:00", optional=True),
        Field("ends", "To", "", "2027-01-02", optional=True),
        Field("timezone", "Time zone", "UTC"),
        Field("only", "For", ALL, choices=(ALL, *schedules)),
        Field("then", "Slots inside", "skip", choices=tuple(Then)),
        Field("why", "Why", optional=True),
    )

    def chosen(answers: Answers | None) -> None:
        if answers is None:
            return
        name = answers["name"]
        back = Undo(_command(answers), f"mlops schedules lift {name} --yes", lambda bench: _lift(bench, name, ""))
        desk.perform("blackout", lambda bench: _keep(bench, answers), command=_command(answers), undo=back)

    desk.app.push_screen(Form("A blackout", fields, "Keep", _command), chosen)


def _command(answers: Answers) -> str:
    options = {
        "--weekdays": answers["weekdays"],
        "--hours": answers["hours"],
        "--from": answers["begins"],
        "--to": answers["ends"],
        "--timezone": "" if answers["timezone"] == "UTC" else answers["timezone"],
        "--only": "" if answers["only"] == ALL else answers["only"],
        "--then": "" if answers["then"] == "skip" else answers["then"],
    }
    given = "".join(f" {option} {shlex.quote(value)}" for option, value in options.items() if value)
    return f"mlops schedules blackout {answers['name'] or 'NAME'}{given}{because(answers)}"


def _keep(bench: Workbench, answers: Answers) -> str:
    zone = answers["timezone"]
    made = bench.schedules.add_blackout(
        answers["name"],
        weekdays=answers["weekdays"],
        hours=answers["hours"],
        timezone=zone,
        begins_at=clock.parse_time(answers["begins"], zone=cron.zone(zone)) if answers["begins"] else None,
        ends_at=clock.parse_time(answers["ends"], zone=cron.zone(zone)) if answers["ends"] else None,
        only=[] if answers["only"] == ALL else [answers["only"]],
        then=answers["then"],
        why=answers["why"],
    )
    now = bench.context.now()
    first = next(
        (one for one in bench.schedules.blackout_windows(now, now + 400 * clock.DAY) if one.name == made.name), None
    )
    when = f"from {clock.local(first.begin)} to {clock.local(first.end)}" if first else "it is over already"
    return f"Blackout {made.name} is kept: {when}."


def lift(desk: Acting) -> None:
    """Ask which one, then forget it; what it kept waiting fires."""
    after(desk, lambda bench: tuple(bench.schedules.blackouts()), lambda found: _choose(desk, found))


def _choose(desk: Acting, blackouts: Sequence[Blackout]) -> None:
    if not blackouts:
        desk.notify("There is no blackout. n makes one.", severity="warning", markup=False)
        return
    known = {one.name: one for one in blackouts}
    on_now = next((one.name for one in blackouts if one.until is not None), blackouts[0].name)
    fields = (Field("name", "Blackout", on_now, choices=tuple(known)), Field("why", "Why", optional=True))

    def command(answers: Answers) -> str:
        return f"mlops schedules lift {answers['name']} --yes{because(answers)}"

    def chosen(answers: Answers | None) -> None:
        if answers is None:
            return
        one = known[answers["name"]]
        back = Undo(command(answers), f"mlops schedules blackout {one.name} ...", lambda bench: _again(bench, one))
        desk.perform("lift", lambda bench: _lift(bench, one.name, answers["why"]), command=command(answers), undo=back)

    desk.app.push_screen(Form("Lift a blackout", fields, "Lift", command), chosen)


def _lift(bench: Workbench, name: str, why: str) -> str:
    bench.schedules.remove_blackout(name, why)
    return f"Blackout {name} is lifted."


def _again(bench: Workbench, one: Blackout) -> str:
    bench.schedules.add_blackout(
        one.name,
        cron=one.cron,
        span_s=one.span_s,
        timezone=one.timezone,
        begins_at=one.begins_at,
        ends_at=one.ends_at,
        only=list(one.only),
        then=one.then,
        why=one.why,
    )
    return f"Blackout {one.name} is kept again."
