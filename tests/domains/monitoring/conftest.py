"""In-memory twins of the registry and of serving, over real Parquet files of the shape serving writes; a bench on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import NotFound
from mlops_tui.domains.monitoring.service import Monitoring
from mlops_tui.domains.registry.evidence import Evidence
from mlops_tui.domains.registry.profile import build_profile
from mlops_tui.domains.registry.records import Stage, Version
from mlops_tui.domains.serving.records import Deployment, Route, ServiceStats, State, Wanted
from mlops_tui.workbench import Workbench


def version(number: int, task: str = "regression", labels: list[Any] | None = None) -> Version:
    return Version(
        model="bikes",
        version=number,
        sha="",
        stage=Stage.NONE,
        aliases=[],
        task=task,
        metrics={},
        run_id="",
        snapshots=[],
        pipeline="",
        pipeline_run="",
        git_commit="",
        signature={"labels": labels or []},
        environment={},
        tags={},
        description="",
        size=0,
        created_at=0,
        created_by="",
    )


class FakeRegistry:
    """Versions of one model with their profiles."""

    def __init__(self) -> None:
        self.found: dict[int, tuple[Version, dict[str, Any] | None]] = {}
        self.kept = Evidence()
        self.said: dict[str, Any] | None = None

    def put(self, what: Version, profile: dict[str, Any] | None) -> None:
        self.found[what.version] = (what, profile)

    def version(self, ref: str) -> Version:
        return self.found[int(ref.partition("/")[2])][0]

    def profile(self, ref: str) -> dict[str, Any] | None:
        return self.found[int(ref.partition("/")[2])][1]

    def checkout(self, ref: str, dest: Path) -> Path:
        raise NotFound(f"{ref} has no package.")

    def ask(self, ref: str, function: Any, order: dict[str, Any], *, timeout_s: float = 0.0) -> dict[str, Any]:
        if self.said is None:
            raise NotFound(f"{ref} has no package.")
        return self.said

    def evidence(self, ref: str) -> Evidence:
        return self.kept


class FakeServing:
    """One deployment `bikes`; predictions go to Parquet as they are answered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = ["bikes"]
        self.routes: tuple[Route, ...] = (Route(1, 100.0, State.READY),)
        self.files: list[tuple[Path, int, int]] = []
        self.versions: dict[Path, int] = {}
        self.rows: list[pd.DataFrame] = []
        self.labels: list[dict[str, Any]] = []
        self.feedback_time: int | None = None

    def answer(
        self, frame: pd.DataFrame, predictions: Any, at: int, *, number: int = 1, failed: int = 0, latency: float = 5.0
    ) -> list[str]:
        """Log rows answered one ms apart up to `at`; the last `failed` of them as errors. Their ids."""
        n = len(frame)
        times = np.arange(at - n + 1, at + 1)
        ids = [f"p{time:011x}{place:012x}" for place, time in enumerate(times)]
        log = pd.DataFrame(
            {
                "id": ids,
                "at": times.astype("int64"),
                "version": np.full(n, number, dtype="int32"),
                "latency_ms": np.full(n, latency, dtype="float32"),
                "status": np.array([200] * (n - failed) + [500] * failed, dtype="int16"),
                "error": [""] * n,
                "prediction": predictions,
                "_score": np.nan,
                "_model": "bikes",
                "_request_id": "",
            }
        )
        log = pd.concat([log, frame.reset_index(drop=True)], axis=1)
        path = self.folder / f"{len(self.files)}.parquet"
        log.to_parquet(path)
        self.files.append((path, int(times[0]), int(times[-1])))
        self.versions[path] = number
        self.rows.append(log)
        return ids

    def label(self, ids: list[str], values: Any, at: int) -> None:
        self.labels += [
            {"id": each, "label": value, "label_at": at + place}
            for place, (each, value) in enumerate(zip(ids, values, strict=True))
        ]
        self.feedback_time = at

    def merge(self) -> None:
        """Make one file of all, as compaction does at the end of a day."""
        path = self.folder / "merged.parquet"
        pd.concat(self.rows).to_parquet(path)
        self.files = [(path, self.files[0][1], self.files[-1][2])]

    # -- what the monitoring room calls

    def list(self) -> Any:
        return [self.get(name) for name in self.names]

    def get(self, name: str) -> Deployment:
        if name not in self.names:
            raise NotFound(f"no {name}")
        return Deployment(name, "bikes", Wanted.RUNNING, self.routes, {}, 1, 0, 0)

    def prediction_files(
        self, name: str, since: int | None = None, until: int | None = None, version: int | None = None
    ) -> Any:
        mixed = self.folder / "merged.parquet"
        return [
            path
            for path, _, last in self.files
            if last >= (since or 0) and (path == mixed or version in (None, self.versions[path]))
        ]

    def labelled(self, name: str, since: int | None = None, until: int | None = None) -> pd.DataFrame:
        columns = ["id", "at", "version", "prediction", "score", "label", "label_at"]
        if not self.labels:
            return pd.DataFrame(columns=columns)
        rows = pd.concat(self.rows).rename(columns={"_score": "score"})
        joined = rows.merge(pd.DataFrame(self.labels), on="id")
        return joined.loc[joined["at"] >= (since or 0), columns].sort_values(["at", "id"], ignore_index=True)

    def label_files(self, since: int | None = None) -> list[Path]:
        if not self.labels:
            return []
        rows = [
            {"id": row["id"], "at": row["label_at"], "received_at": place, "text": str(row["label"]),
             "number": float(row["label"]), "kind": "float"}
            for place, row in enumerate(self.labels)
        ]  # fmt: skip
        pd.DataFrame(rows).to_parquet(self.folder / "labels.parquet")
        return [self.folder / "labels.parquet"]

    def stats(self, name: str, since: int) -> ServiceStats:
        rows = sum(int((frame["at"] >= since).sum()) for frame in self.rows)
        return ServiceStats(rows, 0, 0.0, None, None, None, rows=rows)

    def feedback_at(self) -> int | None:
        return self.feedback_time


