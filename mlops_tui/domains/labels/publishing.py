"""Labels as rows of a feature table, keyed and timed like the rows they label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features.records import TIMESTAMP, VARCHAR, Table
from mlops_tui.domains.features.service import Features
from mlops_tui.domains.labels.records import Item, Label, Queue

LABELLED_AT = "labelled_at"


def table_of(features: Features, queue: Queue) -> Table:
    """The table a queue is published to, made when it is not there. Raises InvalidInput when it is keyed otherwise."""
    time, created = (queue.time, LABELLED_AT) if queue.time else (LABELLED_AT, None)
    try:
        table = features.get(queue.to)
    except NotFound:
        about = f"Labels of {queue.source}: {', '.join(queue.classes)}"
        return features.create(queue.to, queue.keys, time=time, created=created, description=about)
    if (table.keys, table.time, table.created) != (queue.keys, time, created):
        raise InvalidInput(
            f"Table '{queue.to}' is keyed otherwise than the rows of {queue.name}.",
            hint="Remove it, or make the queue anew with another --to TABLE.",
        )
    return table


def types_of(queue: Queue) -> dict[str, str]:
    """Column types of the label table."""
    return {**queue.types, "label": VARCHAR, "labeller": VARCHAR, "note": VARCHAR, LABELLED_AT: TIMESTAMP}


def rows_of(
    queue: Queue, items: Mapping[int, Item], labels: Sequence[Label], gone: Sequence[tuple[int, str]], now: int
) -> list[dict[str, Any]]:
    """One row per label given and, without a label, per label taken back."""
    rows = [_row(items[one.position], one.label, one.labeller, one.note, one.at) for one in labels]
    return rows + [_row(items[position], None, who, "taken back", now) for position, who in gone]


def _row(item: Item, label: str | None, labeller: str, note: str, at: int) -> dict[str, Any]:
    return {**item.key, "label": label, "labeller": labeller, "note": note or None, LABELLED_AT: clock.iso(at)}
