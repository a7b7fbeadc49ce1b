"""The page of a pipeline: its definition with mistakes marked, its packages, where they were put."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from mlops_tui.tui.lines import Line, clean, line
from mlops_tui.tui.screens import package_acts, pipeline_acts, pipeline_facts, pipeline_file, run_facts
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.page import Page
from mlops_tui.tui.screens.pipelines import PACKAGES, PLACEMENTS
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

DRAWS: dict[str, Callable[..., Sequence[Line]]] = {"definition": pipeline_file.draw_written}


class PipelineDesk(Page):
    """One pipeline. Actions are about it in every part."""

    ID = "pipeline"
    HOME = "pipelines"
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("pipeline")
    LOADS: ClassVar[dict[str, Any]] = {
        "definition": pipeline_file.written,
        "packages": lambda of, bench: bench.pipelines.packages(of),
        "environments": lambda of, bench: bench.pipelines.placements(of),
    }
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section("definition", "Definition", draw=pipeline_file.draw_written),
        Section(
            "packages",
            "Packages",
            columns=PACKAGES,
            key=lambda one: str(one.ref),
            empty=Empty("Not packaged yet. P tests it and makes an immutable archive.", "mlops pipelines package NAME"),
            detail=pipeline_facts.package_detail,
            names=lambda one: {"name": one.pipeline, "ref": one.ref},
        ),
        Section(
            "environments",
            "Environments",
            columns=PLACEMENTS,
            key=lambda one: str(one.id),
            empty=Empty("No package of it was put anywhere yet.", "mlops pipelines deploy NAME@1 --to staging"),
            detail=pipeline_facts.placement_detail,
            names=lambda one: {
                "name": one.pipeline,
                "ref": f"{one.pipeline}@{one.version}",
                "environment": str(one.environment),
            },
        ),
    )

    @staticmethod
    def read_subject(bench: Workbench, of: str) -> Any:
        return bench.pipelines.get(of)

    def head(self, width: int) -> Line:
        found = self.subject
        if found is None:
            return line((f" {clean(self.of)}", "title"))
        count = len(found.problems)
        said = (f"  ✗ {count} {'mistake' if count == 1 else 'mistakes'}", "bad") if count else ("  ✓ right", "good")
        live = (f"  live: {found.package}" if found.package else "", "accent")
        return line(
            (f" {found.name}", "title"), said, live, (f"  {clean(found.description)}" if width >= 100 else "", "muted")
        )

    def names(self) -> dict[str, object]:
        record = self.record
        own = self.section.names(record) if record is not None else {}
        return {**own, "name": self.of}

    def _note(self) -> Any:
        memory, draw = self.here, DRAWS.get(self.section.id)
        if draw is not None and memory.loaded and memory.records is not None:
            return run_facts.picture(draw, memory.records)
        return super()._note()

    def arrived(self, section: str, records: Any) -> Any:
        if section == "definition":
            self._read_head()  # files change without the workspace noticing: what may be done depends on this one
        return records

    def _opened_run(self, run: str) -> None:
        self.call_later(self.workbench_app.open_at, "pipelines", "execution", run)

    async def act_run(self) -> None:
        """Run it and open the page of the run."""
        pipeline_acts.run(self, self.of, self._opened_run)

    async def act_edit(self) -> None:
        """Edit the file, then validate it."""
        pipeline_acts.edit(self, self.of, lambda: self.load(self.by_id("definition")))

    async def act_test(self) -> None:
        """Test it on a sample."""
        package_acts.test(self, self.of)

    async def act_package(self) -> None:
        """Make a package of it."""
        package_acts.package(self, self.of, partial(self.go, "packages"))

    async def act_deploy(self) -> None:
        """Put the selected package somewhere."""
        if self.record is not None:
            package_acts.deploy(self, self.record.ref)

    async def act_rollback(self) -> None:
        """Go back to the package before, where the selected one was put."""
        if self.record is not None:
            package_acts.rollback(self, self.of, str(self.record.environment))