class Bench:
    """A deployed regression model: y = 10 + temp, with errors of about one."""

    def __init__(self, workbench: Workbench, clock: Any, folder: Path) -> None:
        self.workbench, self.clock = workbench, clock
        self.random = np.random.default_rng(11)
        self.registry, self.serving = FakeRegistry(), FakeServing(folder)
        context = workbench.context
        self.monitoring = Monitoring(
            context,
            workbench.audit,
            workbench.alerts,
            self.registry,  # type: ignore[arg-type]
            self.serving,  # type: ignore[arg-type]
        )
        self.put_version(1)

    def inputs(self, rows: int, shift: float = 0.0) -> pd.DataFrame:
        kinds = self.random.choice(["rain", "sun"], rows, p=[0.3, 0.7])
        return pd.DataFrame({"temp": self.random.normal(15, 5, rows) + shift, "sky": kinds})

    def truth(self, frame: pd.DataFrame, noise: float = 1.0) -> Any:
        return 10 + frame["temp"].to_numpy() + self.random.normal(0, noise, len(frame))

    def put(self, number: int, profile: dict[str, Any] | None) -> None:
        self.registry.put(version(number), profile)

    def put_version(self, number: int) -> None:
        frame = self.inputs(3000)
        predictions = 10 + frame["temp"]
        profile = build_profile(frame, predictions, self.truth(frame), task="regression")
        self.put(number, profile)

    def answer(self, rows: int = 300, shift: float = 0.0, **options: Any) -> tuple[pd.DataFrame, list[str]]:
        self.clock.advance(60_000)
        frame = self.inputs(rows, shift)
        return frame, self.serving.answer(frame, 10 + frame["temp"], self.clock.now, **options)

    def label(self, frame: pd.DataFrame, ids: list[str], noise: float = 1.0) -> None:
        self.clock.advance(60_000)
        self.serving.label(ids, self.truth(frame, noise), self.clock.now)

    def open(self) -> dict[str, Any]:
        return {alert.rule: alert for alert in self.workbench.alerts.list("open")}


@pytest.fixture
def bench(workbench: Workbench, clock: Any, tmp_path: Path) -> Bench:
    folder = tmp_path / "log"
    folder.mkdir()
    return Bench(workbench, clock, folder)
