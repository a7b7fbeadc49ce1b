"""Predictions for a whole file or table: partition by partition, each written before the next, so that a killed run goes on.

What a run is follows from its inputs (package hash, rows, partition size): the same order finds the partitions it wrote before,
under `batches/` in the workspace, until its result is published. Rows a model refuses have an `error` and no prediction.

The model is loaded here and not aside (`registry/aside.py`): a batch is a job of its own, in a child under its shim, so what the
model does to that process ends this job, with its exit on record, and nothing else.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.engines.reference import FrameEngine
from mlops_tui.domains.serving.log import scores
from mlops_tui.domains.serving.predictor import one_line

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry

PARTITION_ROWS = 20_000
_REFUSALS = (ValueError, TypeError, OverflowError)
Report = Callable[[int, "int | None", str], None]


@dataclasses.dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch came to: `resumed` of its `partitions` were there from an earlier run, `refused` rows have no prediction."""

    model: str
    source: str
    rows: int
    refused: int
    partitions: int
    resumed: int
    output: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Order:
    version: Version
    source: str
    identity: str
    frame: Callable[[], pd.DataFrame]
    kept: tuple[str, ...] | None  # columns beside the predictions; None for all


class Batch:
    """Runs batches of one workspace."""

    def __init__(self, context: Context, registry: Registry, features: Features) -> None:
        self._context = context
        self._registry = registry
        self._features = features

    def run(
        self, ref: str, source: str, *, out: str = "", into: str = "", rows: int = PARTITION_ROWS, report: Report
    ) -> BatchResult:
        """Predict all rows of `source` (TABLE@N or a .csv or .parquet file) with a version; write the Parquet file `out`, or
        the feature table `into`.

        Raises NotFound, InvalidInput (columns missing or of another type, an existing `out`).
        """
        order = self._order(self._registry.version(ref), source)
        # Where the result goes is no part of what a run is: the partitions serve another place as well.
        key = hashlib.sha256(json.dumps([order.version.sha, order.identity, rows]).encode()).hexdigest()[:24]
        folder = self._context.workspace.root / "batches" / key
        folder.mkdir(parents=True, exist_ok=True)
        frame = order.frame()
        if frame.empty:
            raise InvalidInput(f"{source} holds no rows.", hint="Give at least one row.")
        count = -(-len(frame) // rows)
        wanted = [folder / f"part-{place:06d}.parquet" for place in range(count)]
        resumed = sum(path.exists() for path in wanted)
        if resumed < count:
            self._predict(order, frame, wanted, rows, report)
        lineage = {"model": order.version.ref, "package": order.version.sha, "source": order.source, "rows": len(frame)}
        tables = [pq.read_table(path) for path in wanted]
        whole = pa.concat_tables(tables, promote_options="permissive").replace_schema_metadata(
            {**(tables[0].schema.metadata or {}), b"mlops": json.dumps(lineage).encode()}
        )
        output = self._publish(order, whole, key, out, into)
        shutil.rmtree(folder, ignore_errors=True)
        refused = sum(text != "" for text in whole.column("error").to_pylist())
        return BatchResult(order.version.ref, order.source, len(frame), refused, count, resumed, output)

    def _order(self, version: Version, source: str) -> _Order:
        path = Path(source)
        if path.suffix.lower() in {".csv", ".parquet"}:
            if not path.is_file():
                raise NotFound(f"There is no file {source}.", hint="Check the name.")
            about = path.stat()
            read = pd.read_csv if path.suffix.lower() == ".csv" else pd.read_parquet
            identity = f"{path.resolve()}:{about.st_size}:{about.st_mtime_ns}"
            return _Order(version, str(path.resolve()), identity, lambda: _readable(read, path), None)
        snapshot = self._features.snapshot(source)
        table = self._features.get(snapshot.table)
        ref = f"{snapshot.table}@{snapshot.version}"
        kept = (*table.keys, *([table.time] if table.time else []))
        return _Order(version, ref, f"{ref}:{snapshot.schema_hash}", lambda: self._features.frame(ref), kept)

    def _predict(self, order: _Order, frame: pd.DataFrame, wanted: list[Path], rows: int, report: Report) -> None:
        place = self._context.workspace.tmp / f"batch-{wanted[0].parent.name}"
        try:
            self._registry.checkout(order.version.ref, place)  # every hash checked before the model is loaded
            described, sample = package.signature(place), package.sample(place)
            engine = FrameEngine(package.load(place), described, sample)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        inputs = conform(frame, described, sample)
        labels = tuple(described.get("labels") or ())
        for number, path in enumerate(wanted):
            first = number * rows
            report(first, len(frame), "predicting")
            if path.exists():
                continue
            part = inputs.iloc[first : first + rows]
            predicted, wide, errors = answers(engine, described, part)
            beside = frame.iloc[first : first + rows]
            beside = beside[list(order.kept)] if order.kept is not None else beside
            found = beside.reset_index(drop=True).drop(columns=["prediction", "score", "error"], errors="ignore")
            found["prediction"] = predicted
            if wide is not None:
                found["score"] = [None if row is None else _score(row, labels) for row in wide]
            found["error"] = errors
            staged = self._context.lake.stage()
            found.to_parquet(staged, index=False)
            self._context.lake.publish(staged, path)
        report(len(frame), len(frame), "predicting")

    def _publish(self, order: _Order, whole: pa.Table, key: str, out: str, into: str) -> str:
        staged = self._context.lake.stage()
        try:
            pq.write_table(whole, staged, compression="zstd")
            if out:
                self._context.lake.publish(staged, Path(out).resolve())
                return str(Path(out).resolve())
            message = f"predictions of {order.version.ref} over {order.source}"
            taken = self._features.ingest(into, staged, message=message, batch_id=f"{key}-{into}")
            return f"{into}@{taken.version}"
        finally:
            staged.unlink(missing_ok=True)


def conform(frame: pd.DataFrame, described: dict[str, Any], sample: pd.DataFrame) -> pd.DataFrame:
    """Return the model's inputs out of a frame, with the types of training; InvalidInput names the column that does not fit."""
    names = [item["name"] for item in described["inputs"]]
    data: dict[str, Any] = {}
    for name in names:
        if name not in frame.columns:
            hint = did_you_mean(name, [str(column) for column in frame.columns], f"The model needs {', '.join(names)}.")
            raise InvalidInput(f"The rows have no column {name!r}.", hint=hint)
        wanted = sample[name].dtype
        values = frame[name]
        if getattr(wanted, "kind", "") in "iub" and values.isna().any():
            wanted = pd.Series([0.0]).dtype
        try:
            data[name] = pd.to_datetime(values, utc=True) if _with_zone(wanted) else values.astype(wanted)
        except (ValueError, TypeError) as error:
            raise InvalidInput(
                f"The column {name!r} is not {wanted}: {one_line(error)}.", hint="Check its values."
            ) from error
    return pd.DataFrame(data)


def answers(
    engine: FrameEngine, described: dict[str, Any], part: pd.DataFrame
) -> tuple[list[Any], list[list[float] | None] | None, list[str]]:
    """Predict a partition; of rows that cannot be, halves are asked until those alone are left: their error stands for them."""
    predicted: list[Any] = []
    wide: list[list[float] | None] = []
    errors: list[str] = []
    for found, probabilities, error in _halves(engine, described, part):
        predicted += found
        wide += probabilities if probabilities is not None else [None] * len(found)
        errors += [error] * len(found)
    return predicted, wide if any(row is not None for row in wide) else None, errors


def _halves(
    engine: FrameEngine, described: dict[str, Any], part: pd.DataFrame
) -> Iterator[tuple[list[Any], list[list[float]] | None, str]]:
    try:
        yield *engine.ask(package.prepare(described, part)), ""
    except _REFUSALS as error:
        if len(part) == 1:
            yield [None], None, one_line(error)
            return
        middle = len(part) // 2
        yield from _halves(engine, described, part.iloc[:middle])
        yield from _halves(engine, described, part.iloc[middle:])


def _score(row: list[float], labels: tuple[Any, ...]) -> float:
    found = scores([row], labels)
    assert found is not None
    return found[0]


def _with_zone(dtype: Any) -> bool:
    return isinstance(dtype, pd.DatetimeTZDtype)


def _readable(read: Callable[[Path], pd.DataFrame], path: Path) -> pd.DataFrame:
    try:
        return read(path)
    except (ValueError, OSError) as error:  # pandas and Arrow raise their own kinds of both
        raise InvalidInput(
            f"{path} cannot be read: {one_line(error)}.", hint="A CSV with a header, or Parquet."
        ) from error
