"""`mlops export parquet`: five files that any program reads. Times are TIMESTAMP in UTC, of milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.lake import disk_error
from mlops_tui.domains.experiments.records import number_of
from mlops_tui.transfer.choosing import chosen
from mlops_tui.transfer.records import Progress

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run
    from mlops_tui.workbench import Workbench

_ROWS = 50_000
_WORDS = ("user", "host", "source", "command", "python", "git_commit", "git_branch", "parent", "error")


def export_parquet(
    workbench: Workbench, folder: Path, progress: Progress, *, experiments: Sequence[str] = (), query: str = ""
) -> dict[str, int]:
    """Write runs, params, metrics, tags and artifacts; the number of rows of each.

    A file appears whole or not at all. Raises NotFound, InvalidInput (as `chosen`), Unavailable when the disk refuses.
    """
    runs = chosen(workbench, experiments, query)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(_File(folder / f"{name}.parquet", columns))
                for name, columns in _schemas().items()
            }
            for done, run in enumerate(runs):
                progress(done, len(runs), run.name)
                _put(workbench, run, files)
            progress(len(runs), len(runs), "")
            for file in files.values():
                file.complete()
            return {name: file.rows for name, file in files.items()}
    except OSError as error:
        raise disk_error(error, folder) from error


def _schemas() -> dict[str, dict[str, str]]:
    """Columns of each file with their types."""
    run = {
        "run": "string",
        "experiment": "string",
        "name": "string",
        "state": "string",
        "started_at": "time",
        "ended_at": "time",
    }
    return {
        "runs": {**run, **dict.fromkeys(_WORDS, "string"), "git_dirty": "bool"},
        "params": {"run": "string", "key": "string", "value": "string", "number": "double"},
        "metrics": {"run": "string", "key": "string", "step": "int", "at": "time", "value": "double"},
        "tags": {"run": "string", "key": "string", "value": "string"},
        "artifacts": {"run": "string", "path": "string", "sha256": "string", "bytes": "int", "logged_at": "time"},
    }


def _put(workbench: Workbench, run: Run, files: dict[str, _File]) -> None:
    rooms = workbench.experiments
    words = [getattr(run, word) for word in _WORDS]
    state = run.state.value
    files["runs"].add([(run.id, run.experiment, run.name, state, run.started_at, run.ended_at, *words, run.git_dirty)])
    files["params"].add((run.id, key, value, number_of(value)) for key, value in rooms.params(run.id).items())
    files["tags"].add((run.id, key, value) for key, value in run.tags.items())
    for key in rooms.metrics(run.id):
        points = rooms.remote.runs.history(run.id, key, -1, 0)  # those beyond the newest of a step too
        files["metrics"].add((run.id, key, *point) for point in points)
    files["artifacts"].add((run.id, one.path, one.sha, one.size, one.logged_at) for one in rooms.artifacts(run.id))


class _File:
    """A Parquet file that is written row group by row group, and takes its name when it is complete."""

    def __init__(self, path: Path, columns: dict[str, str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {
            "string": pa.string(),
            "time": pa.timestamp("ms", tz="UTC"),
            "double": pa.float64(),
            "int": pa.int64(),
            "bool": pa.bool_(),
        }
        self.rows = 0
        self._path = path
        self._staged = path.with_name(f".{path.name}.part")
        self._schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
        self._writer = pq.ParquetWriter(self._staged, self._schema, compression="zstd")
        self._held: list[tuple[Any, ...]] = []

    def add(self, rows: Iterator[tuple[Any, ...]] | list[tuple[Any, ...]]) -> None:
        for row in rows:
            self._held.append(row)
            if len(self._held) == _ROWS:
                self._write()

    def _write(self) -> None:
        import pyarrow as pa

        columns = list(zip(*self._held, strict=True)) or [()] * len(self._schema)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self.rows += len(self._held)
        self._held.clear()

    def complete(self) -> None:
        self._write()
        self._writer.close()
        self._staged.replace(self._path)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *about: object) -> None:
        self._writer.close()
        self._staged.unlink(missing_ok=True)
