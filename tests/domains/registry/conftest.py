"""A registry over a real catalog, with in-memory twins of the rooms below it, and a package that needs no scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from mlops_tui.core.errors import NotFound
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.service import Registry
from mlops_tui.workbench import Workbench


class Mean:
    """The smallest estimator: answers one number."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def predict(self, rows: Any) -> Any:
        return pd.Series([self.value] * len(rows)).to_numpy()


class Features:
    """In-memory twin: knows the snapshots it was given."""

    def snapshot(self, ref: str) -> Any:
        if ref != "hours@1":
            raise NotFound(f"There is no snapshot {ref}.")
        return SimpleNamespace(rows=1200, author="ana", created_at=1_700_000_000_000)


class Experiments:
    """In-memory twin with one run."""

    def run(self, run_id: str) -> Any:
        if run_id != "aaaa":
            raise NotFound(f"There is no run {run_id}.")
        return SimpleNamespace(experiment="bikes", name="first", state="finished", started_at=1_700_000_000_000)


@pytest.fixture
def registry(workbench: Workbench) -> Registry:
    return Registry(workbench.context, workbench.audit, Features(), Experiments())  # type: ignore[arg-type]


@pytest.fixture
def make_package(tmp_path: Path) -> Callable[..., Path]:
    def make(value: float = 1.0, name: str = "package") -> Path:
        folder = tmp_path / name
        sample = pd.DataFrame({"temp": [1.0, 2.5, 4.0], "city": ["a", "b", "a"]})
        package.save(
            folder,
            Mean(value),
            sample=sample,
            task="regression",
            target="count",
            reference=sample,
            truth=[1.0, 2.0, 3.0],
        )
        return folder

    return make
