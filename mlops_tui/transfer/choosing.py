"""Which runs an export takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run
    from mlops_tui.workbench import Workbench

_PAGE = 500


def chosen(workbench: Workbench, experiments: Sequence[str], query: str) -> list[Run]:
    """Runs of these experiments (of all without any) that meet the query, oldest first.

    Raises NotFound for an experiment that is not there, InvalidInput for a query that cannot be read.
    """
    workbench.experiments.sweep()
    names: Sequence[str | None] = experiments or (None,)
    found = [run for name in names for run in _pages(workbench, name, query)]
    return sorted(found, key=lambda run: (run.started_at, run.id))


def _pages(workbench: Workbench, experiment: str | None, query: str) -> Iterator[Run]:
    offset = 0
    while page := workbench.experiments.runs(experiment, query=query, order="started_at", limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)
