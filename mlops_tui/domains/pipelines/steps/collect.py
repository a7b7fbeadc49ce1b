"""Lay what the project's own steps made side by side, for all that follows."""

from __future__ import annotations

from typing import Any

from mlops_tui.domains.pipelines import graph, rows
from mlops_tui.domains.pipelines.fitting import UNLABELLED
from mlops_tui.domains.pipelines.steps import own
from mlops_tui.domains.pipelines.work import Work

OUTPUTS = ("frame.parquet", f"{UNLABELLED}.parquet")


def run(work: Work) -> dict[str, Any]:
    """Write `frame`, from the steps that no other step needs."""
    last = graph.leaves(graph.own_needs(work.recipe.steps))
    return rows.hand_on(work, own.beside(work, last), work.results[graph.LOAD])
