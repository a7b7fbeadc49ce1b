"""Pipelines, their runs and their schedules: run one, follow its log, cancel it; pause and resume a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Fields, Grid, Text
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.lines import Span, number, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.joblog import open_log
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.dialogs import Confirm, Question
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.records import Definition, PipelineRun
    from mlops_tui.domains.schedules.records import Schedule

RUN_LIMIT = 500
LOG_TAIL = 12


def pipeline_detail(bench: Workbench, one: Definition) -> Sequence[Block]:
    """A pipeline: mistakes of its file first, then what it does, when it runs and how it went."""
    now = bench.context.now()
    head = Fields(
        (
            ("File", _file(bench, one)),
            ("About", one.description),
            ("Owner", one.owner),
            ("Data", f"{one.spine} + {', '.join(one.features)}" if one.features else one.spine),
            ("Target", one.target),
            ("Model", f"{one.estimator} → {one.model}" if one.model else one.estimator),
            ("Deploys to", f"{one.deployment} ({one.deploy_to})" if one.deployment else one.deploy_to),
        ),
        title=one.name,
    )
    triggers = tuple((str(each.get("kind", "")), _trigger(each)) for each in one.triggers)
    runs = tuple(
        (run.id[:8], _state(run.state), run.version, (clock.ago(run.started_at or run.created_at, now), "muted"))
        for run in bench.pipelines.runs(one.name, limit=8)
    )
    mistakes = Text("\n".join(f"✗ {problem}" for problem in one.problems), "bad", title="Mistakes in the file")
    return (
        *((mistakes,) if one.problems else ()),
        head,
        Grid(("Trigger", ""), triggers, title="Triggers", empty="only by hand (r)"),
        Grid(("Run", "State", "Version", "When"), runs, title="Runs (o lists all)", empty="none yet: r runs it"),
    )


def _file(bench: Workbench, one: Definition) -> str:
    path, project = Path(one.path), bench.workspace.project
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def _trigger(trigger: dict[str, Any]) -> str:
    if trigger.get("kind") == "schedule":
        return f"{trigger.get('cron', '')} {trigger.get('timezone', '')}"
    return ", ".join(f"{key} {value}" for key, value in trigger.items() if key != "kind" and value)


def run_detail(bench: Workbench, run: PipelineRun) -> Sequence[Block]:
    """A run: why it ran, its steps, what the gate looked at, the end of its log."""
    now = bench.context.now()
    head = Fields(
        (
            ("Run", run.id),
            ("State", _state(run.state)),
            ("Cause", cells.compact(run.cause)),
            ("By", run.actor),
            ("Started", cells.moment(run.started_at, now)),
            ("Ended", cells.moment(run.ended_at, now)),
            ("Version", run.version),
            ("Logged as", run.run_id),
            ("Job", number(run.job_id) if run.job_id else ""),
            ("Error", (run.error, "bad")),
        ),
        title=run.pipeline,
    )
    steps = tuple(
        (step.name, state(step.state), _took(step.started_at, step.ended_at, now), (step.detail, "muted"))
        for step in run.steps
    )
    blocks: list[Block] = [head, Grid(("Step", "State", "Took", ""), steps, title="Steps")]
    if run.verdict is not None:
        blocks += _verdict(run)
    if run.job_id:
        blocks.append(Text(_tail(Path(bench.jobs.log_path(run.job_id))), "muted", title="Log (l follows it)"))
    return blocks


def _took(start: int | None, end: int | None, now: int) -> str:
    return "-" if start is None else clock.duration((end or now) - start)


def _verdict(run: PipelineRun) -> list[Block]:
    verdict = run.verdict
    assert verdict is not None
    words = {True: ("✓ yes", "good"), False: ("✗ no", "bad"), None: ("· open", "muted")}
    checks = tuple(
        (
            words[one.passed],
            one.name,
            number(one.value) if one.value is not None else "",
            one.limit,
            (one.detail, "muted"),
        )
        for one in verdict.checks
    )
    against = f" against {verdict.champion}" if verdict.champion else ""
    return [
        Text(f"{str(verdict.outcome).replace('_', ' ')}{against}: {verdict.reason}", title="Gate"),
        Grid(("", "Check", "Value", "Limit", ""), checks),
    ]


def _tail(path: Path) -> str:
    if not path.exists():
        return "no output yet"
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 8192))
        lines = log.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-LOG_TAIL:]) or "no output yet"


def schedule_detail(bench: Workbench, one: Schedule) -> Sequence[Block]:
    """A schedule: its next slots and what became of the last ones."""
    now = bench.context.now()
    nexts = tuple((clock.local(at), (clock.ago(at, now), "muted")) for at in bench.schedules.next(one.name, 5))
    fires = tuple(
        (
            clock.local(fire.due_at),
            state(fire.state),
            f"job {fire.job_id}" if fire.job_id else "",
            (fire.reason, "muted"),
        )
        for fire in bench.schedules.fires(one.name, 12)
    )
    head = Fields(
        (
            ("Pipeline", one.pipeline),
            (
                "When",
                f"{one.cron} {one.timezone}" if one.cron else f"{one.kind} {one.subject or ', '.join(one.tables)}",
            ),
            ("Waits", (one.waits, "warn")),
            ("Missed", str(one.missed)),
            ("Overlap", str(one.overlap)),
            ("State", state("paused" if one.paused else "active")),
        ),
        title=one.name,
    )
    return (
        head,
        Grid(("Next", ""), nexts, title="Next"),
        Grid(("Due", "State", "", ""), fires, title="Fires", empty="none yet"),
    )


class PipelinesDesk(Desk):
    """Pipelines, runs, schedules."""

    ID = "pipelines"
    CSS_PATH = "pipelines.tcss"
    BINDINGS = bindings("pipelines")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "pipelines",
            "Pipelines",
            lambda bench: bench.pipelines.list(),
            columns=(
                cells.text("Pipeline", lambda one: one.name, width=30, grow=True),
                cells.text("Model", lambda one: one.model, width=24, rank=2),
                cells.text("Deploys to", lambda one: one.deployment or one.deploy_to, width=20, rank=3, role="muted"),
                cells.status("File", lambda one: f"{len(one.problems)} mistakes" if one.problems else "ok"),
                cells.text("Triggers", lambda one: ", ".join(str(each.get("kind", "")) for each in one.triggers), width=26,
                           rank=2, role="muted"),
            ),
            key=lambda one: str(one.name),
            empty=Empty(
                "No pipelines yet. A pipeline is one TOML file in the pipelines folder of the project.",
                "mlops pipelines new churn",
            ),
            detail=pipeline_detail,
            inside=Inside("runs", lambda one: f"pipeline:{one.name}", "runs"),
            names=lambda one: {"name": one.name},
        ),
        Section(
            "runs",
            "Runs",
            lambda bench: bench.pipelines.runs(limit=RUN_LIMIT),
            limit=RUN_LIMIT,
            columns=(
                cells.text("Pipeline", lambda one: one.pipeline, width=26, grow=True),
                cells.text("Run", lambda one: one.id[:8], width=8, rank=3, role="muted"),
                Column("State", lambda one, now: _state(one.state), sort=lambda one: str(one.state), width=18),
                cells.text("Step", lambda one: _step(one), width=12, rank=2),
                cells.text("Version", lambda one: one.version, width=20, rank=3),
                cells.lasted("Took", lambda one: one.started_at, lambda one: one.ended_at, rank=2),
                cells.when("Started", lambda one: one.started_at or one.created_at),
            ),
            key=lambda one: str(one.id),
            empty=Empty("No runs yet. Select a pipeline and press r.", "mlops pipelines run NAME"),
            detail=run_detail,
            names=lambda one: {"name": one.pipeline, "job": one.job_id or "JOB"},
        ),
        Section(
            "schedules",
            "Schedules",
            lambda bench: bench.schedules.list(),
            columns=(
                cells.text("Schedule", lambda one: one.name, width=26, grow=True),
                cells.text("Pipeline", lambda one: one.pipeline, width=20, rank=2),
                cells.text("When", lambda one: one.cron or f"on {one.kind}", width=18),
                cells.text("Zone", lambda one: one.timezone if one.cron else "", width=18, rank=3, role="muted"),
                cells.when("Next", lambda one: one.next_due, rank=2),
                cells.status("State", lambda one: "paused" if one.paused else "active"),
            ),
            key=lambda one: str(one.name),
            empty=Empty(
                "No schedules yet. A [[triggers]] of a pipeline makes one, or add one by hand.",
                "mlops schedules add nightly PIPELINE --cron '0 3 * * *'",
            ),
            detail=schedule_detail,
            names=lambda one: {"name": one.name},
        ),
    )  # fmt: skip

    async def act_run(self) -> None:
        """Queue the pipeline; without a daemon its job is started from here and outlives us."""
        name = str(self.record.name)
        alone = self.workbench_app.daemon is False

        made: list[str] = []

        def work(bench: Workbench) -> str:
            job = bench.pipelines.run(name, cause={"kind": "manual", "by": bench.actor})
            made[:] = [str(job.spec["run_id"]), str(job.id)]
            if alone:
                bench.jobs.run_here(job)
            return f"{name} is job {job.id}."

        back = Undo(f"mlops pipelines run {name}", "mlops jobs cancel JOB",
                    lambda bench: f"Job {bench.jobs.cancel(int(made[1])).id} is cancelled.")  # fmt: skip
        self.perform(f"run {name}", work, then=lambda: self.go("runs", made[0]), undo=back)

    async def act_log(self) -> None:
        """Follow the job of the run."""
        open_log(self, self.record.job_id, self.record.pipeline, self._cancel)

    async def act_cancel(self) -> None:
        """Confirm, then end the whole process tree."""
        run = self.record
        question = Question(
            f"Cancel {run.pipeline} {run.id[:8]}?",
            "Its processes are ended; what it has not registered yet is lost.",
            self.command("pipelines.cancel"),
            "Cancel run",
        )

        def decided(yes: bool | None) -> None:
            if yes and run.job_id:
                self._cancel(run.job_id)

        self.app.push_screen(Confirm(question), decided)

    def _cancel(self, job: int) -> None:
        self.perform(f"cancel job {job}", lambda bench: f"Job {bench.jobs.cancel(job).id} is cancelled.",
                     command=f"mlops jobs cancel {job}")  # fmt: skip

    async def act_pause(self) -> None:
        """Pause the schedule."""
        name = str(self.record.name)
        back = self.undo("pipelines.pause", lambda bench: f"{bench.schedules.resume(name).name} runs again.")
        self.perform(f"pause {name}", lambda bench: f"{bench.schedules.pause(name).name} is paused.", undo=back)

    async def act_resume(self) -> None:
        """Resume the schedule."""
        name = str(self.record.name)
        back = self.undo("pipelines.resume", lambda bench: f"{bench.schedules.pause(name).name} is paused.")
        self.perform(f"resume {name}", lambda bench: f"{bench.schedules.resume(name).name} runs again.", undo=back)


def _state(word: object) -> Span:
    """Waiting means waiting for a person here, so it must be seen."""
    return ("▲ waiting for you", "warn") if str(word) == "waiting" else state(word)


def _step(run: PipelineRun) -> str:
    """The step that runs or failed, else the last one done."""
    for wanted in ("running", "failed"):
        found = next((step.name for step in run.steps if str(step.state) == wanted), "")
        if found:
            return found
    return next((step.name for step in reversed(run.steps) if str(step.state) == "succeeded"), "-")
