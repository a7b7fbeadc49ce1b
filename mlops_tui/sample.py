"""Where the sample data lies, and scikit-learn's bundled sets for a quick start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import NotFound
from mlops_tui.core.ids import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

# In an installed package the files lie inside it; in a checkout beside it.
_FOLDERS = (Path(__file__).parent / "_sample_data", Path(__file__).parent.parent / "sample_data")
_BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")


def sample_path(name: str) -> Path:
    """The path of a sample file (`hourly_hire.csv`, `hourly_weather.csv`, `stations.csv`). Raises NotFound."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    if folder is None:
        raise NotFound("The sample data is not installed.", hint="Install mlops-tui from a wheel or run in a checkout.")
    path = folder / name
    if path.suffix != ".csv" or path.parent != folder or not path.is_file():
        names = sorted(file.name for file in folder.glob("*.csv"))
        raise NotFound(
            f"There is no sample file '{name}'.", hint=did_you_mean(name, names, f"There are: {', '.join(names)}.")
        )
    return path


def quick_start(name: str) -> pd.DataFrame:
    """One of scikit-learn's bundled sets as a feature table: a row number `id`, the features, and `target`.

    Names with spaces and units become plain column names (`sepal length (cm)` -> `sepal_length_cm`). Raises NotFound.

    Example: `workbench.features.ingest("iris", quick_start("iris"))` after `create("iris", ["id"])`.
    """
    import sklearn.datasets

    if name not in _BUNDLED:
        raise NotFound(
            f"There is no bundled set '{name}'.",
            hint=did_you_mean(name, _BUNDLED, f"There are: {', '.join(_BUNDLED)}."),
        )
    loaded = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
    frame: pd.DataFrame = loaded.data.copy()
    frame.columns = [_plain(column) for column in frame.columns]
    targets = loaded.target
    if getattr(targets, "ndim", 1) == 1:
        frame["target"] = targets.to_numpy()
    else:  # linnerud measures three things
        for column in targets.columns:
            frame[f"target_{_plain(column)}"] = targets[column].to_numpy()
    frame.insert(0, "id", range(1, len(frame) + 1))
    return frame


def _plain(column: object) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in str(column)).split()
    return "_".join(words).lower()
