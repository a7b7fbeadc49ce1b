"""As much of the rooms below as schedules see, shared by the tests of this room."""

from __future__ import annotations

import builtins
import dataclasses
from dataclasses import dataclass, field
from typing import Any

from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.jobs.records import Job
from mlops_tui.domains.pipelines.records import Definition
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench

HOUR = 3_600_000


@dataclass
class FakePipelines:
    """As much of the pipelines room as schedules see."""

    bench: Workbench
    triggers_of: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"churn": []})
    broken: set[str] = field(default_factory=set)
    problem: str = ""
    needs: dict[str, float] = field(default_factory=dict)

    def list(self) -> list[Definition]:
        return [
            dataclasses.replace(
                self.get(name), triggers=triggers, problems=["a mistake"] if name in self.broken else []
            )
            for name, triggers in self.triggers_of.items()
        ]

    def get(self, name: str) -> Definition:
        if name not in self.triggers_of:
            raise NotFound(f"There is no pipeline '{name}'.")
        return Definition(name, f"{name}.toml", spine="labels", features=["orders@3:total"], deployment=f"{name}-api")

    def plan(self, name: str) -> builtins.list[str]:
        self.get(name)
        return ["Reads labels@2.", "Trains."]

    def run(self, name: str, cause: dict[str, Any] | None, key: str | None = None) -> Job:
        self.get(name)
        if self.problem:
            raise InvalidInput(self.problem)
        return self.bench.jobs.submit(
            "pipeline", f"Train {name}", {"run_id": "x"}, key=key, cause=cause, name=name, needs=self.needs
        )


@dataclass
class FakeTable:
    latest_version: int
    rows: int
    max_time: int | None = None
    created_at: int = 0


@dataclass
class FakeFeatures:
    tables: dict[str, FakeTable] = field(default_factory=dict)

    def get(self, name: str) -> FakeTable:
        if name not in self.tables:
            raise NotFound(f"no table {name}")
        return self.tables[name]

    def snapshot(self, reference: str) -> FakeTable:
        return self.get(reference.partition("@")[0])


def another(workbench: Workbench, pipelines: FakePipelines, features: FakeFeatures) -> Schedules:
    return Schedules(
        workbench.context,
        workbench.audit,
        workbench.alerts,
        workbench.jobs,
        pipelines,
        None,
        features,  # type: ignore[arg-type]
    )


def finish_all(workbench: Workbench) -> None:
    for job in workbench.jobs.claim(100):
        workbench.jobs.begin(job.id, job.attempt, processes.identity())
        workbench.jobs.finish(job.id, job.attempt, "succeeded")
