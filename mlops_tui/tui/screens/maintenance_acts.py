"""Times in which nobody is told of alerts: begun by form, ended, and begun again where that was a mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.alerts.channel_records import FOREVER
from mlops_tui.domains.alerts.recurring import Weekly
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import ask, because
from mlops_tui.tui.screens.messages import until
from mlops_tui.tui.screens.telling_acts import options
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Question
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.channel_records import Maintenance


def begin(desk: Acting) -> None:
    """Ask when and of what, then tell nobody."""
    fields = (
        Field("span", "For", "2h", "2h; of what comes each week: in all, or nothing for good", optional=True),
        Field("at", "From", "now", "now, or 2026-11-30T22:00"),
        Field("weekdays", "Each week on", "", "mon-fri, or sat,sun", optional=True),
        Field("hours", "Between", "", "02:00-04:00, or 22:00-06:00 over midnight", optional=True),
        Field("timezone", "Time zone", "UTC"),
        Field("match", "Of", "", "subject:churn; nothing means all alerts", optional=True),
        Field("why", "Why", optional=True),
    )

    def act(answers: Answers, again: Callable[[], None]) -> None:
        made: list[int] = []

        def work(bench: Workbench) -> str:
            one = _begin(bench, answers)
            made.append(one.id)
            when = "now" if one.since <= bench.context.now() else clock.local(one.since)
            return f"Maintenance {one.id} from {when} until {until(one)}."

        back = Undo(command(answers), "mlops alerts maintenance end NUMBER", lambda bench: _end(bench, made[0], ""))
        desk.perform("begin maintenance", work, command=command(answers), undo=back, otherwise=again,
                     then=lambda: desk.find(str(made[0])))  # fmt: skip

    ask(desk, "Maintenance: nobody is told of alerts", fields, "Begin", command, act)


def command(answers: Answers) -> str:
    """The command line of a new time of maintenance."""
    given = {
        "--for": answers["span"],
        "--at": "" if answers["at"] == "now" else answers["at"],
        "--weekdays": answers["weekdays"],
        "--hours": answers["hours"],
        "--timezone": "" if answers["timezone"] == "UTC" else answers["timezone"],
        "--match": answers["match"],
    }
    return f"mlops alerts maintenance begin{options(given)}{because(answers)}"


def _begin(bench: Workbench, answers: Answers) -> Maintenance:
    now = bench.context.now()
    days, hours = answers["weekdays"], answers["hours"]
    weekly = Weekly(days or "*", hours or "00:00-24:00", answers["timezone"]) if days or hours else None
    if not answers["span"] and weekly is None:
        raise InvalidInput("Say how long, or when each week.", hint="For 2h, or each week on sun between 02:00-04:00.")
    since = now if answers["at"] == "now" else clock.parse_time(answers["at"], now=now)
    end = since + clock.parse_span(answers["span"]) if answers["span"] else FOREVER
    return bench.alerts.telling.quiet(answers["match"], since, end, answers["why"], weekly=weekly)


def end(desk: Acting, one: Maintenance) -> None:
    """Confirm, then end it; what is open is told."""
    line = f"mlops alerts maintenance end {one.id}"

    def back(bench: Workbench) -> str:
        since = max(one.since, bench.context.now())
        new = bench.alerts.telling.quiet(one.match, since, one.until, one.why, weekly=one.weekly)
        return f"It is on again as maintenance {new.id}."

    again = Undo(line, "mlops alerts maintenance begin ...", back)
    each = f", each week {one.weekly.words}" if one.weekly else ""
    effect = f"Of {one.match or 'all alerts'}{each}. People are told again, of what is open as well."

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform("end maintenance", lambda bench: _end(bench, one.id, ""), command=line, undo=again)

    desk.app.push_screen(Confirm(Question(f"End maintenance {one.id}?", effect, line, "End it")), decided)


def _end(bench: Workbench, number: int, why: str) -> str:
    bench.alerts.telling.end_quiet(number, why)
    return f"Maintenance {number} has ended."
