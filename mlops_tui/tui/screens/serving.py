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
from mlops_tui.tui.lines import Span, number, state
from mlops_tui.tui.screens import cells, feature_looks
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.evidence import rollout_blocks
from mlops_tui.tui.screens.predictions import PREDICTIONS, replay, why
from mlops_tui.tui.screens.promised import budget_left, promised_blocks
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.dialogs import Confirm, Question
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.serving.objectives import Standing
    from mlops_tui.domains.serving.records import Deployment, Route, ServiceStats

WINDOW = 15 * clock.MINUTE
STEP = 15 * clock.SECOND


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
            _workers(route),
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
        _checks(bench, what),
    )


def _workers(route: Route) -> Span:
    """The process that answers for a version, and how many do so with it while its requests queue up."""
    if not route.pid:
        return ("", "text")
    more = f" and {route.workers - 1} more" if route.workers > 1 else ""
    return (f"pid {route.pid}{more}", "accent" if more else "text")


def _checks(bench: Workbench, what: Deployment) -> Grid:
    """What each version showed before it got traffic."""
    rows = [
        (f"v{one.version}", check.check, ("good", "good") if check.ok else ("refused", "bad"), (check.detail, "muted"))
        for one in bench.serving.checking.of(what)
        for check in one.checks
    ]
    rows += [
        (f"v{one.version}", "", ("accepted", "warn"), (f"by {one.accepted_by}: {one.why}", "muted"))
        for one in bench.serving.checking.of(what)
        if one.accepted_by
    ]
    return Grid(("Version", "Check", "", ""), tuple(rows), title="Before any traffic")


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


def _routes(routes: Sequence[Route]) -> str:
    return "  ".join(f"v{route.version} {route.weight:g}%" for route in routes)


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
        PREDICTIONS,
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

    async def act_why(self) -> None:
        """What each input added to the answer."""
        why(self)

    async def act_replay(self) -> None:
        """Ask which version shall answer it again."""
        replay(self)

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
