"""Two versions of a model side by side: metrics, parameters, inputs, data, origin, size, environment."""

from __future__ import annotations

from typing import Any, ClassVar

from mlops_tui.domains.registry.records import DiffItem
from mlops_tui.tui.lines import Line, Span, clean, line, number, size
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.page import Page
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench


def items(of: str, bench: Workbench) -> list[DiffItem]:
    """What differs between two versions named `left,right`. Raises NotFound."""
    left, _, right = of.partition(",")
    found = bench.registry.diff(left, right)
    caution = [DiffItem("test", "rows of the metrics", "its own", "its own", None)] if found.caution else []
    return [*found.items, *caution]


def _value(one: DiffItem, value: Any) -> Span:
    if value in (None, ""):
        return ("-", "muted")
    if one.section == "package":
        return (size(value), "text")
    return (number(value) if isinstance(value, int | float) else clean(value), "text")


def _change(one: DiffItem) -> Span:
    """How far a number moved, with a sign that is not a colour."""
    if one.delta is None:
        return ("≠", "warn")
    share = f" ({one.delta / abs(one.left):+.1%})" if one.left else ""
    said = (
        f"{'+' if one.delta >= 0 else '-'}{size(abs(one.delta))}" if one.section == "package" else f"{one.delta:+.4g}"
    )
    return (f"{'▲' if one.delta > 0 else '▼'} {said}{share}", "accent")


class DiffDesk(Page):
    """What differs between two versions."""

    ID = "diff"
    HOME = "registry"
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("diff")
    LOADS: ClassVar[dict[str, Any]] = {"differences": items}
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "differences",
            "Differences",
            columns=(
                cells.text("Name", lambda one: one.key, width=26),
                cells.text("What", lambda one: one.section, width=12, role="muted", rank=3),
                Column("Left", lambda one, now: _value(one, one.left), width=24, whole=lambda one: one.left),
                Column("Right", lambda one, now: _value(one, one.right), width=24, whole=lambda one: one.right),
                Column(
                    "Change", lambda one, now: _change(one), lambda one: abs(one.delta or 0.0), 24, grow=True, rank=2
                ),
            ),
            key=lambda one: f"{one.section} {one.key}",
            empty=Empty("They do not differ in anything that is recorded.", "mlops models diff LEFT RIGHT"),
            names=lambda one: {"name": one.key},
        ),
    )

    @property
    def refs(self) -> tuple[str, str]:
        """The two versions."""
        left, _, right = self.of.partition(",")
        return left, right

    def head(self, width: int) -> Line:
        left, right = self.refs
        return line((f" {clean(left)}", "title"), (" left, ", "muted"), (clean(right), "title"), (" right", "muted"))

    @property
    def acted_on(self) -> Any:
        return self.of

    def names(self) -> dict[str, object]:
        left, right = self.refs
        return {"id": self.of, "left": left, "right": right}

    async def act_turn(self) -> None:
        """The other way round."""
        left, right = self.refs
        self.app.pop_screen()
        await self.workbench_app.open_at("registry", "diff", f"{right},{left}")
