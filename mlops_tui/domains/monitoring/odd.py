"""Looks at what was asked, after it was answered: odd rows of a window, and clients that probe. In a job, never in a request."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from mlops_tui.domains.monitoring import alarms
from mlops_tui.domains.monitoring.odd_records import OddRow, OddWindow, Pattern
from mlops_tui.domains.monitoring.odd_store import OddStore
from mlops_tui.domains.serving.records import input_column

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.core.context import Context
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.registry.oddness import Oddness
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving

MOST = 20_000
"""So many of the newest rows of a look are read."""
OF_CLIENT = 1000
"""So many of the newest rows of each client are examined."""
NOBODY = "(no token)"
INPUT = "input."
RULE = alarms.PROBING
PROBING = ("evasion", "extraction")


class Odd:
    """Part of the room of monitoring."""

    def __init__(self, context: Context, alerts: Alerts, registry: Registry, serving: Serving) -> None:
        self._context = context
        self._alerts = alerts
        self._registry = registry
        self._serving = serving
        self._store = OddStore(context)

    def look(self, name: str, ref: str, since: int, until: int, *, neighbours: bool = False) -> OddWindow | None:
        """Score the answered rows of a version (`model/3`) from `since` to `until` (ms), examine who asked them, keep both.

        None where the version's profile cannot score rows (made before there were scores, or without numbers). A client that
        probes raises the alert `probing`; it ends when a look finds none.
        """
        from mlops_tui.domains.registry.oddness import Oddness

        version = self._registry.version(ref)
        described = (self._registry.profile(ref) or {}).get("oddness")
        if not described:
            return None
        known = Oddness(described)
        frame = self._rows(name, version.version, known.columns, since, until)
        if frame is None or not len(frame):
            return None
        x = frame[_inputs(known)].to_numpy(dtype=float)
        p, why = known.judge(x)
        among = known.neighbours(x) if neighbours else None
        odd = [
            OddRow(
                str(frame["id"].iloc[place]), name, version.version, int(frame["at"].iloc[place]), float(p[place]), why[place],
                None if among is None else float(among[place]),
            )
            for place in (p <= known.alpha).nonzero()[0]
        ]  # fmt: skip
        now = self._context.now()
        window = OddWindow(name, version.version, now, since, until, len(frame), len(odd), known.alpha)
        patterns = self._patterns(name, frame, known)
        self._store.put(window, odd, patterns)
        self._warn(name, patterns)
        return window

    def windows(self, name: str, since: int = 0, limit: int = 100) -> builtins.list[OddWindow]:
        """Shares of odd rows, newest first."""
        return self._store.windows(name, since, limit)

    def rows(self, name: str, limit: int = 100) -> builtins.list[OddRow]:
        """Odd rows, newest first."""
        return self._store.rows(name, limit)

    def of(self, prediction: str) -> OddRow | None:
        """What was odd about a prediction; None when nothing was, or it was not looked at."""
        return self._store.row(prediction)

    def clients(self, name: str) -> builtins.list[Pattern]:
        """How each client asked when it was last looked at, by name."""
        newest: dict[str, Pattern] = {}
        for one in self._store.patterns(name, 500):
            newest.setdefault(one.caller, one)
        return [newest[caller] for caller in sorted(newest)]

    def _rows(
        self, name: str, version: int, columns: builtins.list[str], since: int, until: int
    ) -> pd.DataFrame | None:
        """The newest rows, oldest first: id, at, prediction, _caller, and the inputs as numbers under names no input has."""
        files = [str(path) for path in self._serving.prediction_files(name, since, until + 1, version)]
        if not files:
            return None
        lake = self._context.lake
        source = "read_parquet(?, union_by_name=true, hive_partitioning=false)"
        there = {row["column_name"] for row in lake.query(f"DESCRIBE SELECT * FROM {source}", [files])}
        numbers = ", ".join(
            f"TRY_CAST({_quoted(input_column(one))} AS DOUBLE) AS {_quoted(INPUT + one)}"
            if input_column(one) in there
            else f"NULL::DOUBLE AS {_quoted(INPUT + one)}"
            for one in columns
        )
        caller = "coalesce(_caller, '')" if "_caller" in there else "''"
        sql = f"""SELECT id, "at", prediction, {caller} AS _caller, {numbers} FROM {source}
            WHERE version = ? AND status = 200 AND "at" BETWEEN ? AND ? ORDER BY "at" DESC, id DESC LIMIT ?"""
        found: pd.DataFrame = lake.frame(sql, [files, version, since, until, MOST])
        return found.iloc[::-1].reset_index(drop=True)

    def _patterns(self, name: str, frame: pd.DataFrame, known: Oddness) -> builtins.list[Pattern]:
        from mlops_tui.domains.monitoring import probing

        earlier = self._store.patterns(name, 200)
        found = []
        for caller, mine in frame.groupby("_caller", sort=True):
            newest = mine.tail(OF_CLIENT)
            asked = probing.Asked(
                str(caller) or NOBODY,
                newest[_inputs(known)].to_numpy(dtype=float),
                newest["prediction"].tolist(),
                int(newest["at"].iloc[-1]),
                len(mine),
                len(frame),
            )
            found.append(probing.examine(asked, known, name, earlier))
        return found

    def _warn(self, name: str, patterns: builtins.list[Pattern]) -> None:
        probing = [one for one in patterns if one.verdict in PROBING]
        if not probing:
            self._alerts.resolve_by(RULE, name, "nobody probes any more")
            return
        self._alerts.raise_alert(
            RULE,
            name,
            title=f"{name}: {', '.join(one.caller for one in probing)} may be probing the model",
            detail=". ".join(
                f"{one.caller} ({one.verdict}): {one.words}, of {one.distinct} distinct rows" for one in probing
            )
            + ". A warning: batch jobs and tests can look alike.",
            facts={one.caller: one.verdict for one in probing},
        )


def _inputs(known: Oddness) -> builtins.list[str]:
    return [INPUT + one for one in known.columns]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
