"""Hardware history in telemetry.db: the machine second by second, and what each deployment, run and job takes of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlops_tui.core.clock import DAY, HOUR, MINUTE, SECOND
from mlops_tui.domains.hardware import ring_store
from mlops_tui.domains.hardware.ring_store import Rings, Tier

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context

LONGEST = 90 * DAY
RAW = Tier("hardware_1s", SECOND, 2 * HOUR)
TENS = Tier("hardware_10s", 10 * SECOND, DAY)
MINUTES = Tier("hardware_60s", 60 * SECOND, 30 * DAY)
TIERS = (RAW, TENS, MINUTES, Tier("hardware_600s", 10 * MINUTE, LONGEST))
LOADS = (
    Tier("load_10s", 10 * SECOND, 3 * HOUR),
    Tier("load_60s", MINUTE, 2 * DAY),
    Tier("load_600s", 10 * MINUTE, 14 * DAY),
    Tier("load_3600s", HOUR, LONGEST),
)
"""A deployment, run or job at a time: 7,000 rows for 90 days, so that 200 of them and more have room."""


def m001_rings(db: sqlite_utils.Database) -> None:
    """Create the layouts and the three rings."""
    db.execute("CREATE TABLE hardware_layout (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE) STRICT")
    for tier in (RAW, TENS, MINUTES):
        db.execute(
            f"""CREATE TABLE {tier.table} (
                  ts INTEGER PRIMARY KEY, layout INTEGER NOT NULL REFERENCES hardware_layout(id), data BLOB NOT NULL
                ) STRICT"""
        )


def m002_subjects(db: sqlite_utils.Database) -> None:
    """Rows belong to a subject, of which the machine is one; a fourth ring for the machine, and rings for what runs on it."""
    db.execute("CREATE TABLE hardware_subject (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT")
    db.execute("INSERT INTO hardware_subject VALUES (1, '')")
    for tier in TIERS[:3]:
        db.execute(f"ALTER TABLE {tier.table} RENAME TO {tier.table}_before")
        ring_store.create_ring(db, tier)
        db.execute(f"INSERT INTO {tier.table} SELECT 1, ts, layout, data FROM {tier.table}_before")
        db.execute(f"DROP TABLE {tier.table}_before")
    ring_store.create_ring(db, TIERS[3])
    ring_store.create(db, "load", LOADS)


class HardwareStore:
    """The two sets of rings."""

    def __init__(self, context: Context) -> None:
        context.telemetry.migrate("hardware", [m001_rings, m002_subjects])
        longest = context.settings.retention.series_days * DAY
        self.machine = Rings(context.telemetry, "hardware", _aged(TIERS, longest))
        self.loads = Rings(context.telemetry, "load", _aged(LOADS, longest))


def _aged(tiers: tuple[Tier, ...], longest: int) -> tuple[Tier, ...]:
    """The tiers with what the settings say of the longest age."""
    *rest, last = tiers
    return (
        *(dataclasses.replace(one, age=min(one.age, longest)) for one in rest),
        dataclasses.replace(last, age=longest),
    )
