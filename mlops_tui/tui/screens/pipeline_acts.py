"""What can be done to pipelines, their runs, packages and schedules: every act with its command line and the way back."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from mlops_tui.core import clock
from mlops_tui.domains.pipelines.records import Environment
from mlops_tui.domains.schedules.records import Missed, Overlap
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import after
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.tui.widgets.writing import Writing
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.domains.pipelines.records import PipelineRun

TEMPLATES = ("regression", "classification", "semi-supervised", "clustering", "anomaly")
UNSUPERVISED = frozenset({"clustering", "anomaly"})


def _why(answers: Answers) -> str:
    return f" --why {shlex.quote(answers['why'])}" if answers.get("why") else ""


# -- definitions -------------------------------------------------------------------------------------------------------


def new(desk: Acting, then: Callable[[str], None]) -> None:
    """Ask for name, template, table and target, then write the definition from the template."""
    after(
        desk, lambda bench: tuple(table.name for table in bench.features.list()), lambda found: _new(desk, found, then)
    )


def _new(desk: Acting, tables: Sequence[str], then: Callable[[str], None]) -> None:
    fields = (
        Field("name", "Name", placeholder="churn"),
        Field("template", "Template", "regression", choices=TEMPLATES),
        Field("spine", "Table", tables[0], choices=tuple(tables)) if tables else Field("spine", "Table", "labels"),
        Field("target", "Target", placeholder="the column to predict", optional=True),
    )

    def command(answers: Answers) -> str:
        target = f" --target {shlex.quote(answers['target'])}" if answers["target"] else ""
        name = shlex.quote(answers["name"]) if answers["name"] else "NAME"
        return f"mlops pipelines new {name} --template {answers['template']} --spine {answers['spine']}{target}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            desk.perform("new pipeline", lambda bench: _written(bench, answers), command=command(answers),
                         then=lambda: then(answers["name"]))  # fmt: skip

    desk.app.push_screen(Form("A pipeline from a template", fields, "Write it", command), chosen)


def _written(bench: Workbench, answers: Answers) -> str:
    target = answers["target"] or "target"
    path = bench.pipelines.new(answers["name"], answers["template"], spine=answers["spine"], target=target)
    return f"Wrote {path.name}. Look through it (E edits), then r runs it."


def edit(desk: Acting, name: str, then: Callable[[], None]) -> None:
    """The definition in the user's editor, else in a dialog; what it says afterwards is validated and shown."""
    after(desk, lambda bench: Path(bench.pipelines.get(name).path), lambda path: _edit(desk, name, path, then))


def _edit(desk: Acting, name: str, path: Path, then: Callable[[], None]) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    if editor and _in_editor(desk, editor, path):
        desk.perform(f"edit {name}", lambda bench: _checked(bench, path), command=f"$EDITOR {path.name}", then=then)
        return
    after(desk, lambda bench: path.read_text(encoding="utf-8"), lambda text: _in_dialog(desk, name, path, text, then))


def _in_editor(desk: Acting, editor: str, path: Path) -> bool:
    """Whether an editor could be shown."""
    try:
        with desk.app.suspend():
            subprocess.run([*shlex.split(editor), str(path)], check=False)
    except (SuspendNotSupported, OSError, ValueError):
        return False
    desk.app.refresh(layout=True)
    return True


def _in_dialog(desk: Acting, name: str, path: Path, before: str, then: Callable[[], None]) -> None:
    def work(bench: Workbench, text: str, known: str) -> str:
        bench.pipelines.rewrite(name, text, known)
        return _checked(bench, path)

    def kept(text: str | None) -> None:
        if text is None or text == before:
            return
        command = f"$EDITOR pipelines/{path.name}"
        back = Undo(command, command, lambda bench: work(bench, before, text))
        desk.perform(f"edit {name}", lambda bench: work(bench, text, before), command=command, then=then, undo=back)

    desk.app.push_screen(Writing(path.name, before), kept)


