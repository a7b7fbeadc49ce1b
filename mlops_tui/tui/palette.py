"""The command palette: desks and their parts, the actions of this desk, and the objects of the workspace by name."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.command import DiscoveryHit, Hit, Hits, Provider

from mlops_tui.tui import actions, saved
from mlops_tui.tui.history import Place
from mlops_tui.tui.lines import clean
from mlops_tui.tui.links import KINDS, PLACES, resolve
from mlops_tui.tui.state import Failure
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.tui.app import MlopsApp

_LIMIT = 200
_NAMED = re.compile(r"\s*(\w+)[\s/]+(\S.*)")


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """An object and where it is shown."""

    kind: str
    name: str
    desk: str
    section: str
    key: str


def objects(bench: Workbench) -> list[Found]:
    """The names a user may want to jump to; a room that fails is left out, the others stay."""
    out: list[Found] = []
    for load in (_tables, _models, _runs, _pipelines, _deployments, _schedules, _alerts):
        try:
            out.extend(load(bench))
        except Exception:  # noqa: S112 - one broken room must not empty the palette; its own desk shows the error
            continue
    return out


def _tables(bench: Workbench) -> Iterator[Found]:
    for table in bench.features.list():
        yield Found("table", table.name, "features", "tables", table.name)


def _models(bench: Workbench) -> Iterator[Found]:
    for model in bench.registry.models():
        yield Found("model", model.name, "registry", "models", model.name)
        for alias, version in model.aliases.items():
            yield Found("model", f"{model.name}@{alias}", "registry", "version", f"{model.name}/{version}")


def _runs(bench: Workbench) -> Iterator[Found]:
    for run in bench.experiments.runs(limit=_LIMIT):
        yield Found("run", f"{run.name} {run.id[:8]}", "experiments", "run", run.id)


def _pipelines(bench: Workbench) -> Iterator[Found]:
    for pipeline in bench.pipelines.list():
        yield Found("pipeline", pipeline.name, "pipelines", "pipeline", pipeline.name)


def _deployments(bench: Workbench) -> Iterator[Found]:
    for deployment in bench.serving.list():
        yield Found("deployment", deployment.name, "serving", "deployments", deployment.name)


def _schedules(bench: Workbench) -> Iterator[Found]:
    for schedule in bench.schedules.list():
        yield Found("schedule", schedule.name, "pipelines", "schedules", schedule.name)


def _alerts(bench: Workbench) -> Iterator[Found]:
    for alert in bench.alerts.list(limit=_LIMIT):
        if alert.active:
            yield Found("alert", f"{alert.id} {clean(alert.title)}", "monitoring", "incident", str(alert.id))


class Objects(Provider):
    """Everything the palette finds beyond themes and quit."""

    @property
    def _app(self) -> MlopsApp:
        app: Any = self.app
        found: MlopsApp = app
        return found

    async def startup(self) -> None:
        read = await asyncio.to_thread(self._app.source.attempt, objects)
        self._found: list[Found] = [] if isinstance(read, Failure) else read
        kept = await asyncio.to_thread(self._app.source.attempt, saved.everywhere)
        self._saved: list[saved.Saved] = [] if isinstance(kept, Failure) else kept

    def _commands(self) -> Iterator[tuple[str, str, Callable[[], Any]]]:
        app = self._app
        for key, (desk, title, _) in enumerate(actions.DESKS, 1):
            yield f"Go to {title}", f"Key {key}", partial(app.action_desk, desk)
        from mlops_tui.tui.screens.base import Desk

        screen = app.base_desk
        if isinstance(screen, Desk):
            for action in actions.of(screen.ID, screen.section.id):
                reason = action.why_not(screen.situation)
                yield (
                    action.title,
                    reason or actions.command(action, screen.situation.names),
                    partial(screen.carry_out, action),
                )

            if screen.situation.list:
                for verb, run in (("list.views", screen.action_views), ("list.save_view", screen.action_save_view)):
                    action = actions.get(verb)
                    yield action.title, action.why_not(screen.situation) or action.help, run
            if (chart := screen.chart) is not None:
                for action in actions.CHARTS:
                    yield f"Chart: {action.title.lower()}", action.help, partial(chart.carry_out, action)

    async def discover(self) -> Hits:
        for title, text, run in self._commands():
            yield DiscoveryHit(title, run, help=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, text, run in self._commands():
            if score := matcher.match(title):
                yield Hit(score, matcher.highlight(title), run, help=text)
        for name, part in PLACES.items():
            if part.section and (score := matcher.match(f"Go to {name}")):
                go = partial(self._app.open_at, part.desk, part.section)
                yield Hit(score, matcher.highlight(f"Go to {name}"), go, help=f"mlops tui {name}")
        if (place := await self._named(query)) is not None:
            yield Hit(1000, f"{query.strip()}", partial(self._app.open_at, place.desk, place.section, place.key),
                      help=f"Open on {place.desk}")  # fmt: skip
        for view in self._saved:
            label = f"view {view.name} of {view.list}"
            if score := matcher.match(label):
                yield Hit(score, matcher.highlight(label), self._look(view), help=view.query)
        for one in self._found:
            label = f"{one.kind} {one.name}"
            if score := matcher.match(label):
                yield Hit(score, matcher.highlight(label), self._jump(one), help=f"Open on {one.desk}")

    async def _named(self, query: str) -> Place | None:
        """What `run 3f2` or `run/3f2` names exactly, however many runs there are."""
        match = _NAMED.match(query)
        if match is None or match[1] not in KINDS:
            return None
        kind, name = match[1], match[2].strip()
        found = await asyncio.to_thread(self._app.source.attempt, lambda bench: resolve(bench, f"{kind}/{name}"))
        return found if isinstance(found, Place) else None

    def _look(self, view: saved.Saved) -> Callable[[], Any]:
        desk, section = next(place for place, list_ in saved.LISTS.items() if list_ == view.list)
        return lambda: self._app.open_at(desk, section, filter=view.query)

    def _jump(self, one: Found) -> Callable[[], Any]:
        return lambda: self._app.open_at(one.desk, one.section, one.key)
