"""The page of a model version: facts, card, where it came from and what came of it, notes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.message import Message

from mlops_tui.tui.lines import Line, clean, line
from mlops_tui.tui.screens import approval_acts, cells, run_facts, version_acts, version_facts
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.page import Page
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Health

TELEMETRY = frozenset({"catalog", "telemetry"})
DRAWS: dict[str, Callable[..., Sequence[Line]]] = {
    "summary": version_facts.draw_summary,
    "card": version_facts.draw_card,
    "notes": version_facts.draw_notes,
}


class VersionDesk(Page):
    """One version. Actions are about it in every part."""

    ID = "version"
    HOME = "registry"
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("version")
    SHORT: ClassVar[dict[str, str]] = {}
    LOADS: ClassVar[dict[str, Any]] = {
        "summary": version_facts.summary,
        "card": version_facts.card,
        "lineage": version_facts.lineage,
        "notes": version_facts.notes,
    }
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section("summary", "Summary", draw=version_facts.draw_summary),
        Section("card", "Card", draw=version_facts.draw_card),
        Section(
            "lineage",
            "Lineage",
            columns=(
                Column("Thing", lambda one, now: version_facts.thing(one), width=52, grow=True),
                Column("", lambda one, now: (clean(one.node.words), "muted"), width=60, rank=2),
                cells.when("When", lambda one: one.node.at, rank=3),
            ),
            key=lambda one: str(one.key),
            empty=Empty("Nothing is known of where it came from.", "mlops lineage NAME/VERSION"),
            watches=TELEMETRY,
            names=lambda one: {"name": one.name},
        ),
        Section("notes", "Notes", draw=version_facts.draw_notes),
    )

    class Examined(Message):
        """A worker knows whether the version would still serve, or why it cannot be told."""

        def __init__(self, found: list[Health] | Failure) -> None:
            super().__init__()
            self.found = found

    def __init__(self, of: str) -> None:
        super().__init__(of)
        self.health: tuple[Health, ...] = ()

    # -- what is on screen --------------------------------------------------------------------------------------------

    @staticmethod
    def read_subject(bench: Workbench, of: str) -> version_acts.Subject:
        return version_acts.subject(bench, of)

    def head(self, width: int) -> Line:
        found = self.subject
        if found is None:
            return line((f" {clean(self.of)}", "title"))
        one = found.version
        names = "".join(f"  @{alias}" for alias in one.aliases)
        waits = (("  ▲ waits for approval", "warn"),) if found.open else ()
        return line((f" {one.ref}", "title"), "  ", version_facts.stage(one), (names, "accent"), *waits,
                    (f"  {one.task}" if width >= 72 else "", "muted"))  # fmt: skip

    @property
    def acted_on(self) -> Any:
        return self.subject.version if self.subject is not None else None

    def names(self) -> dict[str, object]:
        return {"ref": self.of, "name": self.of.partition("/")[0]}

    def _note(self) -> Any:
        memory, draw = self.here, DRAWS.get(self.section.id)
        if draw is not None and memory.loaded and memory.records is not None:
            return run_facts.picture(draw, memory.records)
        return super()._note()

    def arrived(self, section: str, records: Any) -> Any:
        return dataclasses.replace(records, health=self.health) if section == "summary" else records

    @on(VirtualTable.Opened, "#table")
    async def _row_opened(self, message: VirtualTable.Opened) -> None:
        """Enter on a line of the graph opens the thing; on the version itself there is nothing further."""
        message.prevent_default()
        place = self.record.place if self.record is not None else None
        if place is None:
            self.notify("There is no page of this.", timeout=2, markup=False)
        elif place != ("registry", "version", self.of):
            await self.workbench_app.open_at(*place)

    # -- actions ------------------------------------------------------------------------------------------------------

    @property
    def aliases(self) -> Mapping[str, int]:
        """Which version each alias of the model names."""
        return self.subject.aliases if self.subject is not None else {}

    async def act_promote(self) -> None:
        """Ask where to, show the charter, move it."""
        version_acts.promote(self, self.subject.version, self.aliases)

    async def act_ask(self) -> None:
        """Ask others to approve it."""
        approval_acts.ask(self, self.subject.version)

    async def act_decide(self) -> None:
        """Say yes or no to the request."""
        approval_acts.decide(self, self.subject.version)

    async def act_describe(self) -> None:
        """Say what it is for."""
        version_acts.describe(self, self.subject.version)

    async def act_note(self) -> None:
        """Write something down."""
        version_acts.note(self, self.of)

    async def act_retire(self) -> None:
        """Archive it in favour of another."""
        version_acts.retire(self, self.subject.version, self.aliases)

    async def act_export(self) -> None:
        """Write it for another program."""
        version_acts.export(self, self.subject.version)

    async def act_compare(self) -> None:
        """Beside the champion, else beside the version before it."""
        one, champion = self.subject.version, self.aliases.get("champion")
        other = champion if champion and champion != one.version else one.version - 1
        if other < 1:
            self.notify("There is no other version to compare with.", timeout=3, markup=False)
            return
        await self.workbench_app.open_at("registry", "diff", f"{one.model}/{other},{one.ref}")

    async def act_health(self) -> None:
        """Check in a worker that it would still serve; it takes seconds."""
        source, ref = self.workbench_app.source, self.of
        self.progress["health"] = "a fresh process answers the stored requests"
        self.chrome()
        self.run_worker(
            lambda: self.post_message(self.Examined(source.attempt(lambda bench: bench.registry.health(ref)))),
            thread=True,
            exclusive=True,
            group="health",
            exit_on_error=False,
        )

    @on(Examined)
    def _examined(self, message: Examined) -> None:
        self.progress.pop("health", None)
        if isinstance(message.found, Failure):
            self.notify(message.found.message, title="Not done", severity="error", markup=False)
        else:
            self.health = tuple(message.found)
            bad = [one.check for one in self.health if not one.ok and one.check != "profile"]
            said = f"{self.of} could not serve: {', '.join(bad)}." if bad else f"{self.of} would serve."
            self.notify(said, severity="warning" if bad else "information", markup=False)
            memory = self.memory["summary"]
            if memory.records is not None:
                memory.records = dataclasses.replace(memory.records, health=self.health)
        self.show_rows()
