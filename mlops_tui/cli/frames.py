"""Frames and check files as the command line reads, prints and writes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd


def read_checks(file: Path) -> list[dict[str, Any]]:
    """The [[checks]] of a TOML file. Raises InvalidInput."""
    import tomllib

    example = 'Write [[checks]] with kind = "range", column = "temp", low = -30, high = 50'
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("checks")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.", hint=example) from error
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise InvalidInput(f"{file} has no [[checks]].", hint=example)
    return found


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as plain values: missing ones None, times as ISO 8601 UTC."""
    records = frame.to_dict("records")
    return [{str(name): _plain(value) for name, value in record.items()} for record in records]


def _plain(value: Any) -> Any:
    if value is None or value != value:  # NaN and NaT are not equal to themselves
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value.item() if hasattr(value, "item") else value


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame whole or not at all. Raises InvalidInput for an unknown ending or a folder that cannot be written."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise InvalidInput(f"'{path.name}' is neither CSV nor Parquet.", hint="End the name in .csv or .parquet.")
    part = path.with_name(f".{path.name}.part")
    try:
        if kind == ".csv":
            frame.to_csv(part, index=False)
        else:
            frame.to_parquet(part, index=False)
        part.replace(path)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror or error}.", hint="Check the folder and the space left."
        ) from error
    finally:
        part.unlink(missing_ok=True)
