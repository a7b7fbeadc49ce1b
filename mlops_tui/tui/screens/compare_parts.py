"""The pictures of a comparison: curves over each other, parameters against metrics, differences of the code."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.tui.blocks import Block, Chart, Text
from mlops_tui.tui.charts.line import Plot, Series, View
from mlops_tui.tui.lines import Line, line, wrap
from mlops_tui.tui.screens import run_curves, run_files
from mlops_tui.workbench import Workbench

MOST_POINTS = 2000
MOST_CHARTS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """A metric and the runs that have a course of it, as (id, name)."""

    name: str
    runs: tuple[tuple[str, str], ...]
    points: int


def _named(of: str, bench: Workbench) -> list[tuple[str, str]]:
    from mlops_tui.tui.screens.compare import ids_of, names_of

    runs = [bench.experiments.run(one) for one in ids_of(of)]
    return [(run.id, name) for run, name in zip(runs, names_of(runs), strict=True)]


def rows(of: str, bench: Workbench) -> list[Curve]:
    """The metrics that at least one run logged more than once, those most runs have first."""
    named = _named(of, bench)
    found: dict[str, list[tuple[tuple[str, str], int]]] = {}
    for run, name in named:
        for key, one in bench.experiments.metrics(run).items():
            if one.count > 1 and not run_curves.is_system(key):
                found.setdefault(key, []).append(((run, name), one.count))
    curves = [Curve(key, tuple(run for run, _ in of_), sum(count for _, count in of_)) for key, of_ in found.items()]
    return sorted(curves, key=lambda one: -len(one.runs))


def curves(bench: Workbench, row: Curve) -> Sequence[Block]:
    """One chart with a curve per run."""
    series = []
    for run, name in row.runs:
        series.append(dataclasses.replace(run_curves.sampled(bench, run, row.name, MOST_POINTS), name=name))
    return (Chart(Plot(tuple(series), x_name="step"), title=row.name),)


# -- parameters against metrics ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Param:
    """A parameter that is a number and differs, and the metrics of the runs: (name, value per run)."""

    name: str
    values: tuple[float, ...]
    metrics: tuple[tuple[str, tuple[float | None, ...]], ...]


def params(of: str, bench: Workbench) -> list[Param]:
    """The parameters that are numbers in all runs and not the same in all."""
    from mlops_tui.tui.screens.compare import ids_of

    found = bench.experiments.compare(ids_of(of))
    metrics = tuple((name, values) for name, values in found.metrics.items() if not run_curves.is_system(name))
    out = []
    for name in found.differing:
        numbers = [_number(value) for value in found.params[name]]
        if all(math.isfinite(one) for one in numbers):
            out.append(Param(name, tuple(numbers), metrics))
    return out


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else math.nan
    except ValueError:
        return math.nan


def scatter(bench: Workbench, row: Param) -> Sequence[Block]:
    """A dot per run: the parameter along x, a metric along y."""
    charts: list[Block] = []
    for name, values in row.metrics[:MOST_CHARTS]:
        pairs = sorted((x, y) for x, y in zip(row.values, values, strict=True) if y is not None and math.isfinite(y))
        if pairs:
            xs, ys = zip(*pairs, strict=True)
            charts.append(
                Chart(Plot((Series(name, xs, ys),), style="scatter", x_name=row.name), title=f"{name} by {row.name}")
            )
    return charts or (Text("These runs have no metric to set against it.", "muted"),)


# -- code --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Code:
    """How the code of each other run differs from that of the first: (title, diff or why there is none)."""

    diffs: tuple[tuple[str, str], ...]


def code(of: str, bench: Workbench) -> Code:
    """Differences against the first run."""
    (first, before), *others = _named(of, bench)
    out = []
    for run, name in others:
        try:
            text = bench.experiments.code_diff(first, run)
        except WorkbenchError as error:
            text = f"{error.message} {error.hint}".strip()
        out.append((f"{before} → {name}", text))
    return Code(tuple(out))


def draw_code(one: Code, width: int, height: int, view: View | None = None) -> list[Line]:
    """The diffs below each other."""
    out: list[Line] = []
    for title, text in one.diffs:
        out += [(), line((f" {title}", "title"))]
        if not text.strip():
            words = "No difference is known. Between two commits it is looked for in the repository this program was started in."
            out += [line((f" {piece}", "muted")) for piece in wrap(words, width - 2)]
        out += [((" ", "text"), *each) for each in run_files.diff(text).lines]
    return out
