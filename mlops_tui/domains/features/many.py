"""Many files at once: which ones, in which order, and what tells one from another."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from mlops_tui.core.errors import NotFound

ENDINGS = (
    ".csv",
    ".tsv",
    ".parquet",
    ".pq",
    ".jsonl",
    ".ndjson",
    ".json",
    ".arrow",
    ".feather",
    ".csv.gz",
    ".jsonl.gz",
)


def is_many(source: str) -> bool:
    """Whether this is a folder or a pattern rather than one file."""
    return Path(source).is_dir() or (glob.has_magic(source) and not Path(source).exists())


def files_of(pattern: Path | str) -> list[Path]:
    """The data files of a folder, or all that a pattern matches, by name; hidden ones are left out. Raises NotFound for none."""
    folder = Path(pattern)
    if folder.is_dir():
        found = [path for path in folder.iterdir() if path.name.lower().endswith(ENDINGS)]
    else:
        found = [Path(path) for path in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207 - patterns may be absolute
    files = sorted(path for path in found if path.is_file() and not path.name.startswith("."))
    if not files:
        raise NotFound(f"No data file is at {pattern}.", hint="Quote a pattern: mlops features ingest NAME 'in/*.csv'")
    return files


def batch_of(file: Path) -> str:
    """`name:sha256`: the same name with other content is another batch, as is the same content under another name."""
    with file.open("rb") as handle:
        return f"{file.name}:{hashlib.file_digest(handle, 'sha256').hexdigest()}"
