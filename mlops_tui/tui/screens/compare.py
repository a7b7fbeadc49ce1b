"""Runs side by side: what they were given, what came out, where they ran, their curves over each other, their code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on

from mlops_tui.core import clock
from mlops_tui.tui.lines import Line, Span, clean, crop, line, number, state
from mlops_tui.tui.screens import cells, compare_parts, run_curves
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.page import Page
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.cell import WholeCell
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Comparison, Run

MOST = 12
"""More runs than this are no longer side by side."""
NUMBERS = frozenset({"catalog", "metrics"})


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """One thing all runs are compared in, with one value per run (None: a run has none); `best` is the run that wins."""

    group: str
    name: str
    values: tuple[Any, ...]
    best: int | None = None

    @property
    def differs(self) -> bool:
        return any(one != self.values[0] for one in self.values[1:])


@dataclasses.dataclass(frozen=True, slots=True)
class Comparing:
    """Runs by name and what they are compared in, differences first."""

    names: tuple[str, ...]
    lines: tuple[Compared, ...]

    @property
    def differing(self) -> int:
        return sum(one.differs for one in self.lines)


def ids_of(of: str) -> list[str]:
    """The runs of a comparison as its key names them."""
    return of.split(",")


def names_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """Short names that tell the runs apart."""
    names = tuple(run.name or run.id[:8] for run in runs)
    return (
        names if len(set(names)) == len(names) else tuple(f"{n} {r.id[:4]}" for n, r in zip(names, runs, strict=True))
    )


def compare(of: str, bench: Workbench) -> Comparing:
    """Read everything the table shows. Raises InvalidInput for fewer than two runs."""
    found = bench.experiments.compare(ids_of(of))
    said = [one for one in _lines(found) if any(value is not None for value in one.values)]
    return Comparing(names_of(found.runs), tuple(sorted(said, key=lambda one: not one.differs)))


def _lines(found: Comparison) -> list[Compared]:
    runs = found.runs
    out = [
        Compared("run", "state", tuple(str(run.state) for run in runs)),
        Compared("run", "experiment", tuple(run.experiment for run in runs)),
        Compared("run", "took", tuple(clock.duration(run.duration) for run in runs)),
        Compared("run", "look at", tuple(", ".join(run.marks) or None for run in runs)),
    ]
    out += [Compared("parameter", name, values) for name, values in found.params.items()]
    out += [Compared("metric", name, values, found.best.get(name)) for name, values in found.metrics.items()
            if not run_curves.is_system(name)]  # fmt: skip
    tags = sorted({key for run in runs for key in run.tags})
    out += [Compared("tag", name, tuple(run.tags.get(name) for run in runs)) for name in tags]
    out += [Compared("data", name, values) for name, values in found.data.items()]
    out.append(Compared("code", "commit", tuple(one or None for one in found.code)))
    out += [Compared("environment", name, tuple(get(run) or None for run in runs)) for name, get in _ENVIRONMENT]
    return out + [Compared("package", name, values) for name, values in found.packages.items()]


_ENVIRONMENT: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("python", lambda run: run.python),
    ("branch", lambda run: run.git_branch),
    ("source", lambda run: run.source),
    ("command", lambda run: run.command),
    ("host", lambda run: run.host),
    ("user", lambda run: run.user),
)


def columns(names: Sequence[str]) -> tuple[Column, ...]:
    """What is compared, whether it differs, then a column per run; `★` is the best of a metric."""
    return (
        Column("What", lambda one, now: (clean(one.name), "title" if one.differs else "text"), width=24,
               whole=lambda one: one.name),
        Column("", lambda one, now: ("≠" if one.differs else " ", "warn"), width=1, kind="text"),
        Column("Kind", lambda one, now: (one.group, "muted"), width=11, rank=99),
        *(_run_column(name, at) for at, name in enumerate(names)),
    )  # fmt: skip


def _run_column(name: str, at: int) -> Column:
    return Column(
        clean(name),
        lambda one, now: _value(one, at),
        width=24,
        rank=1 if at < 2 else 3 + at,  # two are side by side in any terminal
        whole=lambda one: one.values[at],
    )


def _value(one: Compared, at: int) -> Span | str:
    value = one.values[at]
    if value is None:
        return ("-", "muted")
    if one.name == "state" and one.group == "run":
        return state(value)
    text = number(value) if isinstance(value, float) else clean(value)
    return (f"{text} ★", "good") if one.best == at else (text, "text" if one.differs else "muted")


class CompareDesk(Page):
    """The marked runs; `d` leaves only what differs."""

    ID = "compare"
    HOME = "experiments"
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("compare")
    SHORT: ClassVar[dict[str, str]] = {"differences": "Values"}
    LOADS: ClassVar[dict[str, Any]] = {
        "differences": compare,
        "curves": compare_parts.rows,
        "scatter": compare_parts.params,
        "code": compare_parts.code,
    }
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "differences",
            "Values",
            columns=columns(()),
            key=lambda one: f"{one.group} {one.name}",
            empty=Empty("These runs are the same in everything that is recorded; d shows it all.", "mlops runs list"),
            watches=NUMBERS,
            names=lambda one: {"name": one.name},
        ),
        Section(
            "curves",
            "Curves",
            columns=(
                cells.text("Metric", lambda one: one.name, width=32, grow=True),
                cells.count("Runs", lambda one: len(one.runs)),
                cells.count("Points", lambda one: one.points, rank=3),
            ),
            key=lambda one: str(one.name),
            empty=Empty("None of these runs logged a metric more than once.", "mlops runs list"),
            detail=compare_parts.curves,
            watches=NUMBERS,
            names=lambda one: {"name": one.name},
        ),
        Section(
            "scatter",
            "Parameters",
            columns=(
                cells.text("Parameter", lambda one: one.name, width=32, grow=True),
                cells.count("Values", lambda one: len(set(one.values))),
            ),
            key=lambda one: str(one.name),
            empty=Empty("No parameter that is a number differs between these runs.", "mlops runs list"),
            detail=compare_parts.scatter,
            watches=NUMBERS,
            names=lambda one: {"name": one.name},
        ),
        Section("code", "Code", watches=NUMBERS, draw=compare_parts.draw_code),
    )

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(",".join(ids))
        self.found: Comparing | None = None
        self.only_differences = False

    def head(self, width: int) -> Line:
        found = self.found
        if found is None:
            return line((f" Compare {len(ids_of(self.of))} runs", "title"))
        only = ", only those are shown" if self.only_differences else ""
        words = f"  {found.differing} of {len(found.lines)} differ{only}"
        names = ", ".join(map(clean, found.names))
        return crop(line((f" Compare {len(found.names)} runs", "title"), (words, "muted"), f"  {names}"), width)

    def names(self) -> dict[str, object]:
        short = [one[:8] for one in ids_of(self.of)]
        return {"id": short[0], "ids": " ".join(short)}

    @staticmethod
    def read_subject(bench: Workbench, of: str) -> object:
        return of

    def show_section(self) -> None:
        self.set_class(self.section.id in ("curves", "scatter"), "-curves")
        super().show_section()

    def arrived(self, section: str, records: Any) -> Any:
        """The columns of the table are the runs; what is hidden is not read again to be shown."""
        if section != "differences":
            return records
        self.found = records
        fresh = dataclasses.replace(self.SECTIONS[0], columns=columns(records.names))
        if self.section is self.SECTIONS[0]:
            self.section = fresh
        self.SECTIONS = (fresh, *self.SECTIONS[1:])  # type: ignore[misc]
        return self._shown()

    def _shown(self) -> list[Compared]:
        assert self.found is not None
        return [one for one in self.found.lines if one.differs or not self.only_differences]

    async def act_differences(self) -> None:
        """Only what differs, or everything."""
        self.only_differences = not self.only_differences
        if self.found is not None:
            self.memory["differences"].records = self._shown()
            self.show_rows()

    @on(VirtualTable.Opened, "#table")
    def _row_opened(self, message: VirtualTable.Opened) -> None:
        """The values in full, of one run after the other."""
        one, found = self.record, self.found
        if self.section.id == "differences" and one is not None and found is not None:
            message.prevent_default()
            values = [(f"{one.name}: {name}", value) for name, value in zip(found.names, one.values, strict=True)]
            self.app.push_screen(WholeCell(values, max(0, self.table.column - 3)))
