"""Drift of the same files as other libraries see it; run by an interpreter that has them. It imports nothing of ours.

    python bench/monitoring_peers.py cost evidently FOLDER      reference.parquet and window.parquet in FOLDER
    python bench/monitoring_peers.py streams frouros FOLDER     one Parquet file per stream, 500 rows a window

Prints one line of JSON: CPU and wall seconds of the work, the most memory, drift figures per column; or alarms per window.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

ROWS, REFERENCE = 500, 10

warnings.filterwarnings("ignore")


def spent() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """The most memory of this program so far; the maximum of getrusage is inherited from the parent."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1000


def evidently(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    """The preset as it comes: value per column."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    found = Report([DataDriftPreset()]).run(window, reference).dict()
    return {
        one["config"]["column"]: float(one["value"]) for one in found["metrics"] if "column" in one.get("config", {})
    }


def nannyml(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    """Univariate drift by its default, Jensen-Shannon, in ten chunks: the mean over chunks per column."""
    from nannyml import UnivariateDriftCalculator

    columns = list(reference.columns)
    calculator = UnivariateDriftCalculator(
        column_names=columns,
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_number=10,
    )
    frame = calculator.fit(reference).calculate(window).filter(period="analysis").to_df()
    return {name: float(frame[(name, "jensen_shannon", "value")].mean()) for name in columns}


def whylogs(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    """Sketches of both, and its default score per column (a p-value or Hellinger's distance)."""
    import whylogs as why
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    views = [why.log(pandas=frame).view() for frame in (window, reference)]
    found = calculate_drift_scores(*views)
    return {name: float(one.get("pvalue", one.get("statistic"))) for name, one in found.items() if one}


def cost(work: Callable[[pd.DataFrame, pd.DataFrame], dict[str, float]], folder: Path) -> dict[str, Any]:
    """One comparison, loading and imports apart."""
    reference, window = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "window"))
    work(reference.head(200), window.head(200))  # imports
    cpu, wall = spent(), time.perf_counter()
    values = work(reference, window)
    return {
        "cpu": spent() - cpu,
        "wall": time.perf_counter() - wall,
        "mb": peak_mb(),
        "all_cpu": spent(),
        "values": values,
    }


def evidently_alarms(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, bool]:
    """Whether any column, and whether half of them, drifted by the preset."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    found = Report([DataDriftPreset()]).run(window, reference).dict()
    (count,) = [one["value"] for one in found["metrics"] if isinstance(one["value"], dict) and "share" in one["value"]]
    return {
        "Evidently's preset, any column": count["count"] > 0,
        "Evidently's preset, half of the columns": count["share"] >= 0.5,
    }


def frouros_alarms(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, bool]:
    """Kolmogorov-Smirnov per column with Bonferroni's correction."""
    from frouros.detectors.data_drift import KSTest

    least = 1.0
    for name in reference.select_dtypes("number").columns:
        old, new = (frame[name].dropna().to_numpy(dtype=float) for frame in (reference, window))
        detector = KSTest()
        detector.fit(X=old)
        least = min(least, float(detector.compare(X=new)[0].p_value))
    columns = len(reference.columns)
    return {f"frouros KS with Bonferroni, {alpha:g}": least < alpha / columns for alpha in (0.01, 0.05)}


def streams(judge: Callable[[pd.DataFrame, pd.DataFrame], dict[str, bool]], folder: Path) -> dict[str, Any]:
    """Alarms per window of every stream in the folder."""
    found: dict[str, dict[str, list[bool]]] = {}
    before = spent()
    for path in sorted(folder.glob("*.parquet")):
        frame = pd.read_parquet(path)
        reference = frame.iloc[: REFERENCE * ROWS]
        for place in range(REFERENCE, len(frame) // ROWS):
            window = frame.iloc[place * ROWS : (place + 1) * ROWS]
            for name, alarm in judge(reference, window).items():
                found.setdefault(name, {}).setdefault(path.stem, []).append(bool(alarm))
    return {"cpu": spent() - before, "alarms": found}


def main() -> None:
    """One kind of work by one library."""
    what, library, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if what == "cost":
        out = cost({"evidently": evidently, "nannyml": nannyml, "whylogs": whylogs}[library], folder)
    else:
        out = streams({"evidently": evidently_alarms, "frouros": frouros_alarms}[library], folder)
    sys.stdout.write(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
