"""A run learns from what was known last, a run for a slot of the past from what was known then."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.steps.load import as_known_last, known_by
from mlops_tui.workbench import Workbench


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_rows_that_became_known_later_are_not_there(zone: str | None) -> None:
    times = pd.to_datetime([1_000, 2_000, 3_000], unit="ms", utc=True)
    frame = pd.DataFrame({"at": times.tz_localize(None) if zone is None else times.tz_convert(zone), "x": [1, 2, 3]})
    assert list(known_by(frame, "at", 2_000)["x"]) == [1, 2]
    with pytest.raises(InvalidInput, match="needs a spine with a time"):
        known_by(frame, None, 2_000)


def test_only_the_run_of_a_backfill_is_held_to_its_slot(workbench: Workbench) -> None:
    workbench.features.create("labels", ["id"], time="at")
    workbench.features.ingest("labels", [{"id": 1, "at": "2026-01-01T00:00:00Z", "target": 1.0}])
    workbench.pipelines.new("churn")
    cause = {"kind": "schedule", "schedule": "nightly", "due_at": 2_000}
    for origin, until in (({}, None), ({"origin": "hand"}, None), ({"origin": "backfill"}, 2_000)):
        job = workbench.pipelines.run("churn", {**cause, **origin})
        assert workbench.pipelines.run_of_job(job).options.get("until") == until


def test_of_a_row_that_was_corrected_only_the_last_word_counts() -> None:
    rows = [
        ("a", 1, 9, 10.0),
        ("b", 1, 9, 20.0),
        ("a", 1, 12, 11.0),
        ("a", 1, 11, 12.0),
        ("a", 2, None, 13.0),
        ("a", 2, 9, 14.0),
    ]
    spine = pd.DataFrame(rows, columns=["key", "at", "known", "y"])
    kept, corrected = as_known_last(spine, ["key", "at"], "known")
    assert (list(kept["y"]), corrected) == ([20.0, 11.0, 14.0], 3)
    assert as_known_last(spine, ["key", "at"], None) == (spine, 0)
    assert as_known_last(spine, ["key", None], "known") == (spine, 0)
