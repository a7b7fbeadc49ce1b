"""Models and their versions: aliases, stages, where each came from; promotion and rollback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from mlops_tui.core import clock
from mlops_tui.domains.registry.searching import MODELS, VERSIONS
from mlops_tui.tui.blocks import Block, Fields, Grid
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.lines import Span, number, size, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Model, Version

STAGES = ("production", "staging", "archived")


def versions(bench: Workbench) -> list[Version]:
    """The versions of every model, newest first."""
    found = [one for model in bench.registry.models() for one in bench.registry.versions(model.name)]
    return sorted(found, key=lambda one: -one.created_at)


def model_detail(bench: Workbench, model: Model) -> Sequence[Block]:
    """A model: aliases, versions with their metrics, and every move of an alias."""
    now = bench.context.now()
    found = bench.registry.versions(model.name)
    names = list(dict.fromkeys(name for one in found for name in one.metrics))[:3]
    rows: tuple[tuple[Span | str, ...], ...] = tuple(
        (f"v{one.version}", _stage(one), ", ".join(one.aliases), *(number(one.metrics.get(name)) for name in names))
        for one in sorted(found, key=lambda one: -one.version)[:10]
    )
    moves = tuple(
        (
            one.alias,
            f"{one.from_version or '-'} → {one.to_version or '-'}",
            one.verb,
            one.by,
            (clock.ago(one.at, now), "muted"),
        )
        for one in sorted(bench.registry.promotions(model.name), key=lambda one: -one.id)[:8]
    )
    head = Fields(
        (
            ("Versions", number(model.versions)),
            ("Production", f"v{model.production}" if model.production else "none"),
            ("Aliases", ", ".join(f"{name} → v{version}" for name, version in model.aliases.items()) or "none"),
            ("Changed", cells.moment(model.updated_at, now)),
            ("About", model.description),
        ),
        title=model.name,
    )
    return (
        head,
        Grid(("Version", "Stage", "Aliases", *names), rows, title="Versions (o lists all)"),
        Grid(("Alias", "Versions", "Why", "By", "When"), moves, title="Moves"),
    )


def version_detail(bench: Workbench, one: Version) -> Sequence[Block]:
    """A version: stage, aliases, metrics, lineage, signature."""
    now = bench.context.now()
    head = Fields(
        (
            ("Stage", _stage(one)),
            ("Aliases", ", ".join(one.aliases) or "none"),
            ("Task", one.task),
            ("Made", cells.moment(one.created_at, now)),
            ("By", one.created_by),
            ("Size", size(one.size)),
            ("Content", one.sha[:16]),
            ("About", one.description),
        ),
        title=one.ref,
    )
    lineage = tuple(
        (
            item.kind.replace("_", " "),
            item.name if item.found else (f"{item.name} (gone)", "warn"),
            (item.detail, "muted"),
        )
        for item in bench.registry.lineage(one.ref)
    )
    inputs = tuple((str(item["name"]), (str(item["type"]), "muted")) for item in one.signature.get("inputs", []))
    return (
        head,
        Grid(("Metric", "Value"), tuple((name, number(value)) for name, value in one.metrics.items()), title="Metrics"),
        Grid(("From", "Name", ""), lineage, title="Where it came from"),
        Grid(("Input", "Type"), inputs, title="Inputs"),
    )


def _stage(one: Version) -> Span:
    word = str(one.stage)
    return ("-", "muted") if word == "None" else state(word)


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
            detail=model_detail,
            inside=Inside("versions", lambda one: f"model:{one.name}", "versions"),
            names=lambda one: {"name": one.name, "champion": one.aliases.get("champion", "VERSION")},
            asks=MODELS,
        ),
        Section(
            "versions",
            "Versions",
            versions,
            columns=(
                cells.text("Model", lambda one: one.model, width=30, grow=True),
                cells.text("Version", lambda one: f"v{one.version}", width=8),
                Column("Stage", lambda one, now: _stage(one), width=14),
                cells.text("Aliases", lambda one: ", ".join(one.aliases), width=24, rank=2),
                cells.text("Metrics", lambda one: "  ".join(f"{k} {number(v, 3)}" for k, v in list(one.metrics.items())[:2]),
                           width=34, rank=4, role="muted"),
                cells.when("Made", lambda one: one.created_at),
            ),
            key=lambda one: str(one.ref),
            empty=Empty("No versions yet.", "mlops pipelines run NAME"),
            detail=version_detail,
            names=lambda one: {"name": one.model, "ref": one.ref},
            asks=VERSIONS,
        ),
    )  # fmt: skip

    async def act_promote(self) -> None:
        """Ask for the stage or alias, then confirm; production wants the name typed."""
        one = self.record
        aliases = {alias for other in self.memory["versions"].records or () for alias in other.aliases}
        choices = (*STAGES, *sorted({"challenger", *aliases} - {"champion"}))
        fields = (Field("to", "Promote to", "production", choices=choices), Field("why", "Why", optional=True))

        def command(answers: Answers) -> str:
            why = f" --why '{answers['why']}'" if answers["why"] else ""
            return self.command("registry.promote").replace("STAGE", answers["to"]) + why

        def chosen(answers: Answers | None) -> None:
            if answers is not None:
                self._confirm_promotion(one, answers, command(answers))

        self.app.push_screen(Form(f"Promote {one.ref}", fields, "Go on", command), chosen)

    def _confirm_promotion(self, one: Version, answers: Answers, command: str) -> None:
        live = answers["to"] == "production"
        effect = (
            "It becomes the champion; the version in production now is archived. Pipelines compare against it."
            if live
            else f"It becomes {answers['to']} of {one.model}."
        )
        question = Question(
            f"Promote {one.ref} to {answers['to']}?", effect, command, "Promote", one.model if live else ""
        )

        def decided(yes: bool | None) -> None:
            if yes:
                self._promote(one, answers, command)

        self.app.push_screen(Confirm(question), decided)

    def _promote(self, one: Version, answers: Answers, command: str) -> None:
        to = answers["to"]
        model, before = one.model, self._aliases(one.model).get("champion" if to == "production" else to)
        back = None
        if to == "production" and before and before != one.version:
            back = Undo(command, f"mlops models rollback {model}",
                        lambda bench: f"Champion is {bench.registry.rollback(model).ref} again.", model)  # fmt: skip
        elif to not in STAGES and before:
            back = Undo(command, f"mlops models promote {model}/{before} --to {to}",
                        lambda bench: f"{bench.registry.promote(f'{model}/{before}', to=to).ref} is {to} again.")  # fmt: skip
        self.perform("promote", lambda bench: _promote(bench, one.ref, answers), command=command, undo=back)

    def _aliases(self, model: str) -> dict[str, int]:
        """Which version each alias of a model names, as far as this desk has read it."""
        known = self.memory["versions"].records or ()
        return {alias: other.version for other in known if other.model == model for alias in other.aliases}

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


def _promote(bench: Workbench, ref: str, answers: Answers) -> str:
    made = bench.registry.promote(ref, to=answers["to"], why=answers["why"])
    return f"{made.ref} is {answers['to']}."
