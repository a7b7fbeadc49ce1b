"""A run begins and ends in the catalog, whether its own process says so directly or its spool segment does. Repeating changes nothing."""

from __future__ import annotations

import sqlite3

from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments.records import RunStart, RunState
from mlops_tui.domains.experiments.store import ExperimentsStore


def begin(tx: sqlite3.Connection, store: ExperimentsStore, audit: Audit, start: RunStart) -> None:
    """Add a run, its experiment with it, or resume it; inside a `write()` of the catalog. Repeating it changes nothing."""
    if store.add_experiment(tx, start.experiment, start.started_at, start.user) is not None:
        audit.note(tx, "create", "experiment", start.experiment)
    facts = {"experiment": start.experiment, "name": start.name, "user": start.user}
    if store.add_run(tx, start) is not None:
        audit.note(tx, "start", "run", start.id, after=facts)
        if store.open_experiment(tx, start.experiment):  # deleted while this one was about to begin
            audit.note(tx, "restore", "experiment", start.experiment, why=f"run {start.id} began")
    elif start.resumed and store.resume_run(tx, start):
        audit.note(tx, "resume", "run", start.id, after=facts)


def end(
    tx: sqlite3.Connection, store: ExperimentsStore, audit: Audit, run_id: str, state: RunState, at: int, error: str
) -> bool:
    """Record a run's own end; inside a `write()` of the catalog. Whether it changed anything."""
    changed = store.end_run(tx, run_id, state, at, error)
    if changed:
        audit.note(tx, "end", "run", run_id, after={"state": state.value})
    return changed
