"""Models and their versions: aliases, stages, where each came from; promotion and rollback."""

from __future__ import annotations

from typing import ClassVar

from textual import on

from mlops_tui.domains.registry.searching import MODELS, VERSIONS
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.lines import number
from mlops_tui.tui.screens import approval_acts, cells, registry_facts, version_acts, version_facts
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.dialogs import Confirm, Question
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column, VirtualTable

PAGES = frozenset({"version", "diff"})
"""Places in front of this desk: the page of a version, two versions side by side."""


class RegistryDesk(Desk):
    """Models and versions."""

    ID = "registry"
    CSS_PATH = "registry.tcss"
    BINDINGS = bindings("registry")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "models",
            "Models",
            lambda bench: bench.registry.models(),
            columns=(
                cells.text("Model", lambda one: one.name, width=36, grow=True),
                cells.count("Versions", lambda one: one.versions),
                cells.text("Production", lambda one: f"v{one.production}" if one.production else "-", width=10),
                cells.text("Aliases", lambda one: ", ".join(f"{k}→{v}" for k, v in one.aliases.items()), width=30, rank=2,
                           role="muted"),
                cells.when("Changed", lambda one: one.updated_at),
            ),
            key=lambda one: str(one.name),
            empty=Empty(
                "No models yet. A pipeline registers one when its gate says yes; so does `run.log_model(..., register=...)`.",
                "mlops pipelines run NAME",
            ),
            detail=registry_facts.model_detail,
            inside=Inside("versions", lambda one: f"model:{one.name}", "versions"),
            names=lambda one: {"name": one.name, "champion": one.aliases.get("champion", "VERSION")},
            asks=MODELS,
        ),
        Section(
            "versions",
            "Versions",
            lambda bench: bench.registry.search(),
            columns=(
                cells.text("Model", lambda one: one.model, width=30, grow=True),
                cells.text("Version", lambda one: f"v{one.version}", width=8),
                Column("Stage", lambda one, now: version_facts.stage(one), width=14),
                cells.text("Aliases", lambda one: ", ".join(one.aliases), width=24, rank=2),
                cells.text("Metrics", lambda one: "  ".join(f"{k} {number(v, 3)}" for k, v in list(one.metrics.items())[:2]),
                           width=34, rank=4, role="muted"),
                cells.when("Made", lambda one: one.created_at),
            ),
            key=lambda one: str(one.ref),
            empty=Empty("No versions yet.", "mlops pipelines run NAME"),
            detail=registry_facts.version_detail,
            names=lambda one: {"name": one.model, "ref": one.ref},
            asks=VERSIONS,
        ),
        Section(
            "requests",
            "Requests",
            lambda bench: bench.registry.approvals.list(),
            columns=(
                cells.text("Version", lambda one: one.ref, width=30, grow=True),
                cells.status("State", lambda one: one.state),
                cells.text("Agreed", lambda one: f"{one.approvals} of {max(1, one.needed)}", width=10),
                cells.text("Asked by", lambda one: one.asked_by, width=14, rank=2),
                cells.text("Why", lambda one: one.why, width=34, rank=3, role="muted"),
                cells.when("Asked", lambda one: one.asked_at),
            ),
            key=lambda one: str(one.id),
            empty=Empty(
                "Nobody asked for a version to go to production. `mlops models require NAME --approvals 1` makes it needed.",
                "mlops models ask NAME/VERSION",
            ),
            detail=registry_facts.request_detail,
            names=lambda one: {"name": one.model, "ref": one.ref},
        ),
        Section(
            "maturity",
            "Maturity",
            registry_facts.assess,
            columns=(
                cells.text("Model", lambda one: f"{one.model}/{one.version}", width=30, grow=True),
                cells.text("Google", lambda one: f"{one.google} of 2", width=7),
                cells.text("Azure", lambda one: f"{one.azure} of 4", width=7),
                cells.text("Facts", lambda one: f"{sum(fact.ok for fact in one.facts)} of {len(one.facts)}", width=9),
                cells.text("Next", registry_facts.next_command, width=44, rank=3, role="accent"),
            ),
            key=lambda one: str(one.model),
            empty=Empty("No models yet, so there is nothing to judge.", "mlops pipelines new NAME"),
            detail=registry_facts.maturity_detail,
            names=lambda one: {"name": one.model},
        ),
    )  # fmt: skip

    # -- going places -------------------------------------------------------------------------------------------------

    def go(self, section: str = "", key: str = "", filter: str = "") -> None:
        """A part of this desk; the places `version` and `diff` are pages in front of it."""
        if section not in PAGES or not key:
            super().go(section, key, filter)
        elif section == "version":
            from mlops_tui.tui.screens.version import VersionDesk

            self.app.push_screen(VersionDesk(key))
        else:
            from mlops_tui.tui.screens.diff import DiffDesk

            self.app.push_screen(DiffDesk(key))

    @on(VirtualTable.Opened, "#table")
    async def _row_opened(self, message: VirtualTable.Opened) -> None:
        """A version and a request open the page of the version."""
        if self.section.id in {"versions", "requests"} and self.record is not None:
            message.prevent_default()  # of the desk's own handler, which shows the detail
            await self.workbench_app.open_at("registry", "version", self.record.ref)

    # -- acts ---------------------------------------------------------------------------------------------------------

    def _aliases(self, model: str) -> dict[str, int]:
        """Which version each alias of a model names, as far as this desk has read it."""
        known = self.memory["versions"].records or ()
        return {alias: other.version for other in known if other.model == model for alias in other.aliases}

    async def act_promote(self) -> None:
        """Ask for the stage or alias, then confirm beside the charter; production wants the name typed."""
        version_acts.promote(self, self.record, self._aliases(self.record.model))

    async def act_compare(self) -> None:
        """The two marked versions; with one mark, that and the selected one."""
        chosen = list(dict.fromkeys([*self.here.marks.keys, *([self.record.ref] if len(self.here.marks) < 2 else [])]))
        if len(chosen) != 2:
            self.notify("Mark two versions with space, then press c.", title="Compare", markup=False)
            return
        await self.workbench_app.open_at("registry", "diff", ",".join(chosen))

    async def act_ask(self) -> None:
        """Ask others to approve it."""
        approval_acts.ask(self, self.record)

    async def act_decide(self) -> None:
        """Say yes or no to the request of the version."""
        approval_acts.decide(self, self.record)

    async def act_answer(self) -> None:
        """Say yes or no to the selected request."""
        approval_acts.decide(self, self.record)

    async def act_describe(self) -> None:
        """Say what it is for."""
        version_acts.describe(self, self.record)

    async def act_note(self) -> None:
        """Write something down about the version."""
        version_acts.note(self, self.record.ref)

    async def act_remark(self) -> None:
        """Write something down about the model."""
        version_acts.note(self, self.record.name)

    async def act_retire(self) -> None:
        """Archive it in favour of another."""
        version_acts.retire(self, self.record, self._aliases(self.record.model))

    async def act_export(self) -> None:
        """Write it for another program."""
        version_acts.export(self, self.record)

    async def act_require(self) -> None:
        """Ask how many people have to agree before production."""
        approval_acts.require(self, str(self.record.name))

    async def act_rollback(self) -> None:
        """Confirm with the name typed, then move the champion back."""
        name = str(self.record.name)
        now = self.record.aliases.get("champion")
        effect = f"The champion (now {f'v{now}' if now else 'none'}) becomes the version it was before."
        question = Question(f"Roll {name} back?", effect, self.command("registry.rollback"), "Roll back", name)

        def decided(yes: bool | None) -> None:
            if yes:
                back = Undo(f"mlops models rollback {name}", f"mlops models promote {name}/{now} --to production",
                            lambda bench: f"{bench.registry.promote(f'{name}/{now}').ref} is production again.", name)  # fmt: skip
                self.perform(
                    "roll back", lambda bench: f"Champion is {bench.registry.rollback(name).ref} again.", undo=back
                )

        self.app.push_screen(Confirm(question), decided)
