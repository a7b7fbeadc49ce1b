"""Everything that steps load and build at first use, done once in the process they are forked from.

Nothing here may start a thread: a fork keeps only the thread that forks. So Parquet is written and never read, and models
are fitted with one processor.
"""

from __future__ import annotations

import importlib
import io
import os

from mlops_tui.domains.pipelines import cache

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LIBRARIES = (
    "duckdb",
    "pandas",
    "joblib",
    "pandas.io.parquet",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
)
STEPS = ("load", "own", "collect", "check", "split", "preprocess", "train", "evaluate", "gate", "register", "deploy")
OURS = (
    "mlops_tui.domains.features.offline",
    "mlops_tui.domains.pipelines.comparing",
    "mlops_tui.domains.pipelines.contracts",
    "mlops_tui.domains.pipelines.fitting",
    "mlops_tui.domains.pipelines.leakage",
    "mlops_tui.domains.pipelines.preparing",
    "mlops_tui.domains.pipelines.wrappers",
    "mlops_tui.domains.registry.engines.choosing",
    "mlops_tui.domains.registry.package",
    "mlops_tui.domains.registry.profile",
    *(f"mlops_tui.domains.pipelines.steps.{name}" for name in STEPS),
)

_done = False


def preload() -> None:
    """Import and rehearse, the first time it is called in a process."""
    global _done
    if _done:
        return
    _done = True
    limit_threads()
    for name in (*LIBRARIES, *OURS):
        importlib.import_module(name)
    _rehearse()


def limit_threads() -> None:
    """One thread for each native library, to be called before any of them is imported."""
    for name in THREADS:
        os.environ[name] = "1"


def _rehearse() -> None:
    """Fit a small model and write a small table: what libraries build at first use is then shared by all steps."""
    import pandas as pd
    import pyarrow as pa
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = pd.DataFrame({"number": [0.0, 1.0, 2.0], "word": ["a", "b", None]})
    make_pipeline(StandardScaler(), LinearRegression()).fit(rows[["number"]], [0.0, 1.0, 2.0])
    rows.to_parquet(io.BytesIO(), index=False)
    pa.Table.from_pandas(rows).to_pandas(use_threads=False)
    for name in cache.LIBRARIES:
        cache.version_of(name)
