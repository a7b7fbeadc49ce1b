"""Opens a workspace and hands out the rooms: the one place where they are put together."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mlops_tui.core import clock, locks
from mlops_tui.core.context import Context
from mlops_tui.core.workspace import Workspace

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.features.derived_records import SkewReport
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.hardware.service import Hardware
    from mlops_tui.domains.jobs.service import Jobs
    from mlops_tui.domains.labels.service import Labels
    from mlops_tui.domains.monitoring.service import Monitoring
    from mlops_tui.domains.pipelines.service import Pipelines
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.schedules.service import Schedules
    from mlops_tui.domains.serving.service import Serving
    from mlops_tui.lineage import Lineage
    from mlops_tui.maturity import Maturity
    from mlops_tui.why import Step

_LOOK_S = 0.01


class Workbench:
    """The rooms of one workspace for one thread; each is imported, migrated and built when it is first asked for."""

    def __init__(
        self, workspace: Workspace, *, actor: str | None = None, now: Callable[[], int] = clock.now_ms
    ) -> None:
        self.workspace = workspace
        self.context = Context(workspace, actor=actor or default_actor(), now=now)
        self._seen = -1

    @property
    def actor(self) -> str:
        return self.context.actor

    def changed(self) -> tuple[int, int, int]:
        """Three numbers that differ from the last answer when anyone changed the workspace: cheap enough for four times a second."""
        context = self.context
        return context.catalog.data_version(), context.metrics.data_version(), context.telemetry.data_version()

    def await_change(self, timeout_s: float) -> None:
        """Sleep until anyone has changed the catalog since the last such call, at most so long: a hundredth of a second late, for a
        thousandth of a core.
        """
        catalog, deadline = self.context.catalog, time.monotonic() + timeout_s
        while (now := catalog.data_version()) == self._seen and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(_LOOK_S, left))
        self._seen = now

    def daemon_alive(self) -> bool:
        """Whether a daemon runs on this workspace."""
        return locks.held(self.workspace.daemon_lock)

    def maturity(self, model: str) -> Maturity:
        """How far the life of a model is automated; see `maturity.py`. Raises NotFound."""
        from mlops_tui.maturity import assess

        return assess(self, model)

    def why(self, reference: str) -> list[Step]:
        """The chain behind a prediction, model version, run or snapshot: see `mlops_tui.why`."""
        from mlops_tui.why import explain

        return explain(self, reference)

    def lineage(self, reference: str) -> Lineage:
        """What something came from and what came of it, as two trees: see `mlops_tui.lineage`. Raises NotFound."""
        from mlops_tui.lineage import trace

        return trace(self, reference)

    def skew(self, name: str, **options: Any) -> SkewReport:
        """What a table, view or `deployment:NAME` served against the offline join; see `replay.skew`."""
        from mlops_tui.replay import skew

        return skew(self, name, **options)

    def backup(self, target: Path) -> int:
        """Write a consistent archive of the workspace to `target`; its bytes."""
        from mlops_tui.archive import backup

        return backup(self.context, target)

    @cached_property
    def audit(self) -> Audit:
        from mlops_tui.domains.audit.service import Audit

        return Audit(self.context)

    @cached_property
    def alerts(self) -> Alerts:
        from mlops_tui.domains.alerts.service import Alerts

        return Alerts(self.context, self.audit)

    @cached_property
    def jobs(self) -> Jobs:
        from mlops_tui.domains.jobs.service import Jobs

        return Jobs(self.context, self.audit)

    @cached_property
    def hardware(self) -> Hardware:
        from mlops_tui.domains.hardware.service import Hardware

        return Hardware(self.context)

    @cached_property
    def experiments(self) -> Experiments:
        from mlops_tui.domains.experiments.service import Experiments

        return Experiments(self.context, self.audit)

    @cached_property
    def features(self) -> Features:
        from mlops_tui.domains.features.service import Features

        return Features(self.context, self.audit)

    @cached_property
    def registry(self) -> Registry:
        from mlops_tui.domains.registry.service import Registry

        return Registry(self.context, self.audit, self.features, self.experiments)

    @cached_property
    def serving(self) -> Serving:
        from mlops_tui.domains.serving.service import Serving

        return Serving(self.context, self.audit, self.alerts, self.registry, self.features)

    @cached_property
    def labels(self) -> Labels:
        from mlops_tui.domains.labels.service import Labels

        return Labels(self.context, self.audit, self.features, self.registry, self.serving)

    @cached_property
    def monitoring(self) -> Monitoring:
        from mlops_tui.domains.monitoring.service import Monitoring

        return Monitoring(self.context, self.audit, self.alerts, self.registry, self.serving)

    @cached_property
    def pipelines(self) -> Pipelines:
        from mlops_tui.domains.pipelines.service import Pipelines

        # Asking for a run and looking at one is done without these three, a third of what such a command loads.
        experiments, registry, serving = (_later(self, room) for room in ("experiments", "registry", "serving"))
        return Pipelines(self.context, self.audit, self.features, experiments, registry, serving, self.jobs)

    @cached_property
    def schedules(self) -> Schedules:
        from mlops_tui.domains.schedules.service import Schedules

        return Schedules(
            self.context, self.audit, self.alerts, self.jobs, self.pipelines, self.monitoring, self.features
        )

    def close(self) -> None:
        self.context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Later:
    """A room that is built when it is first asked something."""

    def __init__(self, workbench: Workbench, room: str) -> None:
        self._workbench, self._room = workbench, room

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._workbench, self._room), name)


def _later(workbench: Workbench, room: str) -> Any:
    return _Later(workbench, room)


def default_actor() -> str:
    """$MLOPS_ACTOR, else the name of the user this process runs as."""
    if os.environ.get("MLOPS_ACTOR"):
        return os.environ["MLOPS_ACTOR"]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in some containers
        return f"uid{os.getuid()}"


def open_workbench(path: str | Path | None = None, *, actor: str | None = None) -> Workbench:
    """Find the workspace (`path`, $MLOPS_WORKSPACE, the nearest parent folder, the user's data folder) and open it."""
    return Workbench(Workspace.find(path), actor=actor)
