"""What can be done to an alert, a report and a monitored deployment, from their lists and from the page of an incident."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import NotAllowed, NotFound
from mlops_tui.core.ids import check_name
from mlops_tui.domains.alerts.records import Severity
from mlops_tui.pages import writing
from mlops_tui.pages.monitoring import deployment, incident
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import ask, because
from mlops_tui.tui.widgets.dialogs import Answers, Field
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert


def chosen(desk: Acting) -> list[int]:
    """The numbers of the alerts an act is about: the marked ones, else the one under the cursor."""
    return [int(key) for key in desk.here.marks.keys] or [int(desk.record.id)]


def named(alerts: Sequence[int]) -> str:
    """One alert by its number, more by how many they are."""
    return f"alert {alerts[0]}" if len(alerts) == 1 else f"{len(alerts)} alerts"


def _titled(desk: Acting, alerts: Sequence[int]) -> str:
    """The same with its title, where there is one."""
    one = desk.situation.record
    return (
        f"{named(alerts)}: {one.title}" if len(alerts) == 1 and getattr(one, "id", None) == alerts[0] else named(alerts)
    )


def numbers(alerts: Sequence[object]) -> str:
    """As a command line names them."""
    return " ".join(map(str, alerts[:20])) + (" ..." if len(alerts) > 20 else "")


def _each(bench: Workbench, alerts: Sequence[int], move: Callable[[Workbench, int], Alert], said: str) -> str:
    """Move every alert that can be; what to say of it. Raises what the only one, or all of them, raised."""
    moved, refused = [], []
    for number in alerts:
        try:
            moved.append(move(bench, number))
        except (NotAllowed, NotFound) as error:
            refused.append(error)
    if not moved:
        raise refused[0]
    left = f"; {len(refused)} could not be" if refused else ""
    return f"{named([int(one.id) for one in moved]).capitalize()} {'is' if len(moved) == 1 else 'are'} {said}{left}."


def _back(command: str, alerts: Sequence[int]) -> Undo:
    work = lambda bench: _each(bench, alerts, lambda bench, one: bench.alerts.reopen(one), "open")  # noqa: E731
    return Undo(command, f"mlops alerts reopen {numbers(alerts)}", work)


def _unmark(desk: Acting) -> Callable[[], None]:
    def clear() -> None:
        desk.here.marks.clear()

    return clear


def acknowledge(desk: Acting, alerts: Sequence[int]) -> None:
    """Take them."""
    command = f"mlops alerts ack {numbers(alerts)}"
    desk.perform("acknowledge", lambda bench: _each(bench, alerts, lambda bench, one: bench.alerts.acknowledge(one), "acknowledged"),
                 command=command, undo=_back(command, alerts), then=_unmark(desk))  # fmt: skip


def reopen(desk: Acting, alerts: Sequence[int]) -> None:
    """Take acknowledgement and silence back, whoever gave them."""
    command = f"mlops alerts reopen {numbers(alerts)}"
    desk.perform("reopen", lambda bench: _each(bench, alerts, lambda bench, one: bench.alerts.reopen(one), "open"),
                 command=command, then=_unmark(desk))  # fmt: skip


def silence(desk: Acting, alerts: Sequence[int]) -> None:
    """Ask for how long, then silence."""
    fields = (Field("span", "For", "4h", "30m, 4h, 7d"), Field("why", "Why", optional=True))

    def command(answers: Answers) -> str:
        return f"mlops alerts silence {numbers(alerts)} --for {answers['span']}{because(answers)}"

    def act(answers: Answers, again: Callable[[], None]) -> None:
        desk.perform("silence", lambda bench: _silence(bench, alerts, answers), command=command(answers),
                     undo=_back(command(answers), alerts), otherwise=again, then=_unmark(desk))  # fmt: skip

    ask(desk, f"Silence {_titled(desk, alerts)}", fields, "Silence", command, act)


def _silence(bench: Workbench, alerts: Sequence[int], answers: Answers) -> str:
    until = bench.context.now() + clock.parse_span(answers["span"])
    move = lambda bench, one: bench.alerts.silence(one, until, answers["why"])  # noqa: E731
    return _each(bench, alerts, move, f"silent until {clock.local(until)}")


def resolve(desk: Acting, alerts: Sequence[int]) -> None:
    """Ask why, then end them; there is no way back, so the form is the question."""
    fields = (Field("why", "Why", "", "retrained; nothing is fine, too", optional=True),)

    def command(answers: Answers) -> str:
        return f"mlops alerts resolve {numbers(alerts)}{because(answers)}"

    def act(answers: Answers, again: Callable[[], None]) -> None:
        move = lambda bench, one: bench.alerts.resolve(one, answers["why"])  # noqa: E731
        desk.perform("resolve", lambda bench: _each(bench, alerts, move, "resolved"), command=command(answers),
                     then=_unmark(desk))  # fmt: skip

    ask(desk, f"Resolve {_titled(desk, alerts)}?", fields, "Resolve", command, act)


def raise_one(desk: Acting) -> None:
    """Ask what is wrong with what, then raise an alert as a script would."""
    fields = (
        Field("rule", "What is wrong", "", "backup"),
        Field("subject", "With what", "", "nas"),
        Field("title", "Title", "", "No backup since Friday"),
        Field("detail", "More of it", optional=True),
        Field("severity", "Severity", "warning", choices=tuple(Severity)),
    )

    def command(answers: Answers) -> str:
        named = f"{answers['rule'] or 'RULE'} {shlex.quote(answers['subject']) if answers['subject'] else 'SUBJECT'}"
        more = f" --detail {shlex.quote(answers['detail'])}" if answers["detail"] else ""
        return (
            f"mlops alerts raise {named} --title {shlex.quote(answers['title'])} --severity {answers['severity']}{more}"
        )

    def act(answers: Answers, again: Callable[[], None]) -> None:
        made: list[int] = []

        def work(bench: Workbench) -> str:
            one = bench.alerts.raise_alert(
                check_name("rule", answers["rule"]),
                answers["subject"],
                severity=answers["severity"],
                title=answers["title"],
                detail=answers["detail"],
            )
            made.append(one.id)
            return f"Alert {one.id} is open{f', {one.count} times' if one.count > 1 else ''}."

        desk.perform("raise", work, command=command(answers), otherwise=again, then=lambda: desk.find(str(made[0])))

    ask(desk, "Raise an alert", fields, "Raise", command, act)


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

    _write(desk, f"Write the monitoring of {name}", f"{name}.html", command, work)


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

    _write(desk, f"Write the incident of alert {alert}", f"alert-{alert}.html", command, work)


def _write(
    desk: Acting,
    title: str,
    name: str,
    command: Callable[[Answers], str],
    work: Callable[[Workbench, Answers], str],
) -> None:
    fields = (
        Field("out", "File (.html, .md)", name),
        Field("replace", "Replace it", "no", choices=("no", "yes")),
    )

    def act(answers: Answers, again: Callable[[], None]) -> None:
        desk.perform("write", lambda bench: work(bench, answers), command=command(answers), otherwise=again)

    ask(desk, title, fields, "Write", command, act)