def _checked(bench: Workbench, path: Path) -> str:
    problems = bench.pipelines.validate(path)
    if not problems:
        return f"{path.name} is right."
    return (
        f"{path.name} has {len(problems)} {'mistake' if len(problems) == 1 else 'mistakes'}; the first: {problems[0]}"
    )


# -- runs --------------------------------------------------------------------------------------------------------------


def _start(
    desk: Acting, title: str, command: str, ask: Callable[[Workbench], Job], then: Callable[[str], None]
) -> None:
    """Queue a job that runs a pipeline; without a daemon it is started from here and outlives us."""
    alone = desk.workbench_app.daemon is False
    made: list[str] = []

    def work(bench: Workbench) -> str:
        job = ask(bench)
        made[:] = [str(job.spec["run_id"]), str(job.id)]
        if alone:
            bench.jobs.run_here(job)
        return f"{job.name} is job {job.id}."

    back = Undo(
        command, "mlops jobs cancel JOB", lambda bench: f"Job {bench.jobs.cancel(int(made[1])).id} is cancelled."
    )
    desk.perform(title, work, command=command, then=lambda: then(made[0]), undo=back)


def run(desk: Acting, name: str, then: Callable[[str], None]) -> None:
    """Run a pipeline."""
    _start(desk, f"run {name}", f"mlops pipelines run {name}",
           lambda bench: bench.pipelines.run(name, cause={"kind": "manual", "by": bench.actor}), then)  # fmt: skip


def resume(desk: Acting, one: PipelineRun, then: Callable[[str], None]) -> None:
    """Go on with a run that ended early."""
    _start(
        desk, "go on", f"mlops pipelines run --resume {one.id[:8]}", lambda bench: bench.pipelines.resume(one.id), then
    )


def again(desk: Acting, one: PipelineRun, then: Callable[[str], None]) -> None:
    """Make a run again and compare."""
    _start(
        desk, "again", f"mlops pipelines run --like {one.id[:8]}", lambda bench: bench.pipelines.run_like(one.id), then
    )


def override(desk: Acting, one: PipelineRun) -> None:
    """Have the last word over the gate, with a reason and after a question."""

    def command(answers: Answers) -> str:
        return f"mlops pipelines gate {one.id[:8]} --override {shlex.quote(answers['why'])}"

    alone = desk.workbench_app.daemon is False

    def work(bench: Workbench, why: str) -> str:
        found = bench.pipelines.override(one.id, why)
        job = getattr(found, "spec", None)
        if job is not None and alone:
            bench.jobs.run_here(found)  # type: ignore[arg-type]
        return f"{one.pipeline} {one.id[:8]} is let through."

    def chosen(answers: Answers | None) -> None:
        if answers is None:
            return
        verdict = one.verdict.reason if one.verdict is not None else ""
        effect = f"What the gate held back is registered and deployed as its definition says. The gate said: {verdict}"
        question = Question(
            f"Let {one.pipeline} {one.id[:8]} through?", effect, command(answers), "Let through", one.pipeline
        )

        def decided(yes: bool | None) -> None:
            if yes:
                desk.perform("let through", lambda bench: work(bench, answers["why"]), command=command(answers))

        desk.app.push_screen(Confirm(question), decided)

    desk.app.push_screen(Form(f"Over the gate of {one.id[:8]}", (Field("why", "Reason"),), "Go on", command), chosen)


def cancel(desk: Acting, one: PipelineRun) -> None:
    """Confirm, then end the whole process tree."""
    question = Question(f"Cancel {one.pipeline} {one.id[:8]}?", "Its processes are ended; what it has not registered yet is lost.",
                        f"mlops jobs cancel {one.job_id}", "Cancel run")  # fmt: skip

    def decided(yes: bool | None) -> None:
        if yes and one.job_id:
            cancel_job(desk, one.job_id)

    desk.app.push_screen(Confirm(question), decided)


