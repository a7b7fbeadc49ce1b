"""What others do with the same data; run by the interpreter of MLOPS_BENCH_PEERS.

It has any of: polars, feast[duckdb], pandera, great-expectations, ydata-profiling.

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


def peak_mb() -> float:
    """The most memory of this program so far; the maximum of getrusage is inherited from the parent."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1000


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


def repo(folder: Path, offline: str = "") -> Path:
    """A Feast repository over the files `a` and `b`; its offline store is Feast's default (`file`, on dask) unless said."""
    path = folder / f"repo{offline}"
    path.mkdir(exist_ok=True)
    (path / "feature_store.yaml").write_text(
        "project: bench\nprovider: local\nregistry: registry.db\nonline_store:\n  type: sqlite\n  path: online.db\n"
        + (f"offline_store:\n  type: {offline}\n" if offline else "")
        + "entity_key_serialization_version: 3\n",
        encoding="utf-8",
    )
    return path


def feast(folder: Path, offline: str = "") -> dict[str, Any]:
    import datetime

    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64

    store = FeatureStore(repo_path=str(repo(folder, offline)))
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
    answer.to_parquet(folder / f"feast{offline}.parquet")
    peak = peak_mb()
    return {"cpu": seconds, "answer": str(folder / f"feast{offline}.parquet"), "memory": peak}


def feast_duckdb(folder: Path) -> dict[str, Any]:
    """The same with Feast's other local store (`pip install feast[duckdb]`)."""
    return feast(folder, "duckdb")


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


def great_expectations(folder: Path) -> dict[str, Any]:
    """32 of the 33 checks of `wide.parquet` with Great Expectations over pandas: a condition over two columns it has none for."""
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import pandas as pd

    wanted: list[Any] = [gxe.ExpectColumnValuesToNotBeNull(column=f"d{n}", mostly=0.9) for n in range(8)]
    wanted += [gxe.ExpectColumnValuesToBeBetween(column=f"d{n}", min_value=0, max_value=1000) for n in range(8)]
    wanted += [gxe.ExpectColumnValuesToMatchRegex(column=f"s{n}", regex="^v[0-9]+$") for n in range(3)]
    wanted += [gxe.ExpectColumnValuesToBeInSet(column=f"n{n}", value_set=list(range(10))) for n in range(3)]
    wanted += [gxe.ExpectColumnValueLengthsToBeBetween(column=f"s{n}", min_value=2, max_value=9) for n in range(3)]
    wanted += [
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnMeanToBeBetween(column="d0", min_value=0),
        gxe.ExpectColumnStdevToBeBetween(column="d0", max_value=1e9),
        gxe.ExpectColumnMedianToBeBetween(column="d1", min_value=0),
        gxe.ExpectColumnMaxToBeBetween(column="at", min_value=pd.Timestamp("2020-01-01", tz="UTC")),
        gxe.ExpectColumnValuesToBeOfType(column="s4", type_="str"),
    ]
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    definition = (
        context.data_sources.add_pandas("p").add_dataframe_asset("wide").add_batch_definition_whole_dataframe("b")
    )
    suite = gx.ExpectationSuite(name="wide", expectations=wanted)

    def check() -> Any:
        batch = definition.get_batch({"dataframe": pd.read_parquet(folder / "wide.parquet")})
        return batch.validate(suite, result_format="BASIC")

    seconds, found = cpu(check, 1)
    bad = {
        one.expectation_config.kwargs["column"]: one.result["unexpected_count"]
        for one in found.results
        if one.expectation_config.type == "expect_column_values_to_be_in_set"
    }
    peak = peak_mb()
    return {"cpu": seconds, "bad": bad, "checks": len(wanted), "memory": peak}


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


CONTESTANTS = {
    "polars": polars,
    "feast": feast,
    "feast_duckdb": feast_duckdb,
    "pandera": pandera,
    "great_expectations": great_expectations,
    "ydata": ydata,
    "lookups": lookups,
}

if __name__ == "__main__":
    print(json.dumps(CONTESTANTS[sys.argv[1]](Path(sys.argv[2]))))
