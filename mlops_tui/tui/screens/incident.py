"""The page of an incident: an alert, what happened in order, what moved and why it matters, how right the model is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on

from mlops_tui.incident import Event, tell
from mlops_tui.pages import monitoring as pages
from mlops_tui.tui.blocks import Block, Fields, Text
from mlops_tui.tui.history import Place
from mlops_tui.tui.lines import Line, clean, line, state
from mlops_tui.tui.screens import cells, monitoring_acts, paged, run_facts
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.page import Page
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert

TELEMETRY = frozenset({"catalog", "telemetry"})
DRAWS: dict[str, Callable[..., Sequence[Line]]] = {"what": paged.draw, "moved": paged.draw, "right": paged.draw}


def story(of: str, bench: Workbench) -> list[Event]:
    """What happened, oldest first."""
    return tell(bench, int(of))


def place(event: Event, alert: str, subject: str) -> Place | None:
    """Where a line of the story leads: the page of what it tells of; None for what has none, as of this alert itself."""
    last = event.command.split()[-1]
    found = {
        "report": Place("monitoring", "reports", event.name),
        "told": Place("monitoring", "deliveries", filter=f"channel:{event.name}"),
        "trigger": Place("pipelines", "schedules", event.name),
        "approval": Place("registry", "version", event.name),
        "job": Place("system", "jobs", event.name),
        "gate": Place("pipelines", "execution", last),
        "pipeline run": Place("pipelines", "execution", last),
        "rollout": Place("serving", "deployments", subject),
        "alert": None if event.name == alert else Place("monitoring", "incident", event.name),
    }
    return found.get(event.kind)


def event_detail(bench: Workbench, one: Event) -> Sequence[Block]:
    """A line of the story, whole."""
    head = Fields(
        (("When", cells.moment(one.at, bench.context.now())), ("See", one.command)), title=f"{one.kind} {one.name}"
    )
    return (head, Text(clean(one.words)))


def part(title: str) -> Callable[[str, Workbench], paged.Parts]:
    """What one section of the incident's page says; a sentence where it says nothing."""

    def load(of: str, bench: Workbench) -> paged.Parts:
        found = next((one for one in pages.incident(bench, int(of)).sections if one.title == title), None)
        return paged.Parts(found.parts if found else (pages.NOTHING[title],))

    return load


class IncidentDesk(Page):
    """One alert. Actions are about it in every part."""

    ID = "incident"
    HOME = "monitoring"
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("incident")
    SHORT: ClassVar[dict[str, str]] = {"right": "Right?"}
    LOADS: ClassVar[dict[str, Any]] = {
        "what": part("What"),
        "story": story,
        "moved": part("What moved"),
        "right": part("How right it is"),
    }
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "story",
            "Story",
            columns=(
                cells.when("When", lambda one: one.at),
                cells.text("What", lambda one: f"{one.kind} {one.name}", width=24),
                Column("Said", lambda one, now: (clean(one.words), "text"), width=60, grow=True),
                cells.text("See", lambda one: one.command, width=40, rank=3, role="muted"),
            ),
            key=lambda one: f"{one.at} {one.kind} {one.name} {one.words}",
            empty=Empty("Nothing is known of it.", "mlops alerts story ID"),
            detail=event_detail,
            watches=TELEMETRY,
        ),
        Section("what", "What", draw=paged.draw, watches=TELEMETRY),
        Section("moved", "What moved", draw=paged.draw, watches=TELEMETRY),
        Section("right", "How right it is", draw=paged.draw, watches=TELEMETRY),
    )

    @staticmethod
    def read_subject(bench: Workbench, of: str) -> Alert:
        return bench.alerts.get(int(of))

    def head(self, width: int) -> Line:
        one = self.subject
        if one is None:
            return line((f" Alert {clean(self.of)}", "title"))
        return line(" ", state(one.state), "  ", state(one.severity), (f"  {clean(one.title)}", "title"),
                    (f"  {clean(one.rule)} of {clean(one.subject)}" if width >= 72 else "", "muted"))  # fmt: skip

    def names(self) -> dict[str, object]:
        return {"id": self.of, "name": self.subject.subject if self.subject is not None else ""}

    def _note(self) -> Any:
        memory, draw = self.here, DRAWS.get(self.section.id)
        if draw is not None and memory.loaded and memory.records is not None:
            return run_facts.picture(draw, memory.records)
        return super()._note()

    @on(VirtualTable.Opened, "#table")
    async def _row_opened(self, message: VirtualTable.Opened) -> None:
        """Enter on a line opens the thing it tells of."""
        one, about = self.record, self.subject.subject if self.subject is not None else ""
        where = place(one, self.of, about) if one is not None else None
        if where is not None:
            message.prevent_default()  # of the desk's own handler, which shows the line whole
            await self.workbench_app.open_at(where.desk, where.section, where.key, where.filter)

    async def act_acknowledge(self) -> None:
        """Take the alert."""
        monitoring_acts.acknowledge(self, [int(self.of)])

    async def act_silence(self) -> None:
        """Ask for how long, then silence."""
        monitoring_acts.silence(self, [int(self.of)])

    async def act_resolve(self) -> None:
        """Ask why, then end it."""
        monitoring_acts.resolve(self, [int(self.of)])

    async def act_reopen(self) -> None:
        """Take acknowledgement and silence back."""
        monitoring_acts.reopen(self, [int(self.of)])

    async def act_explain(self) -> None:
        """Explain the drift behind it in a worker."""
        number = self.subject.facts.get("report")
        monitoring_acts.explain(self, str(self.subject.subject), number if isinstance(number, int) else None)

    async def act_write(self) -> None:
        """Write the incident as a file."""
        monitoring_acts.write_incident(self, int(self.of))
