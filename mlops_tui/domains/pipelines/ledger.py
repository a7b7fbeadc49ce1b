"""What the catalog says of a run and its steps while it goes, and how it ended."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.pipelines.records import Finding, Outcome, RunState

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.pipelines.store import PipelinesStore
    from mlops_tui.domains.pipelines.work import Work


class Ledger:
    """Keeps one run at a time; changes that nobody waits for are written together."""

    def __init__(self, context: Context, store: PipelinesStore, audit: Audit, experiments: Experiments) -> None:
        self._context = context
        self._store = store
        self._audit = audit
        self._experiments = experiments
        self._unwritten: list[tuple[str, dict[str, Any]]] = []

    def finish(self, work: Work, state: RunState, skipped: str = "") -> None:
        """End a run without an error: one that succeeded may have to wait for people."""
        if state is RunState.SUCCEEDED and self._waits(work):
            state = RunState.WAITING
        self.close(work, state, "", skipped)

    def close(self, work: Work, state: RunState, error: str, skipped: str = "an earlier step failed") -> None:
        """End a run; `skipped` is said of the steps that were not begun."""
        now = self._context.now()
        with self._context.catalog.write() as tx:
            self.write(work)
            self._store.end_running(tx, work.run_id, now, error)
            self._store.skip_pending(tx, work.run_id, skipped)
            self._store.update(tx, work.run_id, state=state, ended_at=now, error=error)
            version = work.results.get("register", {}).get("version", "")
            self._audit.note(tx, state, "pipeline_run", work.run_id, after={"version": version, "error": error})
            if work.options.get("test"):
                self._store.update(tx, work.run_id, facts={"test": self._tested(work, state)})
        self._experiments.take_in()
        self._experiments.finish(work.experiment_run, "failed" if state is RunState.FAILED else "finished", error)

    def mark(self, work: Work, name: str, **values: Any) -> None:
        """Have everybody see it now."""
        self.soon(name, **values)
        self.write(work)

    def soon(self, name: str, **values: Any) -> None:
        """Have everybody see it with the next thing there is to see, at the latest before anything is waited for."""
        self._unwritten.append((name, values))

    def write(self, work: Work) -> None:
        """Write down what was to be seen soon."""
        if self._unwritten:
            with self._context.catalog.write(
                hasty=True
            ) as tx:  # where a power cut ends a run, its steps matter to nobody
                for name, values in self._unwritten:
                    self._store.update_step(tx, work.run_id, name, **values)
            self._unwritten.clear()

    def _tested(self, work: Work, state: RunState) -> dict[str, Any]:
        rows = work.results.get("load", {}).get("rows", 0)
        found = list(work.findings)
        if state is RunState.SUCCEEDED:
            found.append(
                Finding("whole", work.recipe.pipeline.name, True, f"{len(work.results)} steps on {rows:,} rows")
            )
        return {"checks": [asdict(one) for one in found], "rows": rows}

    def _waits(self, work: Work) -> bool:
        if "gate" not in work.results or work.options.get("test"):  # a run that decides nothing
            return False
        undecided = work.results["gate"]["verdict"]["outcome"] == Outcome.NEEDS_PERSON
        return undecided or ("deploy" not in work.results and work.recipe.deploy.to != "none")
