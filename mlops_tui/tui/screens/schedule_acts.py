"""What can be done to schedules: make one by form, fire it, make up for past slots, forget it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from mlops_tui.core import clock
from mlops_tui.domains.schedules.records import Missed, Overlap
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import after, because
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.workbench import Workbench


def schedule(desk: Acting, then: Callable[[str], None]) -> None:
    """Ask for pipeline, cron line and policies, then keep the rule."""
    after(desk, lambda bench: tuple(one.name for one in bench.pipelines.list() if not one.problems),
          lambda found: _schedule(desk, found, then))  # fmt: skip


def _schedule(desk: Acting, pipelines: Sequence[str], then: Callable[[str], None]) -> None:
    if not pipelines:
        desk.notify("There is no pipeline to run. Make one: mlops pipelines new NAME", severity="warning", markup=False)
        return
    fields = (
        Field("name", "Name", placeholder="nightly"),
        Field("pipeline", "Pipeline", pipelines[0], choices=tuple(pipelines)),
        Field("cron", "Cron", "0 3 * * *", "minute hour day month weekday, @daily or @every 15m"),
        Field("timezone", "Time zone", "UTC"),
        Field("missed", "When missed", "latest", choices=tuple(Missed)),
        Field("overlap", "While one runs", "skip", choices=tuple(Overlap)),
        Field("why", "Why", optional=True),
    )

    def command(answers: Answers) -> str:
        given = answers if answers["name"] else {**answers, "name": "NAME"}
        return (
            f"mlops schedules add {given['name']} {given['pipeline']} --cron {shlex.quote(given['cron'])}"
            f" --timezone {given['timezone']} --missed {given['missed']} --overlap {given['overlap']}{because(given)}"
        )

    def work(bench: Workbench, answers: Answers) -> str:
        made = bench.schedules.add(**answers)  # type: ignore[arg-type]
        due = f"next {clock.local(made.next_due)}" if made.next_due else "it never fires"
        return f"{made.name} runs {made.pipeline}: {due}."

    def chosen(answers: Answers | None) -> None:
        if answers is None:
            return
        name = answers["name"]

        def back(bench: Workbench) -> str:
            bench.schedules.remove(name)
            return f"{name} is gone."

        desk.perform("new schedule", lambda bench: work(bench, answers), command=command(answers), then=lambda: then(name),
                     undo=Undo(command(answers), f"mlops schedules remove {name} --yes", back))  # fmt: skip

    desk.app.push_screen(Form("A schedule", fields, "Keep", command), chosen)


def fire(desk: Acting, name: str) -> None:
    """Fire a rule now, whatever holds it back."""
    alone = desk.workbench_app.daemon is False

    def work(bench: Workbench) -> str:
        made = bench.schedules.fire(name)
        if alone and made.job_id:
            bench.jobs.run_here(bench.jobs.get(made.job_id))
        return f"{name} fired" + (f" as job {made.job_id}." if made.job_id else ".")

    desk.perform(f"fire {name}", work, command=f"mlops schedules fire {name}")


def backfill(desk: Acting, name: str) -> None:
    """Ask for the span, show what would come of each slot, then make up for them."""
    fields = (
        Field("since", "From", "7d", "7d, or 2026-11-01"),
        Field("until", "To", "now"),
        Field("why", "Why", optional=True),
    )

    def command(answers: Answers) -> str:
        return f"mlops schedules backfill {name} --from {answers['since']} --to {answers['until']}{because(answers)}"

    def plan(bench: Workbench, answers: Answers, *, dry_run: bool) -> list[str]:
        now = bench.context.now()
        since, until = (clock.parse_time(answers[name], now=now) for name in ("since", "until"))
        found = bench.schedules.backfill(name, since, until, why=answers["why"], dry_run=dry_run)
        return [one.state for one in found]

    def told(bench: Workbench, answers: Answers) -> str:
        states = plan(bench, answers, dry_run=True)
        return (
            ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
            or "there is no slot in that time"
        )

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            after(desk, lambda bench: told(bench, answers), lambda said: confirm(answers, said))

    def confirm(answers: Answers, said: str) -> None:
        question = Question(f"Make up for slots of {name}?", f"Slots: {said}. They run one after another, behind those of today.",
                            command(answers), "Backfill")  # fmt: skip

        def decided(yes: bool | None) -> None:
            if yes:
                desk.perform("backfill", lambda bench: f"{len(plan(bench, answers, dry_run=False))} slots looked at.",
                             command=command(answers))  # fmt: skip

        desk.app.push_screen(Confirm(question), decided)

    desk.app.push_screen(Form(f"Backfill {name}", fields, "Go on", command), chosen)


def remove(desk: Acting, name: str) -> None:
    """Confirm, then forget a rule made by hand."""
    command = f"mlops schedules remove {name} --yes"

    def work(bench: Workbench) -> str:
        bench.schedules.remove(name)
        return f"{name} is gone."

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform("remove", work, command=command)

    question = Question(
        f"Remove the schedule {name}?",
        "The rule and its fires are forgotten; the jobs it started stay.",
        command,
        "Remove",
    )
    desk.app.push_screen(Confirm(question), decided)