def cancel_job(desk: Acting, job: int) -> None:
    """End a job."""
    desk.perform(f"cancel job {job}", lambda bench: f"Job {bench.jobs.cancel(job).id} is cancelled.",
                 command=f"mlops jobs cancel {job}")  # fmt: skip


# -- packages ----------------------------------------------------------------------------------------------------------


def test(desk: Acting, name: str) -> None:
    """Run every step on a sample, alone and together, with contracts and the project's tests."""

    def work(bench: Workbench) -> str:
        report = bench.pipelines.test(name)
        bad = [f"{one.kind} {one.subject}: {one.detail}" for one in report.checks if not one.passed]
        return f"{name}: {len(report.checks)} checks passed." if report.passed else f"{name} failed: {'; '.join(bad)}"

    desk.perform(f"test {name}", work, command=f"mlops pipelines test {name}")


def package(desk: Acting, name: str, then: Callable[[], None]) -> None:
    """Ask why, then test the definition and put it with code, tests and lock into an immutable archive."""

    def command(answers: Answers) -> str:
        return f"mlops pipelines package {name}{_why(answers)}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            desk.perform(f"package {name}", lambda bench: f"{bench.pipelines.package(name, answers['why']).ref} is packaged.",
                         command=command(answers), then=then)  # fmt: skip

    desk.app.push_screen(Form(f"Package {name}", (Field("why", "Why", optional=True),), "Package", command), chosen)


def deploy(desk: Acting, ref: str) -> None:
    """Ask where to; production wants the name typed. The package runs there, and its triggers are live once that worked."""
    fields = (Field("to", "To", "staging", choices=tuple(Environment)), Field("why", "Why", optional=True))
    alone = desk.workbench_app.daemon is False

    def command(answers: Answers) -> str:
        return f"mlops pipelines deploy {ref} --to {answers['to']}{_why(answers)}"

    def work(bench: Workbench, answers: Answers) -> str:
        made = bench.pipelines.deploy(ref, answers["to"], answers["why"])
        if alone and made.job_id:
            bench.jobs.run_here(bench.jobs.get(made.job_id))
        return f"{ref} runs in {made.environment}; it is active there when all its steps worked."

    def chosen(answers: Answers | None) -> None:
        if answers is None:
            return
        name = ref.partition("@")[0]
        effect = (
            f"It runs in {answers['to']} now; when its steps work, its triggers replace those of what is active there."
        )
        question = Question(f"Deploy {ref} to {answers['to']}?", effect, command(answers), "Deploy",
                            name if answers["to"] == "production" else "")  # fmt: skip
        back = Undo(command(answers), f"mlops pipelines rollback {name} --to {answers['to']}",
                    lambda bench: _rolled_back(bench, name, answers["to"]), name)  # fmt: skip

        def decided(yes: bool | None) -> None:
            if yes:
                desk.perform("deploy", lambda bench: work(bench, answers), command=command(answers), undo=back)

        desk.app.push_screen(Confirm(question), decided)

    desk.app.push_screen(Form(f"Deploy {ref}", fields, "Go on", command), chosen)


def rollback(desk: Acting, name: str, environment: str) -> None:
    """Confirm, then make the package active that was so before."""
    command = f"mlops pipelines rollback {name} --to {environment}"
    question = Question(f"Roll {name} back in {environment}?", "The package that was active before is active again, with its triggers.",
                        command, "Roll back", name if environment == "production" else "")  # fmt: skip

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform("roll back", lambda bench: _rolled_back(bench, name, environment), command=command)

    desk.app.push_screen(Confirm(question), decided)


def _rolled_back(bench: Workbench, name: str, environment: str) -> str:
    made = bench.pipelines.rollback(name, environment)
    return f"{name}@{made.version} is active in {environment} again."


# -- schedules ---------------------------------------------------------------------------------------------------------


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
            f" --timezone {given['timezone']} --missed {given['missed']} --overlap {given['overlap']}{_why(given)}"
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
        return f"mlops schedules backfill {name} --from {answers['since']} --to {answers['until']}{_why(answers)}"

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
