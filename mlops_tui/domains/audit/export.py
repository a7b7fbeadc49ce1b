"""The trail outside the workspace: a file for auditors whose every line can be proved without the database."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.audit.records import Row, Verification, chain_hash

FORMATS = ("jsonl", "csv")
_VALUES = ("before", "after", "cause")
_NAMES = Row._fields
_HASHED = ("previous_hash", "at", "actor", "verb", "kind", "name", "why", "before", "after", "cause")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: how many entries, and the hash of the last, which stands for all before it."""

    file: str
    entries: int
    first: int | None
    last: int | None
    hash: str


def lines(rows: Iterable[Row], form: str) -> Iterator[str]:
    """The text of an export, line by line: JSON objects with times in ms, or CSV with a head. Values are as they were stored,
    so that their hash can be computed again.
    """
    if form == "csv":
        yield _csv(_NAMES)
    for row in rows:
        if form == "csv":
            yield _csv(row)
        else:
            values = row._asdict()
            values |= {name: json.loads(values[name]) if values[name] else None for name in _VALUES}
            yield json.dumps(values, ensure_ascii=False)


def verify(path: Path) -> Verification:
    """Compute every hash of an exported file again and follow the chain.

    `gaps` counts places where entries between two lines are not in the file, as after a filter. Raises InvalidInput for a file
    that is no export.
    """
    checked = gaps = 0
    last: Row | None = None
    for row in _read(path):
        if row.hash != chain_hash(*(getattr(row, name) for name in _HASHED)):
            return Verification(False, checked, row.id, f"entry {row.id} was altered", gaps)
        if last is not None and row.id <= last.id:
            return Verification(False, checked, row.id, f"entry {row.id} stands behind entry {last.id}", gaps)
        if last is not None and row.id == last.id + 1 and row.previous_hash != last.hash:
            return Verification(False, checked, row.id, f"entry {row.id} does not follow entry {last.id}", gaps)
        gaps += row.id != (last.id + 1 if last else 1)
        last, checked = row, checked + 1
    return Verification(True, checked, None, "", gaps, last.hash if last else "")


def _read(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            first = file.readline()
            file.seek(0)
            if first.startswith("{"):
                yield from (_row(json.loads(line), stored=False) for line in file if line.strip())
            elif first and first.rstrip("\r\n") != _csv(_NAMES):
                raise ValueError(first)
            else:
                yield from (_row(one, stored=True) for one in csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise InvalidInput(f"{path} is no export of an audit trail.", hint="mlops audit export FILE") from error


def _row(values: dict[str, Any], *, stored: bool) -> Row:
    """A line as the database has it; `stored`: its values are the stored text already."""
    found = {name: values[name] for name in _NAMES}
    if not stored:
        texts = {name: json.dumps(found[name], ensure_ascii=False) for name in _VALUES if found[name] is not None}
        found |= dict.fromkeys(_VALUES, "") | texts
    return Row(**found | {"id": int(found["id"]), "at": int(found["at"])})


def _csv(values: Iterable[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(values)
    return buffer.getvalue()
