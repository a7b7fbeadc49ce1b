"""What can be done to pipelines and their runs: every act with its command line and the way back."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

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
            job = bench.jobs.run_here(job)
        held = bench.jobs.held_up(job)
        over = f" {held} At once: mlops jobs start {job.id}" if held else ""
        return f"{job.name} is job {job.id}.{over}"

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
