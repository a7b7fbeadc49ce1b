"""A client of the MLflow dialect over a workspace, and the rooms behind it."""

from __future__ import annotations

import pytest

from mlops_tui.workbench import Workbench

from .client import Client


@pytest.fixture
async def client(workspace):
    client = Client(workspace)
    yield client
    client.desk.close()


@pytest.fixture
def rooms(workspace):
    with Workbench(workspace, actor="reader") as bench:
        yield bench
