"""Deployments with their traffic, and the latest predictions; start, stop, roll back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mlops_tui.core import clock
from mlops_tui.domains.serving.searching import DEPLOYMENTS
from mlops_tui.tui.blocks import Block, Chart, Fields, Grid
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.charts.small import sparkline
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.lines import Span, clean, number, state
from mlops_tui.tui.screens import cells, feature_looks
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.evidence import rollout_blocks
from mlops_tui.tui.screens.promised import budget_left, promised_blocks
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.dialogs import Confirm, Question
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.serving.objectives import Standing
    from mlops_tui.domains.serving.records import Deployment, Prediction, Route, ServiceStats

WINDOW = 15 * clock.MINUTE
STEP = 15 * clock.SECOND
PREDICTIONS = 200


@dataclasses.dataclass(frozen=True)
class Traffic:
    """A deployment with its traffic of the last 15 minutes: requests a step, oldest first."""

    deployment: Deployment
    stats: ServiceStats
    rates: tuple[float, ...]
    promised: Standing | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.deployment, name)


def deployments(bench: Workbench) -> list[Traffic]:
    """Every deployment with its recent traffic."""
    since = bench.context.now() - WINDOW
    promised = {one.objective.deployment: one for one in bench.serving.promises.list()}
    out = []
    for one in bench.serving.list():
        points = bench.serving.series(one.name, since, STEP)
        rates = tuple(float(point.requests) for point in points)
        out.append(Traffic(one, bench.serving.stats(one.name, since), rates, promised.get(one.name)))
    return out


def predictions(bench: Workbench) -> list[Prediction]:
    """The newest predictions of all deployments, newest first."""
    found = [
        one
        for deployment in bench.serving.list()
        for one in bench.serving.predictions(deployment.name, limit=PREDICTIONS)
    ]
    return sorted(found, key=lambda one: -one.at)[:PREDICTIONS]


def deployment_detail(bench: Workbench, one: Traffic) -> Sequence[Block]:
    """A deployment: versions with their share, traffic and latency over time."""
    now = bench.context.now()
    what, stats = one.deployment, one.stats
    head = Fields(
        (
            ("Model", what.model),
            ("State", state(what.state)),
            ("Wanted", str(what.wanted)),
            ("Detail", (what.detail, "warn")),
            ("URL", what.url),
            ("Before", ", ".join(f"v{version} {share:g}%" for version, share in what.previous.items())),
            ("Changed", cells.moment(what.updated_at, now)),
        ),
        title=what.name,
    )
    routes = tuple(
        (
            f"v{route.version}",
            f"{route.weight:g}%",
            state(route.state),
            f"pid {route.pid}" if route.pid else "",
            (route.detail, "muted"),
        )
        for route in what.versions
    )
    traffic = Fields(
        (
            ("Requests", number(stats.requests)),
            ("Errors", (number(stats.errors), "bad" if stats.errors else "text")),
            ("Rate", f"{stats.rate:.2f}/s"),
            (
                "Latency",
                f"p50 {number(stats.p50_ms, 3)}  p95 {number(stats.p95_ms, 3)}  p99 {number(stats.p99_ms, 3)} ms",
            ),
        ),
        title="Last 15 minutes",
    )
    return (
        head,
        Grid(("Version", "Share", "State", "", ""), routes, title="Routes"),
        *rollout_blocks(bench, what.name),
        *promised_blocks(bench, what.name),
        traffic,
        *_charts(bench, what.name),
    )


def _charts(bench: Workbench, name: str) -> list[Block]:
    points = bench.serving.series(name, bench.context.now() - WINDOW, STEP)
    if not any(point.requests for point in points):
        return []
    now = float(bench.context.now())
    at = tuple(float(point.at) for point in points)
    window = (now - WINDOW, now)
    p50, p95 = ((tuple(math.nan if value is None else value for value in found)) for found in (
        [point.p50_ms for point in points], [point.p95_ms for point in points]))  # fmt: skip
    rates = Series("requests/s", at, tuple(point.rate for point in points))
    slow = (Series("p50 ms", at, p50), Series("p95 ms", at, p95))
    return [Chart(Plot(series, low=0, window=window), height=7) for series in ((rates,), slow)]


def prediction_detail(bench: Workbench, one: Prediction) -> Sequence[Block]:
    """A prediction: answer, truth if it has come, and what went in."""
    now = bench.context.now()
    head = Fields(
        (
            ("Id", one.id),
            ("Deployment", one.deployment),
            ("Version", f"{one.model}/{one.version}"),
            ("When", cells.moment(one.at, now)),
            ("Answer", cells.compact(one.prediction)),
            ("Score", number(one.score) if one.score is not None else ""),
            (
                "Truth",
                f"{cells.compact(one.label)} ({clock.ago(one.label_at, now)})" if one.label_at else "not known yet",
            ),
            ("Latency", f"{number(one.latency_ms, 3)} ms"),
            ("Error", (one.error, "bad")),
            ("Lineage", f"mlops why {one.id}"),
        ),
        title="Prediction",
    )
    inputs = tuple((name, cells.compact(value)) for name, value in one.inputs.items())
    return (head, Grid(("Input", "Value"), inputs, title="Inputs"))


def _routes(routes: Sequence[Route]) -> str:
    return "  ".join(f"v{route.version} {route.weight:g}%" for route in routes)


def _answer(one: Prediction) -> Span:
    return (clean(one.error), "bad") if one.error else (clean(cells.compact(one.prediction)), "text")


class ServingDesk(Desk):
    """Deployments and predictions."""

    ID = "serving"
    CSS_PATH = "serving.tcss"
    BINDINGS = bindings("serving")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "deployments",
            "Deployments",
            deployments,
            columns=(
                cells.text("Deployment", lambda one: one.name, width=26, grow=True),
                cells.text("Routes", lambda one: _routes(one.versions), width=26),
                cells.status("State", lambda one: one.state),
                Column("Traffic", lambda one, now: sparkline(one.rates, 12, low=0), width=12, rank=2),
                Column("Rate", lambda one, now: f"{one.stats.rate:.1f}/s", sort=lambda one: one.stats.rate, right=True),
                cells.count("Errors", lambda one: one.stats.errors or None, rank=3),
                Column("p95 ms", lambda one, now: number(one.stats.p95_ms, 3), sort=lambda one: one.stats.p95_ms, right=True,
                       rank=2),
                Column("Budget", lambda one, now: budget_left(one.promised), width=7, right=True, rank=3),
            ),
            key=lambda one: str(one.name),
            empty=Empty(
                "Nothing is deployed yet. A deployment is a named endpoint over one or more versions of a model.",
                "mlops deployments create NAME MODEL@champion",
            ),
            detail=deployment_detail,
            inside=Inside("predictions", lambda one: f"deployment:{one.name}", "predictions"),
            watches=frozenset({"catalog", "telemetry"}),
            names=lambda one: {"name": one.name},
            asks=DEPLOYMENTS,
        ),
        Section(
            "predictions",
            "Predictions",
            predictions,
            limit=PREDICTIONS,
            columns=(
                cells.when("When", lambda one: one.at),
                cells.text("Deployment", lambda one: one.deployment, width=22),
                cells.text("Version", lambda one: f"v{one.version}", width=8, rank=2),
                Column("Answer", lambda one, now: _answer(one), width=30, grow=True),
                cells.text("Truth", lambda one: cells.compact(one.label), width=14, rank=2),
                Column("ms", lambda one, now: number(one.latency_ms, 3), sort=lambda one: one.latency_ms, right=True, rank=3),
                cells.text("Id", lambda one: one.id, width=24, rank=4, role="muted"),
            ),
            key=lambda one: str(one.id),
            empty=Empty("No predictions yet. The log keeps every answered one.", "mlops predict NAME --json '{\"column\": 1}'"),
            detail=prediction_detail,
            watches=frozenset({"catalog", "telemetry"}),
            names=lambda one: {"name": one.deployment, "id": one.id},
        ),
    )  # fmt: skip

    async def act_start(self) -> None:
        """Ask the daemon to serve it again."""
        name = str(self.record.name)
        back = self.undo(
            "serving.start", lambda bench: f"{bench.serving.stop(name).name} is wanted stopped.", type_name=name
        )
        self.perform(f"start {name}", lambda bench: f"{bench.serving.start(name).name} is wanted running.", undo=back)

    async def act_stop(self) -> None:
        """Confirm, then take it out of service."""
        name = str(self.record.name)
        effect = f"Requests to {name} are refused until it is started again. The definition and the log stay."
        question = Question(f"Stop {name}?", effect, self.command("serving.stop"), "Stop", name)
        back = self.undo("serving.stop", lambda bench: f"{bench.serving.start(name).name} is wanted running.")
        self._ask(question, f"stop {name}", lambda bench: f"{bench.serving.stop(name).name} is wanted stopped.", back)

    async def act_skew(self) -> None:
        """What it answered from, against the offline join."""
        feature_looks.skew(self, f"deployment:{self.record.name}")

    async def act_rollback(self) -> None:
        """Confirm, then return to the routes before."""
        one = self.record.deployment
        before = ", ".join(f"v{version} {share:g}%" for version, share in one.previous.items())
        question = Question(
            f"Roll {one.name} back?",
            f"Traffic moves from {_routes(one.versions)} to {before}. No request fails meanwhile.",
            self.command("serving.rollback"),
            "Roll back",
            str(one.name),
        )

        def work(bench: Workbench) -> str:
            return f"{one.name} serves {_routes(bench.serving.rollback(one.name).versions)}."

        back = self.undo("serving.rollback", work, type_name=str(one.name))
        self._ask(question, f"roll back {one.name}", work, back)

    def _ask(self, question: Question, title: str, work: Callable[[Workbench], str], undo: Undo) -> None:
        def decided(yes: bool | None) -> None:
            if yes:
                self.perform(title, work, command=question.command, undo=undo)

        self.app.push_screen(Confirm(question), decided)
