"""What can be done to an alert, a report and a monitored deployment, from their lists and from the page of an incident."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.pages import writing
from mlops_tui.pages.monitoring import deployment, incident
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert


def acknowledge(desk: Acting, one: Alert) -> None:
    """Take it."""
    number = int(one.id)
    back = desk.undo(
        "monitoring.acknowledge", lambda bench: f"Alert {bench.alerts.reopen(number).id} is open.", id=one.id
    )
    desk.perform("acknowledge", lambda bench: f"Alert {bench.alerts.acknowledge(number).id} is acknowledged.",
                 command=f"mlops alerts ack {number}", undo=back)  # fmt: skip


def silence(desk: Acting, one: Alert) -> None:
    """Ask for how long, then silence."""
    fields = (
        Field("hours", "Hours", "4", choices=("1", "4", "8", "24", "72")),
        Field("why", "Why", optional=True),
    )

    def command(answers: Answers) -> str:
        why = f" --why {shlex.quote(answers['why'])}" if answers["why"] else ""
        return f"mlops alerts silence {one.id} --for {answers['hours']}h{why}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            back = desk.undo("monitoring.silence", lambda bench: f"Alert {bench.alerts.reopen(int(one.id)).id} is open.",
                             id=one.id)  # fmt: skip
            desk.perform(
                "silence", lambda bench: _silence(bench, int(one.id), answers), command=command(answers), undo=back
            )

    desk.app.push_screen(Form(f"Silence: {one.title}", fields, "Silence", command), chosen)


def _silence(bench: Workbench, alert: int, answers: Answers) -> str:
    until = bench.context.now() + int(answers["hours"]) * clock.HOUR
    bench.alerts.silence(alert, until, answers["why"])
    return f"Alert {alert} is silent until {clock.local(until)}."


def explain(desk: Acting, name: str, report: int | None) -> None:
    """Find in a worker what a drift is about; it is kept and shown with the report and the incident."""

    def work(bench: Workbench) -> str:
        found = bench.monitoring.insight.explain(name, report)
        first = ", ".join(one.name for one in found.moved[:3])
        return f"Report {found.report}: {first} moved." if first else f"Report {found.report}: no input moved."

    line = f"mlops monitors explain {name}" + (f" --report {report}" if report is not None else "")
    desk.perform(f"explain {name}", work, command=line)


def export(desk: Acting, name: str) -> None:
    """Ask for a file, measure what is new, then write the deployment's monitoring."""

    def command(answers: Answers) -> str:
        force = " --force" if answers["replace"] == "yes" else ""
        return f"mlops monitors report {shlex.quote(name)} --out {shlex.quote(answers['out'])}{force}"

    def work(bench: Workbench, answers: Answers) -> str:
        out = Path(answers["out"]).expanduser()
        writing.check(out, replace=answers["replace"] == "yes")
        bench.serving.compact()
        bench.monitoring.insight.measure(name)
        writing.save(deployment(bench, name), out)
        return f"{out} is written."

    _ask(desk, f"Write the monitoring of {name}", f"{name}.html", command, work)


def write_incident(desk: Acting, alert: int) -> None:
    """Ask for a file, then write the incident."""

    def command(answers: Answers) -> str:
        force = " --force" if answers["replace"] == "yes" else ""
        return f"mlops alerts story {alert} --out {shlex.quote(answers['out'])}{force}"

    def work(bench: Workbench, answers: Answers) -> str:
        out = Path(answers["out"]).expanduser()
        writing.check(out, replace=answers["replace"] == "yes")
        writing.save(incident(bench, alert), out)
        return f"{out} is written."

    _ask(desk, f"Write the incident of alert {alert}", f"alert-{alert}.html", command, work)


def _ask(
    desk: Acting,
    title: str,
    name: str,
    command: Callable[[Answers], str],
    work: Callable[[Workbench, Answers], str],
) -> None:
    fields = (
        Field("out", "File (.html or .md)", name),
        Field("replace", "Replace it when it is there", "no", choices=("no", "yes")),
    )

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            desk.perform("write", lambda bench: work(bench, answers), command=command(answers))

    desk.app.push_screen(Form(title, fields, "Write", command), chosen)
