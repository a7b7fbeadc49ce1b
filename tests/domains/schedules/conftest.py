from __future__ import annotations

import pytest

from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench
from tests.domains.schedules.fakes import FakeFeatures, FakePipelines, FakeTable, another


@pytest.fixture
def pipelines(workbench: Workbench) -> FakePipelines:
    return FakePipelines(workbench)


@pytest.fixture
def features() -> FakeFeatures:
    return FakeFeatures({"labels": FakeTable(1, 100), "orders": FakeTable(4, 900)})


@pytest.fixture
def schedules(workbench: Workbench, pipelines: FakePipelines, features: FakeFeatures) -> Schedules:
    return another(workbench, pipelines, features)
