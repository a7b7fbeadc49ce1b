"""Stretches of measured performance in telemetry.db: derived, so a stretch whose predictions or labels changed is written anew."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.monitoring import explained
from mlops_tui.domains.monitoring.measured import Slice, Standing, Stretch, slice_of, stretch_of, to_values

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context
    from mlops_tui.domains.monitoring.explained import Explanation

KEEP = 400
SERIES = (
    "metric", "metric_low", "metric_high", "estimate", "coverage",
    "selection_gap", "tpr_gap", "fpr_gap", "error_gap",
    "selection_gap_low", "tpr_gap_low", "fpr_gap_low", "error_gap_low",
)  # fmt: skip
"""Numbers of a stretch that alert rules look at, read without its document."""


def m001_stretch(db: sqlite_utils.Database) -> None:
    """Create the table of stretches and that of what is said of a version as a whole."""
    columns = ", ".join(f"{name} REAL" for name in SERIES)
    db.execute(
        f"""CREATE TABLE monitor_stretch (
             deployment TEXT NOT NULL, version INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
             rows INTEGER NOT NULL, mark TEXT NOT NULL, document TEXT NOT NULL, {columns},
             PRIMARY KEY (deployment, version, since)
           ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE monitor_standing (
             deployment TEXT PRIMARY KEY, version INTEGER NOT NULL, mark TEXT NOT NULL, at INTEGER NOT NULL, document TEXT NOT NULL
           ) STRICT"""
    )


def m002_explanation(db: sqlite_utils.Database) -> None:
    """Create the table of what drifts are about."""
    db.execute(
        """CREATE TABLE monitor_explanation (
             report INTEGER PRIMARY KEY, deployment TEXT NOT NULL, document TEXT NOT NULL
           ) STRICT"""
    )


class MeasureStore:
    """Rows of stretches and of explanations."""

    def __init__(self, context: Context) -> None:
        self._telemetry = context.telemetry
        self._telemetry.migrate("monitoring_measures", [m001_stretch, m002_explanation])

    def marks(self, deployment: str, version: int) -> dict[tuple[int, int], str]:
        """What each stretch (since, until) was measured from."""
        rows = self._telemetry.read(
            "SELECT since, until, mark FROM monitor_stretch WHERE deployment = ? AND version = ?", (deployment, version)
        )
        return {(row["since"], row["until"]): row["mark"] for row in rows}

    def put(self, metric: str, stretches: Sequence[tuple[Stretch, str]], gone: Sequence[tuple[str, int, int]]) -> None:
        """Write stretches with their marks and drop those of other lengths (deployment, version, since)."""
        names = ", ".join(SERIES)
        asked = ", ".join("?" * len(SERIES))
        with self._telemetry.write() as tx:
            tx.executemany("DELETE FROM monitor_stretch WHERE deployment = ? AND version = ? AND since = ?", gone)
            tx.executemany(
                f"""INSERT OR REPLACE INTO monitor_stretch (deployment, version, since, until, rows, mark, document, {names})
                    VALUES (?, ?, ?, ?, ?, ?, ?, {asked})""",
                [
                    (
                        one.deployment,
                        one.version,
                        one.since,
                        one.until,
                        one.labels.rows,
                        mark,
                        json.dumps(to_values(one)),
                        *_numbers(one, metric),
                    )
                    for one, mark in stretches
                ],
            )
            for name in {one.deployment for one, _ in stretches}:
                tx.execute(
                    """DELETE FROM monitor_stretch WHERE deployment = ? AND until <= (
                         SELECT until FROM monitor_stretch WHERE deployment = ? ORDER BY until DESC LIMIT 1 OFFSET ?)""",
                    (name, name, KEEP),
                )

    def stretches(self, deployment: str, version: int | None = None, limit: int = KEEP) -> list[Stretch]:
        """The newest stretches, oldest first; of all versions when none is named."""
        rows = self._telemetry.read(
            """SELECT document FROM monitor_stretch WHERE deployment = ? AND (? IS NULL OR version = ?)
               ORDER BY until DESC, version DESC LIMIT ?""",
            (deployment, version, version, limit),
        )
        return [stretch_of(json.loads(row["document"])) for row in reversed(rows)]

    def series(self, deployment: str, name: str, since: int) -> list[tuple[int, float]]:
        """(end of the stretch in ms, value) from `since` on, oldest first."""
        assert name in SERIES
        rows = self._telemetry.read(
            f"""SELECT until, {name} AS value FROM monitor_stretch
                WHERE deployment = ? AND until >= ? AND {name} IS NOT NULL ORDER BY until, version""",
            (deployment, since),
        )
        return [(row["until"], row["value"]) for row in rows]

    def standing_mark(self, deployment: str) -> str:
        """What the standing was made from, "" when there is none."""
        return self._telemetry.value("SELECT mark FROM monitor_standing WHERE deployment = ?", (deployment,)) or ""

    def put_standing(self, standing: Standing, mark: str, at: int) -> None:
        """Keep what is said of the version as a whole; its stretches are rows of their own."""
        document = to_values(dataclasses.replace(standing, stretches=[]))
        with self._telemetry.write() as tx:
            tx.execute(
                "INSERT OR REPLACE INTO monitor_standing (deployment, version, mark, at, document) VALUES (?, ?, ?, ?, ?)",
                (standing.whole.deployment, standing.whole.version, mark, at, json.dumps(document)),
            )

    def standing(self, deployment: str) -> Standing | None:
        """What was last said of the deployment, with the stretches of its version."""
        row = self._telemetry.one("SELECT document FROM monitor_standing WHERE deployment = ?", (deployment,))
        if row is None:
            return None
        values: dict[str, Any] = json.loads(row["document"])
        whole = stretch_of(values["whole"])
        slices: list[Slice] = [slice_of(one) for one in values["slices"]]
        made = {**values, "whole": whole, "slices": slices, "stretches": self.stretches(deployment, whole.version)}
        return Standing(**made)

    def put_explanation(self, one: Explanation) -> None:
        """Keep what the drift of a report is about, and forget the oldest of its deployment."""
        with self._telemetry.write() as tx:
            tx.execute(
                "INSERT OR REPLACE INTO monitor_explanation (report, deployment, document) VALUES (?, ?, ?)",
                (one.report, one.deployment, json.dumps(explained.to_values(one))),
            )
            tx.execute(
                """DELETE FROM monitor_explanation WHERE deployment = ? AND report <= (
                     SELECT report FROM monitor_explanation WHERE deployment = ? ORDER BY report DESC LIMIT 1 OFFSET ?)""",
                (one.deployment, one.deployment, KEEP),
            )

    def explanation(self, deployment: str, report: int | None = None) -> Explanation | None:
        """What is kept of a report, or the newest there is."""
        row = self._telemetry.one(
            """SELECT document FROM monitor_explanation WHERE deployment = ? AND (? IS NULL OR report = ?)
               ORDER BY report DESC LIMIT 1""",
            (deployment, report, report),
        )
        return explained.explanation_of(json.loads(row["document"])) if row else None


def _numbers(one: Stretch, metric: str) -> list[float | None]:
    found, guess = one.metric(metric), one.estimate(metric)
    gaps = [one.gap(name) for name in ("selection", "tpr", "fpr", "error")]
    return [
        found.value if found else None,
        found.low if found else None,
        found.high if found else None,
        guess.value if guess else None,
        one.labels.coverage if one.labels.rows else None,
        *(gap.value if gap else None for gap in gaps),
        *(gap.low if gap else None for gap in gaps),
    ]
