"""Pipelines, their runs, schedules, packages: the lists, the timeline of fires, and the pages in front of them."""

from __future__ import annotations

from typing import ClassVar

from textual import on

from mlops_tui.domains.pipelines.records import PipelineRun
from mlops_tui.tui.screens import (
    blackout_acts,
    cells,
    package_acts,
    pipeline_acts,
    pipeline_facts,
    schedule_acts,
    timeline,
)
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.joblog import open_log
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column, VirtualTable

RUN_LIMIT = 500
PAGES = frozenset({"pipeline", "execution"})
"""Places in front of this desk: the page of a pipeline, that of one of its runs."""

PACKAGES = (
    cells.text("Package", lambda one: one.ref, width=26, grow=True),
    cells.text("Archive", lambda one: one.sha[:12], width=12, role="muted", rank=3),
    Column("Test", lambda one, now: cells.yes_no(one.report.passed, "passed", "failed"), width=10),
    cells.text("Commit", lambda one: one.commit[:10], width=10, role="muted", rank=3),
    cells.text("By", lambda one: one.created_by, width=12, rank=3),
    cells.text("Why", lambda one: one.why, width=30, role="muted", rank=4),
    cells.when("Made", lambda one: one.created_at),
)
PLACEMENTS = (
    cells.text("Package", lambda one: f"{one.pipeline}@{one.version}", width=26, grow=True),
    cells.text("Where", lambda one: one.environment, width=11),
    cells.status("State", lambda one: one.state),
    cells.text("By", lambda one: one.actor, width=12, rank=3),
    cells.text("Why", lambda one: one.why, width=30, role="muted", rank=4),
    cells.when("At", lambda one: one.at),
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
            detail=pipeline_facts.pipeline_detail,
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
                Column("State", lambda one, now: pipeline_facts.run_state(one.state), sort=lambda one: str(one.state), width=18),
                cells.text("Step", lambda one: _step(one), width=12, rank=2),
                cells.text("Version", lambda one: one.version, width=20, rank=3),
                cells.lasted("Took", lambda one: one.started_at, lambda one: one.ended_at, rank=2),
                cells.when("Started", lambda one: one.started_at or one.created_at),
            ),
            key=lambda one: str(one.id),
            empty=Empty("No runs yet. Select a pipeline and press r.", "mlops pipelines run NAME"),
            detail=pipeline_facts.run_detail,
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
            detail=timeline.schedule_detail,
            names=lambda one: {"name": one.name},
        ),
        Section("timeline", "Timeline", timeline.timeline, draw=timeline.draw_timeline),
        Section(
            "packages",
            "Packages",
            lambda bench: bench.pipelines.packages(),
            columns=PACKAGES,
            key=lambda one: str(one.ref),
            empty=Empty("No packages yet. P on the page of a pipeline makes one.", "mlops pipelines package NAME"),
            detail=pipeline_facts.package_detail,
            names=lambda one: {"name": one.pipeline, "ref": one.ref},
        ),
        Section(
            "environments",
            "Environments",
            lambda bench: bench.pipelines.placements(),
            columns=PLACEMENTS,
            key=lambda one: str(one.id),
            empty=Empty("No package was put into staging or production yet.", "mlops pipelines deploy NAME@1 --to staging"),
            detail=pipeline_facts.placement_detail,
            names=lambda one: {"name": one.pipeline, "ref": f"{one.pipeline}@{one.version}", "environment": str(one.environment)},
        ),
    )  # fmt: skip

    # -- going places -------------------------------------------------------------------------------------------------

    def go(self, section: str = "", key: str = "", filter: str = "") -> None:
        """A part of this desk; the places `pipeline` and `execution` are pages in front of it."""
        if section not in PAGES or not key:
            super().go(section, key, filter)
        elif section == "pipeline":
            from mlops_tui.tui.screens.pipeline import PipelineDesk

            self.app.push_screen(PipelineDesk(key))
        else:
            from mlops_tui.tui.screens.execution import ExecutionDesk

            self.app.push_screen(ExecutionDesk(key))

    @on(VirtualTable.Opened, "#table")
    async def _row_opened(self, message: VirtualTable.Opened) -> None:
        """A pipeline opens its page, a run that of the run; of the others the detail is shown."""
        page = {"pipelines": "pipeline", "runs": "execution"}.get(self.section.id)
        if page is not None and self.record is not None:
            message.prevent_default()  # of the desk's own handler, which shows the detail
            await self.workbench_app.open_at("pipelines", page, self.section.key(self.record))

    # -- acts ---------------------------------------------------------------------------------------------------------

    async def act_run(self) -> None:
        """Queue the pipeline; without a daemon its job is started from here and outlives us."""
        pipeline_acts.run(self, str(self.record.name), lambda run: self.go("runs", run))

    async def act_new(self) -> None:
        """A pipeline from a template."""
        pipeline_acts.new(self, lambda name: self.go("pipelines", name))

    async def act_edit(self) -> None:
        """Edit the file of the pipeline, then validate it."""
        pipeline_acts.edit(self, str(self.record.name), lambda: self.load(self.section))

    async def act_log(self) -> None:
        """Follow the job of the run."""
        open_log(self, self.record.job_id, self.record.pipeline, lambda job: pipeline_acts.cancel_job(self, job))

    async def act_cancel(self) -> None:
        """Confirm, then end the whole process tree."""
        pipeline_acts.cancel(self, self.record)

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

    async def act_schedule(self) -> None:
        """A schedule by form."""
        schedule_acts.schedule(self, lambda name: self.go("schedules", name))

    async def act_fire(self) -> None:
        """Fire the schedule now."""
        schedule_acts.fire(self, str(self.record.name))

    async def act_backfill(self) -> None:
        """Make up for slots of the past."""
        schedule_acts.backfill(self, str(self.record.name))

    async def act_remove(self) -> None:
        """Forget a schedule made by hand."""
        schedule_acts.remove(self, str(self.record.name))

    async def act_blackout(self) -> None:
        """A time in which nothing fires."""
        blackout_acts.add(self)

    async def act_lift(self) -> None:
        """Forget a blackout."""
        blackout_acts.lift(self)

    async def act_deploy(self) -> None:
        """Put the package somewhere."""
        package_acts.deploy(self, self.record.ref)

    async def act_rollback(self) -> None:
        """Go back to the package before."""
        package_acts.rollback(self, self.record.pipeline, str(self.record.environment))


def _step(run: PipelineRun) -> str:
    """The step that runs or failed, else the last one done."""
    for wanted in ("running", "failed"):
        found = next((step.name for step in run.steps if str(step.state) == wanted), "")
        if found:
            return found
    return next((step.name for step in reversed(run.steps) if str(step.state) == "succeeded"), "-")
