"""Whatever a column holds, the engine counts it as counting in memory does, says nothing of what is like itself, and keeps plain JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlops_tui.domains.monitoring import quality
from mlops_tui.domains.monitoring.compare import compare
from mlops_tui.domains.monitoring.counting import counted
from mlops_tui.domains.monitoring.scan import Source, scan
from mlops_tui.domains.registry.oddness import Oddness
from mlops_tui.domains.registry.profile import build_profile
from mlops_tui.domains.registry.trust import loss

NUMBERS = [
    0.0,
    -0.0,
    1.5,
    -2.0,
    5e-324,
    1e-310,
    2.0**53,
    1e20,
    1.7e308,
    -1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
]
TEXTS = ["", "a", "\x01", "\x00", "=", "=a", "it's", 'q"', "%s", "a\nb", "日本", "y" * 201, "1", "true", None]
COLUMNS = st.one_of(
    st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=6).map(lambda pool: np.array(pool)),
    st.lists(st.floats(), min_size=22, max_size=40).map(lambda pool: np.array(pool)),
    st.lists(st.floats(width=32), min_size=1, max_size=6).map(lambda pool: np.array(pool, dtype="float32")),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6).map(lambda pool: np.array(pool, dtype="int64")),
    st.lists(st.booleans(), min_size=1, max_size=2).map(lambda pool: np.array(pool)),
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=6).map(lambda pool: np.array(pool, dtype=object)),
)
ROWS = st.sampled_from([0, 1, 5, 120])


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(pool=np.array(["", "\x01", "y" * 201], dtype=object), rows=120)
@example(pool=np.linspace(-8e307, 8e307, 40), rows=120)
@example(pool=np.append(np.linspace(0, 1, 30), np.inf), rows=120)
@example(pool=np.linspace(0, 1, 30, dtype="float32"), rows=120)
@given(pool=COLUMNS, rows=ROWS)
def test_a_column_of_anything_is_counted_compared_and_kept(workbench: Any, tmp_path: Any, pool: Any, rows: int) -> None:
    random = np.random.default_rng(rows)
    before, now = (
        pd.DataFrame({"x": pd.Series(random.permutation(np.resize(pool, size))), "temp": random.normal(size=size)})
        for size in (rows, 90)
    )
    profile = build_profile(before, before["temp"], before["temp"], task="regression")
    assert json.loads(json.dumps(profile, allow_nan=False)) == profile
    assert loss(before, before["temp"], before["temp"], held_out=True) is not None or rows < 50
    path = tmp_path / "window.parquet"
    now.to_parquet(path)
    reference = {name: (name, column) for name, column in profile["columns"].items()}
    found = scan(workbench.context.lake, Source("SELECT * FROM read_parquet(?)", (str(path),)), reference)[None]
    mine, expected = found.columns["x"], counted(now["x"], profile["columns"]["x"])
    assert (mine.counts.tolist(), mine.nulls) == (expected.counts.tolist(), expected.nulls)
    scored = [compare(name, column, found.columns[name], 1e-4) for name, column in profile["columns"].items()]
    assert [one.name for one in scored if one.drifted] == []
    checks = quality.check(profile["columns"], found, [], 1e-4)
    json.dumps([dataclasses.asdict(one) for one in (*scored, *checks)], allow_nan=False)
    if profile["oddness"]:
        p, _ = Oddness(profile["oddness"]).judge(np.full((3, len(profile["oddness"]["columns"])), 1e308))
        assert ((p > 0) & (p <= 1)).all()
