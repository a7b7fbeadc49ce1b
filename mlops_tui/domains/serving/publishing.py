"""Labels of a deployment's predictions as a feature table: what the model was given, what it said, what was true and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features.records import Snapshot, Table
from mlops_tui.domains.features.service import Features

if TYPE_CHECKING:
    import pandas as pd

KEY, TIME, CREATED = "prediction_id", "predicted_at", "labelled_at"


def table_of(features: Features, deployment: str, name: str) -> Table:
    """The table labels go to, made when it is not there. Raises InvalidInput when it is another kind of table."""
    try:
        table = features.get(name)
    except NotFound:
        return features.create(name, [KEY], time=TIME, created=CREATED, description=f"True values for {deployment}")
    if (tuple(table.keys), table.time, table.created) != ((KEY,), TIME, CREATED):
        raise InvalidInput(
            f"Table '{name}' holds something else than labels.", hint="Choose another name: --into TABLE"
        )
    return table


def publish(features: Features, table: Table, labelled: pd.DataFrame) -> Snapshot | None:
    """Append labels that the table does not hold yet, corrected ones as rows that became known later; None if there are none.

    `labelled`: id, at, version, prediction, score, label, label_at (times in ms).
    """
    import pandas as pd

    rows = labelled.rename(columns={"id": KEY})
    rows[TIME] = pd.to_datetime(rows.pop("at"), unit="ms", utc=True)
    rows[CREATED] = pd.to_datetime(rows.pop("label_at"), unit="ms", utc=True)
    for name in ("prediction", "label"):  # one column holds one type; labels of one deployment may not
        if rows[name].dtype == object and rows[name].map(type).nunique() > 1:
            rows[name] = rows[name].map(lambda value: None if value is None else str(value))
    if table.latest_version:
        known = features.frame(table.name)[[KEY, CREATED]].drop_duplicates()
        known[CREATED] = pd.to_datetime(known[CREATED], utc=True)
        seen = pd.MultiIndex.from_frame(known.astype({CREATED: "datetime64[ms, UTC]"}))
        fresh = pd.MultiIndex.from_frame(rows[[KEY, CREATED]].astype({CREATED: "datetime64[ms, UTC]"}))
        rows = rows[~fresh.isin(seen)]
    if rows.empty:
        return None
    return features.ingest(table.name, rows.reset_index(drop=True), message=f"{len(rows)} labels")
