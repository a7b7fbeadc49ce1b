"""Files of runs and logged models for clients over HTTP: an index of names over the content-addressed store.

A name never becomes a path on the disk: a file lies under the hash of its content, so no name can lead anywhere else.
"""

from __future__ import annotations

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.experiments.files import check_path
from mlops_tui.domains.experiments.records import RunArtifact
from mlops_tui.domains.experiments.remote_models import LoggedModels
from mlops_tui.domains.experiments.remote_runs import RemoteRuns

MODEL_PREFIX = "m-"


class RemoteFiles:
    """Files of an owner: a run by its id, or a logged model by its id, which begins with `m-`."""

    def __init__(self, context: Context, runs: RemoteRuns, models: LoggedModels) -> None:
        self._context = context
        self._runs = runs
        self._models = models

    def check(self, owner: str, path: str) -> str:
        """The path as it will be kept. Raises NotFound (owner), InvalidInput (path, a deleted run)."""
        if owner.startswith(MODEL_PREFIX):
            self._models.get(owner)
        else:
            self._runs.check_active(owner)
        return check_path(path)

    def keep(self, owner: str, path: str, sha: str, size: int) -> None:
        """Name a file that is in the store already. Raises what `check` raises."""
        path = self.check(owner, path)
        table, name = self._table(owner)
        with self._context.metrics.write() as tx:
            entry = (name, path, sha, size, self._context.now())
            tx.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)", entry)

    def list(self, owner: str) -> list[RunArtifact]:
        """Files of an owner by path; a run's own ones without those of models it logged. Raises NotFound."""
        table, name = self._table(owner)
        column = "model" if table == "model_file" else "run"
        rows = self._context.metrics.read(
            f"SELECT path, sha, size, logged_at FROM {table} WHERE {column} = ? ORDER BY path", (name,)
        )
        copies = self._copies(owner)
        return [RunArtifact(*row) for row in rows if (row["path"], row["sha"]) not in copies]

    def find(self, owner: str, path: str) -> str:
        """The hash of a file. Raises NotFound, InvalidInput."""
        path = check_path(path)
        sha = self.under(owner).get(path)
        if sha is None:
            raise NotFound(f"There is no artifact '{path[:200]}' of {owner}.")
        return sha

    def under(self, owner: str, folder: str = "") -> dict[str, str]:
        """Hashes of all files in a folder of an owner by their path within it, with those of models a run logged."""
        table, name = self._table(owner)
        column = "model" if table == "model_file" else "run"
        rows = self._context.metrics.read(f"SELECT path, sha FROM {table} WHERE {column} = ?", (name,))
        lead = f"{check_path(folder)}/" if folder else ""
        return {path[len(lead) :]: sha for path, sha in rows if path.startswith(lead)}

    def remove(self, owner: str, path: str) -> None:
        """Forget a file, or a folder with all in it; an empty path forgets every file of the owner."""
        path = check_path(path) if path else ""
        table, name = self._table(owner)
        column = "model" if table == "model_file" else "run"
        with self._context.metrics.write() as tx:
            tx.execute(
                f"DELETE FROM {table} WHERE {column} = ?1 AND (?2 = '' OR path = ?2 OR substr(path, 1, length(?2) + 1) = ?2 || '/')",
                (name, path),
            )

    def _table(self, owner: str) -> tuple[str, str | int]:
        if owner.startswith(MODEL_PREFIX):
            return "model_file", self._models.get(owner).id
        return "artifact", self._runs.number(owner)

    def _copies(self, owner: str) -> set[tuple[str, str]]:
        """Files that a run has only because a logged model of it has them; clients ask for those by the model."""
        if owner.startswith(MODEL_PREFIX):
            return set()
        rows = self._context.across(
            "SELECT m.name || '/' || f.path, f.sha FROM logged_model m JOIN metrics.model_file f ON f.model = m.id"
            " WHERE m.run_id = ?",
            (owner,),
        )
        return {(row[0], row[1]) for row in rows}
