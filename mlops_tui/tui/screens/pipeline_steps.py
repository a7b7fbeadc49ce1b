"""The steps of a pipeline run as a graph along time, and what each gave and wrote. All `of`-functions run in a worker."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.pipelines import definition, graph
from mlops_tui.domains.pipelines.records import STEPS
from mlops_tui.tui.blocks import Block, Fields, Grid, Text
from mlops_tui.tui.lines import Span, clean, number, state
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.records import PipelineRun, StepRun

LOG_TAIL = 40
BUILT_IN = frozenset(STEPS)
BAR = 24
"""Cells of the time bar beside the steps."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A step of the graph: its branches, what it is, when it ran within the run, and the run it belongs to."""

    branch: str
    step: StepRun
    begin: float
    share: float
    run: str
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.step.name


def steps(of: str, bench: Workbench) -> list[Row]:
    """The steps of a run in their order."""
    run = bench.pipelines.get_run(of)
    return rows_of(run, bench.context.now(), _needs(bench, run))


def _needs(bench: Workbench, run: PipelineRun) -> Mapping[str, tuple[str, ...]]:
    """What each step waits for, by the definition the run was made with."""
    try:
        recipe = definition.parse(bench.pipelines.definition_of(run.id), f"{run.pipeline}.toml")
    except WorkbenchError:  # a newer version of this program wants it otherwise
        return {}
    return graph.whole([step.name for step in run.steps], graph.own_needs(recipe.steps))


def rows_of(run: PipelineRun, now: int, needs: Mapping[str, tuple[str, ...]]) -> list[Row]:
    """Each step with where it lies between begin and end of the run (until now, while it runs); own steps are a branch."""
    begins = [step.started_at for step in run.steps if step.started_at is not None]
    start = min(begins, default=run.started_at or run.created_at)
    end = max([step.ended_at or now for step in run.steps if step.started_at is not None], default=now)
    span = max(1, end - start)
    names = [step.name for step in run.steps]
    out = []
    for at, step in enumerate(run.steps):
        begin, share = 0.0, 0.0
        if step.started_at is not None:
            begin, share = (step.started_at - start) / span, ((step.ended_at or now) - step.started_at) / span
        out.append(Row(_branch(names, at), step, begin, share, run.id, needs.get(step.name, ())))
    return out


def _branch(names: Sequence[str], at: int) -> str:
    """The line to a step: built-in ones along the trunk, the project's own beside it."""
    if names[at] not in BUILT_IN:
        last = at + 1 == len(names) or names[at + 1] in BUILT_IN
        return "│ └ " if last else "│ ├ "
    return "┌ " if at == 0 else "└ " if at == len(names) - 1 else "├ "


def bar(one: Row, width: int = BAR) -> Span:
    """Where a step lies within the run, as a bar."""
    if one.step.started_at is None:
        return ("·" * width, "muted")
    first = min(width - 1, int(one.begin * width))
    length = max(1, round(one.share * width))
    roles = {"running": "busy", "failed": "bad", "succeeded": "good"}
    text = " " * first + "━" * min(length, width - first)
    return (f"{text:<{width}}", roles.get(str(one.step.state), "muted"))


def took(start: int | None, end: int | None, now: int) -> str:
    """How long; how long so far where it has no end."""
    return "-" if start is None else clock.duration((end or now) - start)


def step_detail(bench: Workbench, one: Row) -> Sequence[Block]:
    """A step: what it gave, and the end of its log."""
    step, now = one.step, bench.context.now()
    head = Fields(
        (
            ("State", state(step.state)),
            ("Took", took(step.started_at, step.ended_at, now)),
            ("Waits for", ", ".join(one.needs)),
            ("Said", (step.detail, "bad" if str(step.state) == "failed" else "text")),
        ),
        title=step.name,
    )
    return (head, *_outputs(bench, one.run, step.name), _log(bench, one.run, step.name))


def _outputs(bench: Workbench, run_id: str, step: str) -> Sequence[Block]:
    """What a step handed on, as it was written for the steps after it."""
    path = bench.pipelines.folder(run_id) / f"{step}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())["result"]
    except (OSError, ValueError, KeyError):
        return ()
    shown = {name: value for name, value in found.items() if name not in {"detail", "key", "verdict"}}
    pairs = tuple(
        (name, in_line(value))
        for name, value in shown.items()
        if not _is_table(value) and value not in (None, "", [], {})
    )
    tables = [_table(name, value) for name, value in shown.items() if _is_table(value)]
    return (Grid(("Gave", ""), pairs, title="Outputs"), *tables) if pairs or tables else ()


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Grid:
    heads = tuple(rows[0])
    return Grid(heads, tuple(tuple(in_line(row.get(head)) for head in heads) for row in rows[:20]), title=name)


def in_line(given: Any) -> str:
    """Any value in a line."""
    if isinstance(given, dict):
        return ", ".join(f"{name} {in_line(one)}" for name, one in given.items())
    if isinstance(given, list):
        return ", ".join(in_line(one) for one in given)
    return number(given) if isinstance(given, int | float) else clean(given)


def _log(bench: Workbench, run_id: str, step: str) -> Text:
    try:
        text = bench.pipelines.step_log(run_id, step)
    except WorkbenchError:  # a step of the project's own has no log file of its own
        text = ""
    return Text("\n".join(text.splitlines()[-LOG_TAIL:]) or "it wrote nothing", "muted", title="Log")
