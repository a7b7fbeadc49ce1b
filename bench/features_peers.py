"""What others do with the same data; run by the interpreter of MLOPS_BENCH_PEERS (polars, feast, pandera, ydata-profiling).

Prints one line of JSON: CPU seconds (median of rounds, imports not counted) and where the answer lies. It imports nothing of ours.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 3


def cpu(work: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    """Median CPU seconds of the rounds, and what the last one gave."""
    times, out = [], None
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_SELF)
        out = work()
        after = resource.getrusage(resource.RUSAGE_SELF)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times), out


def polars(folder: Path) -> dict[str, Any]:
    import polars as pl

    def join() -> pl.DataFrame:
        left = pl.read_parquet(folder / "spine.parquet").sort("event_at")
        for name in "ab":
            right = pl.read_parquet(folder / f"{name}.parquet").sort("event_at", "known_at", maintain_order=True)
            right = right.unique(["user_id", "event_at"], keep="last", maintain_order=True).drop("known_at")
            left = left.join_asof(right, on="event_at", by="user_id", tolerance="2d", check_sortedness=False)
        return left.sort("row")

    seconds, answer = cpu(join)
    answer.write_parquet(folder / "polars.parquet")
    return {"cpu": seconds, "answer": str(folder / "polars.parquet")}


def repo(folder: Path) -> Path:
    """A Feast repository over the files `a` and `b`."""
    path = folder / "repo"
    path.mkdir(exist_ok=True)
    (path / "feature_store.yaml").write_text(
        "project: bench\nprovider: local\nregistry: registry.db\nonline_store:\n  type: sqlite\n  path: online.db\n"
        "entity_key_serialization_version: 3\n",
        encoding="utf-8",
    )
    return path


def feast(folder: Path) -> dict[str, Any]:
    import datetime

    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64

    store = FeatureStore(repo_path=str(repo(folder)))
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    views = [
        FeatureView(
            name=f"view_{name}",
            entities=[user],
            ttl=datetime.timedelta(days=2),
            schema=[Field(name=f"{name}{n}", dtype=Float64) for n in (1, 2)],
            source=FileSource(
                path=str(folder / f"{name}.parquet"), timestamp_field="event_at", created_timestamp_column="known_at"
            ),
        )
        for name in "ab"
    ]
    store.apply([user, *views])
    spine = pd.read_parquet(folder / "spine.parquet").rename(columns={"event_at": "event_timestamp"})
    wanted = [f"view_{name}:{name}{n}" for name in "ab" for n in (1, 2)]
    seconds, answer = cpu(lambda: store.get_historical_features(entity_df=spine, features=wanted).to_df(), 1)
    answer.to_parquet(folder / "feast.parquet")
    return {"cpu": seconds, "answer": str(folder / "feast.parquet")}


def pandera(folder: Path) -> dict[str, Any]:
    """33 checks of `wide.parquet` with pandera over polars, its fastest backend, all failures told."""
    import pandera.polars as pa
    import polars as pl

    columns: dict[str, Any] = {}
    for n in range(9):
        checks = [pa.Check.in_range(0, 1000)] if n < 8 else []
        columns[f"d{n}"] = pa.Column(pl.Float64, checks, nullable=n == 8)
    for n in range(4):
        columns[f"n{n}"] = pa.Column(pl.Int64, [pa.Check.isin(range(10))] if n < 3 else [])
    for n in range(5):
        checks = [pa.Check.str_matches("^v[0-9]+$"), pa.Check.str_length(2, 9)] if n < 3 else []
        columns[f"s{n}"] = pa.Column(pl.String, checks)
    columns["id"] = pa.Column(pl.Int64, unique=True)
    schema = pa.DataFrameSchema(columns)

    def check() -> int:
        frame = pl.read_parquet(folder / "wide.parquet")
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as found:
            return len(found.schema_errors)
        return 0

    seconds, failed = cpu(check)
    return {"cpu": seconds, "failed": failed}


def ydata(folder: Path) -> dict[str, Any]:
    """A minimal report of the first 100,000 rows of `wide.parquet`; CPU seconds per million rows are ten times that."""
    import pandas as pd
    from ydata_profiling import ProfileReport

    frame = pd.read_parquet(folder / "wide.parquet").head(100_000)
    seconds, found = cpu(lambda: ProfileReport(frame, minimal=True, progress_bar=False).get_description(), 1)
    means = {
        name: float(one["mean"]) for name, one in found.variables.items() if "mean" in one and name.startswith("d")
    }
    return {"cpu": seconds, "means": means}


def lookups(folder: Path) -> dict[str, Any]:
    """Feast's own way to the newest values of 1 and 100 entities: microseconds of CPU per call in one process."""
    import datetime

    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64

    store = FeatureStore(repo_path=str(repo(folder)))
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
    view = FeatureView(
        name="customers",
        entities=[customer],
        ttl=datetime.timedelta(days=30),
        schema=[Field(name=f"f{n}", dtype=Float64) for n in range(5)],
        source=FileSource(path=str(folder / "customers.parquet"), timestamp_field="at"),
    )
    store.apply([customer, view])
    now = datetime.datetime.now(datetime.UTC)
    materialize, _ = cpu(lambda: store.materialize(now - datetime.timedelta(days=2), now), 1)
    wanted = [f"customers:f{n}" for n in range(5)]
    found: dict[str, Any] = {"materialize": materialize}
    for count, calls in ((1, 300), (100, 50)):

        def ask(count: int = count, calls: int = calls) -> Any:
            answer = None
            for call in range(calls):
                rows = [{"customer_id": (call * 7919 + k * 13) % 100_000} for k in range(count)]
                answer = store.get_online_features(features=wanted, entity_rows=rows).to_dict()
            return answer

        seconds, answer = cpu(ask)
        found[str(count)] = seconds / calls * 1e6
        found[f"answer{count}"] = {"customer_id": answer["customer_id"][0], "f1": answer["f1"][0]}
    return found


CONTESTANTS = {"polars": polars, "feast": feast, "pandera": pandera, "ydata": ydata, "lookups": lookups}

if __name__ == "__main__":
    print(json.dumps(CONTESTANTS[sys.argv[1]](Path(sys.argv[2]))))
