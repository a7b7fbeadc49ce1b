"""A script of someone who only knows Feast: nothing of ours is imported. Run with the server's URL; prints one line of JSON."""

from __future__ import annotations

import datetime
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("FEAST_USAGE", "False")
warnings.filterwarnings("ignore")

from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType  # noqa: E402
from feast.types import Float64, Int64, String  # noqa: E402


def store(folder: Path, url: str) -> FeatureStore:
    """A repository whose online store is the server at `url`, as Feast's documentation has it."""
    (folder / "feature_store.yaml").write_text(
        f"project: shop\nprovider: local\nregistry: {folder}/registry.db\nonline_store:\n  type: remote\n  path: {url}\n"
        "entity_key_serialization_version: 3\n",
        encoding="utf-8",
    )
    found = FeatureStore(repo_path=str(folder))
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
    source = FileSource(path=str(folder / "never_read.parquet"), timestamp_field="at")
    view = FeatureView(
        name="customers",
        entities=[customer],
        ttl=datetime.timedelta(days=30),
        schema=[
            Field(name="customer_id", dtype=Int64),
            Field(name="spend", dtype=Float64),
            Field(name="orders", dtype=Int64),
            Field(name="plan", dtype=String),
        ],
        source=source,
    )
    # Its own check of sources wants the file to be there; what is online does not come from it.
    import pandas as pd

    columns = {"customer_id": [0], "spend": [0.0], "orders": [0], "plan": [""]}
    pd.DataFrame({**columns, "at": [pd.Timestamp.now("UTC")]}).to_parquet(source.path)
    found.apply([customer, view])
    return found


def main(url: str) -> None:
    names = ["spend", "orders", "plan"]
    wanted, rows = [f"customers:{name}" for name in names], [{"customer_id": key} for key in (1, 2, 9)]
    with tempfile.TemporaryDirectory() as folder:
        feast = store(Path(folder), url)
        answer = feast.get_online_features(features=wanted, entity_rows=rows)
        full = feast.get_online_features(features=wanted, entity_rows=rows[:1], full_feature_names=True)
        statuses = {
            name: [str(status) for status in result.statuses]
            for name, result in zip(answer.proto.metadata.feature_names.val, answer.proto.results, strict=True)
        }
        try:
            feast.get_online_features(features=["customers:spent"], entity_rows=rows)
            refused = ""
        except Exception as error:  # whichever of Feast's own
            refused = f"{type(error).__name__}: {error}"
    print(json.dumps({"answer": answer.to_dict(), "full": full.to_dict(), "statuses": statuses, "refused": refused}))


main(sys.argv[1])
