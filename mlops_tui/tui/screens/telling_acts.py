"""What can be done with rules, channels and times of maintenance: make one by form, pause it, try it, remove it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.domains.alerts.channel_records import ChannelKind
from mlops_tui.domains.alerts.records import Severity
from mlops_tui.domains.alerts.rules import Rule, Watch
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import after, ask
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Question
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.channel_records import Channel

Again = Callable[[], None]


def real(answers: Answers, name: str, label: str) -> float:
    """A number out of a form. Raises InvalidInput."""
    try:
        return float(answers[name])
    except ValueError:
        raise InvalidInput(f"'{answers[name]}' is no number.", hint=f"{label} wants one, as in 95 or 0.5.") from None


def options(pairs: dict[str, str]) -> str:
    """Those options of a command line that were given."""
    return "".join(f" {name} {shlex.quote(value)}" for name, value in pairs.items() if value)


# -- rules -------------------------------------------------------------------------------------------------------------


def new_rule(desk: Acting) -> None:
    """Ask for a series and when it is wrong, then keep the rule."""
    after(desk, _known, lambda found: _ask_rule(desk, found))


def _known(bench: Workbench) -> tuple[str, ...]:
    from mlops_tui.rules import SERIES

    recorded = (f"hardware.{name}" for name in bench.hardware.series())
    return tuple(dict.fromkeys((*recorded, *SERIES)))


def _ask_rule(desk: Acting, series: tuple[str, ...]) -> None:
    fields = (
        Field("name", "Name", placeholder="hot"),
        Field("series", "Series", "hardware.cpu", choices=tuple(sorted({*series, "hardware.cpu"}))),
        Field("of", "Of", "", "a deployment, run, experiment, job; nothing for the machine", optional=True),
        Field("test", "When it is", "above", choices=tuple(Watch)),
        Field("limit", "Limit", "95", "95; percent of a change, spreads of an anomaly, times of a burn", optional=True),
        Field("span", "For", "5m", "30s, 5m, 1h, 7d"),
        Field("clear", "Ends beyond", "", "the limit, unless you say another", optional=True),
        Field("clear_for", "Ends after", "0s", "10m without its condition"),
        Field("objective", "Objective, %", "", "99.9, of a burn only", optional=True),
        Field("severity", "Severity", "warning", choices=tuple(Severity)),
    )

    def act(answers: Answers, again: Again) -> None:
        name = answers["name"]
        back = Undo(
            rule_command(answers), f"mlops alerts rules remove {name} --yes", lambda bench: _unrule(bench, name)
        )
        desk.perform("new rule", lambda bench: _keep_rule(bench, answers), command=rule_command(answers), undo=back,
                     otherwise=again, then=lambda: desk.find(name))  # fmt: skip

    ask(desk, "A rule", fields, "Keep", rule_command, act)


def rule_command(answers: Answers) -> str:
    """The command line of a new rule."""
    test = " --absent" if answers["test"] == "absent" else f" --{answers['test']} {answers['limit'] or 'LIMIT'}"
    given = {
        "--of": answers["of"],
        "--objective": answers["objective"] if answers["test"] == "burns" else "",
        "--for": answers["span"],
        "--clear": answers["clear"],
        "--clear-for": "" if answers["clear_for"] == "0s" else answers["clear_for"],
        "--severity": "" if answers["severity"] == "warning" else answers["severity"],
    }
    return f"mlops alerts rules add {answers['name'] or 'NAME'} --series {answers['series']}{test}{options(given)}"


def _keep_rule(bench: Workbench, answers: Answers) -> str:
    from mlops_tui.rules import check

    rule = Rule(
        answers["name"],
        answers["series"],
        answers["of"],
        Watch(answers["test"]),
        0.0 if answers["test"] == "absent" else real(answers, "limit", "Limit"),
        clock.parse_span(answers["span"]),
        real(answers, "clear", "Ends beyond") if answers["clear"] else None,
        Severity(answers["severity"]),
        clear_for=clock.parse_span(answers["clear_for"]),
        objective=real(answers, "objective", "Objective") if answers["objective"] else 0.0,
    )
    check(bench, rule)
    return f"Raises {rule.severity} alerts: {bench.alerts.rules.add(rule).words}."


def _unrule(bench: Workbench, name: str) -> str:
    bench.alerts.rules.remove(name)
    return f"The rule {name} is gone."


def remove_rule(desk: Acting, rule: Rule) -> None:
    """Confirm, then forget a rule."""

    def back(bench: Workbench) -> str:
        return f"The rule is kept again: {bench.alerts.rules.add(rule).words}."

    _remove(desk, "rule", rule.name, f"{rule.words}. It is forgotten; its open alert ends.",
            lambda bench: _unrule(bench, rule.name), back)  # fmt: skip


def _remove(
    desk: Acting, noun: str, name: str, effect: str, work: Callable[[Workbench], str], back: Callable[[Workbench], str]
) -> None:
    place = f"mlops alerts {noun}s"
    command = f"{place} remove {name} --yes"
    again = Undo(command, f"{place} add {name} ...", back)

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform(f"remove {name}", work, command=command, undo=again)

    desk.app.push_screen(Confirm(Question(f"Remove the {noun} {name}?", effect, command, "Remove")), decided)


# -- channels ----------------------------------------------------------------------------------------------------------


def new_channel(desk: Acting) -> None:
    """Ask who is told and of what, then keep the channel."""
    fields = (
        Field("name", "Name", placeholder="ops"),
        Field("kind", "Kind", "desktop", choices=tuple(ChannelKind)),
        Field("target", "To", "", "address, URL or program; {NAME} is a secret", optional=True),
        Field("options", "Options", "", "server=smtp.example.org:587 user=ops", optional=True),
        Field("severity", "From", "warning", choices=tuple(Severity)),
        Field("match", "Match", "", "subject:churn; nothing means all", optional=True),
        Field("after", "Escalate after", "0s", "30m without acknowledgement"),
        Field("repeat", "Tell again", "", "critical 4h, others 24h", optional=True),
        Field("per_hour", "At most an hour", "20"),
        Field("resolved", "Tell the end", "yes", choices=("yes", "no")),
    )

    def act(answers: Answers, again: Again) -> None:
        name = answers["name"]
        back = Undo(channel_command(answers), f"mlops alerts channels remove {name} --yes",
                    lambda bench: _unchannel(bench, name))  # fmt: skip
        desk.perform("new channel", lambda bench: _keep_channel(bench, answers), command=channel_command(answers), undo=back,
                     otherwise=again, then=lambda: desk.find(name))  # fmt: skip

    ask(desk, "A channel", fields, "Keep", channel_command, act)


def channel_command(answers: Answers) -> str:
    """The command line of a new channel."""
    given = {
        "--to": answers["target"],
        "--severity": "" if answers["severity"] == "warning" else answers["severity"],
        "--match": answers["match"],
        "--after": "" if answers["after"] == "0s" else answers["after"],
        "--repeat": answers["repeat"],
        "--per-hour": "" if answers["per_hour"] == "20" else answers["per_hour"],
    }
    each = "".join(f" --option {shlex.quote(one)}" for one in answers["options"].split())
    quiet = " --no-resolved" if answers["resolved"] == "no" else ""
    return (
        f"mlops alerts channels add {answers['name'] or 'NAME'} --kind {answers['kind']}{options(given)}{each}{quiet}"
    )


def _keep_channel(bench: Workbench, answers: Answers) -> str:
    pairs = [one.partition("=") for one in answers["options"].split()]
    if not all(equals for _, equals, _ in pairs):
        raise InvalidInput("An option is KEY=VALUE.", hint="server=smtp.example.org:587 user=ops, spaces between them.")
    made = bench.alerts.telling.add(
        answers["name"],
        answers["kind"],
        answers["target"],
        options={key: value for key, _, value in pairs},
        severity=Severity(answers["severity"]),
        match=answers["match"],
        after=clock.parse_span(answers["after"]),
        repeat=clock.parse_span(answers["repeat"]) if answers["repeat"] else None,
        per_hour=int(real(answers, "per_hour", "At most an hour")),
        resolved=answers["resolved"] == "yes",
    )
    waits = "" if bench.daemon_alive() else " No daemon runs, so nothing is sent yet."
    return f"The channel {made.name} is there; t tries it.{waits}"


def _unchannel(bench: Workbench, name: str) -> str:
    bench.alerts.telling.remove(name)
    return f"The channel {name} is gone."


def remove_channel(desk: Acting, channel: Channel) -> None:
    """Confirm, then forget a channel."""

    def back(bench: Workbench) -> str:
        kept = ("options", "severity", "match", "after", "repeat", "per_hour", "resolved")
        settings: dict[str, Any] = {name: getattr(channel, name) for name in kept}
        bench.alerts.telling.add(channel.name, channel.kind, channel.target, **settings)
        return f"The channel {channel.name} is there again, and tells of what is open."

    effect = "Nobody is told through it any more, and what waits for it is given up; what it told stays in the list."
    _remove(desk, "channel", channel.name, effect, lambda bench: _unchannel(bench, channel.name), back)


def test(desk: Acting, name: str) -> None:
    """Send a test message in a worker."""

    def work(bench: Workbench) -> str:
        outcome = bench.alerts.telling.test(name)
        if outcome.state != "sent":
            raise Unavailable(f"{name} did not take it: {outcome.error}")
        return f"{name} took the test message."

    desk.perform(f"test {name}", work)


def pause(desk: Acting, action: str, room: Callable[[Workbench], Any], name: str, *, on: bool) -> None:
    """Pause or resume a rule or a channel, by the action of the registry that says so; `room` keeps them."""

    def work(bench: Workbench, paused: bool) -> str:
        return f"{room(bench).pause(name, paused).name} {'is paused' if paused else 'is resumed'}."

    desk.perform(f"{'pause' if on else 'resume'} {name}", lambda bench: work(bench, on),
                 undo=desk.undo(action, lambda bench: work(bench, not on)))  # fmt: skip
