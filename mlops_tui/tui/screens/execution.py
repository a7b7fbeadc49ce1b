"""The page of a pipeline run: steps along time with outputs and logs, the verdict of the gate, settings tried, origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from mlops_tui.core import clock
from mlops_tui.tui.lines import Line, clean, line, number, state
from mlops_tui.tui.screens import cells, pipeline_acts, pipeline_facts, pipeline_steps, run_facts
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.joblog import open_log
from mlops_tui.tui.screens.page import Page
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

DRAWS: dict[str, Callable[..., Sequence[Line]]] = {
    "gate": pipeline_facts.draw_gate,
    "origin": pipeline_facts.draw_origin,
}


class ExecutionDesk(Page):
    """One run of a pipeline, live."""

    ID = "execution"
    HOME = "pipelines"
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("execution")
    LOADS: ClassVar[dict[str, Any]] = {
        "steps": pipeline_steps.steps,
        "gate": pipeline_facts.ran,
        "trials": pipeline_facts.trials,
        "origin": pipeline_facts.ran,
    }
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "steps",
            "Steps",
            columns=(
                cells.text("Step", lambda one: f"{one.branch}{one.name}", width=18),
                Column("State", lambda one, now: state(one.step.state), width=14),
                Column("Along the run", lambda one, now: pipeline_steps.bar(one), width=pipeline_steps.BAR, rank=2),
                Column(
                    "Took",
                    lambda one, now: pipeline_steps.took(one.step.started_at, one.step.ended_at, now),
                    right=True,
                    width=9,
                ),
                Column("Said", lambda one, now: (clean(one.step.detail), "muted"), width=60, rank=3, grow=True),
            ),
            key=lambda one: str(one.name),
            empty=Empty("It has no steps.", "mlops pipelines show RUN"),
            detail=pipeline_steps.step_detail,
            names=lambda one: {"name": one.name},
        ),
        Section("gate", "Gate", draw=pipeline_facts.draw_gate),
        Section(
            "trials",
            "Trials",
            columns=(
                cells.count("Trial", lambda one: one.number),
                cells.status("State", lambda one: one.state),
                Column("Value", lambda one, now: number(one.value), lambda one: one.value or 0.0, 12, True),
                cells.count("Folds", lambda one: len(one.folds), rank=3),
                Column(
                    "Settings", lambda one, now: (clean(pipeline_facts.settings(one)), "muted"), width=60, grow=True
                ),
            ),
            key=lambda one: str(one.number),
            empty=Empty(
                "No settings were searched. [tune] of the definition asks for it.", "mlops pipelines trials RUN"
            ),
            names=lambda one: {"name": one.number},
        ),
        Section("origin", "Origin", draw=pipeline_facts.draw_origin),
    )

    @staticmethod
    def read_subject(bench: Workbench, of: str) -> Any:
        return bench.pipelines.get_run(of)

    def head(self, width: int) -> Line:
        run = self.subject
        if run is None:
            return line((f" Run {self.of[:8]}", "title"))
        took = clock.duration((run.ended_at or self.now) - run.started_at) if run.started_at else ""
        version = (f"  → {run.version}" if run.version else "", "accent")
        return line((f" {clean(run.pipeline)}", "title"), (f"  {run.id[:8]}  ", "muted"), pipeline_facts.run_state(run.state),
                    (f" {took}", "muted"), version, (f"  {clean(run.error)}" if width >= 100 else "", "bad"))  # fmt: skip

    def names(self) -> dict[str, object]:
        run = self.subject
        return {"id": self.of[:8], "name": run.pipeline if run else "", "job": (run.job_id if run else None) or "JOB"}

    def _note(self) -> Any:
        memory, draw = self.here, DRAWS.get(self.section.id)
        if draw is not None and memory.loaded and memory.records is not None:
            return run_facts.picture(draw, memory.records)
        return super()._note()

    def _opened_run(self, run: str) -> None:
        self.call_later(self.workbench_app.open_at, "pipelines", "execution", run)

    async def act_log(self) -> None:
        """Follow the job of the run."""
        open_log(self, self.subject.job_id, self.subject.pipeline, lambda job: pipeline_acts.cancel_job(self, job))

    async def act_cancel(self) -> None:
        """Confirm, then end the whole process tree."""
        pipeline_acts.cancel(self, self.subject)

    async def act_resume(self) -> None:
        """Go on from the step that failed."""
        pipeline_acts.resume(self, self.subject, self._opened_run)

    async def act_again(self) -> None:
        """Make it again and compare."""
        pipeline_acts.again(self, self.subject, self._opened_run)

    async def act_override(self) -> None:
        """Have the last word over the gate."""
        pipeline_acts.override(self, self.subject)

    async def act_version(self) -> None:
        """Open the version that came of it."""
        await self.workbench_app.open_at("registry", "version", self.subject.version)
