"""What the demo has to tell, kept in the workspace so that a second run can tell it again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass
class Event:
    """Something that happened, `at` seconds after the demo began."""

    at: float
    what: str
    detail: str


@dataclass
class Story:
    """What happened so far. `months` are those replayed; `closed` once a retrained version served.

    `harm` says what was wrong with the data of the retraining, `stopped` who stopped the version made of it: gate or canary.
    """

    file: Path
    source: str = ""
    events: list[Event] = field(default_factory=list)
    requests: int = 0
    failed: int = 0
    months: list[dict[str, Any]] = field(default_factory=list)
    compared: dict[str, Any] = field(default_factory=dict)
    prediction: str = ""
    closed: bool = False
    steady: dict[str, float] = field(default_factory=dict)
    harm: str = ""
    stopped: str = ""

    @property
    def ended_well(self) -> bool:
        """Whether the loop did what it is for: with good data a better version serves, with harmful data none does."""
        return bool(self.stopped) if self.harm else self.closed

    @classmethod
    def load(cls, file: Path) -> Self:
        """The story in `file`; a new one where there is none or it cannot be read."""
        try:
            kept = json.loads(file.read_text())
            kept["events"] = [Event(**event) for event in kept["events"]]
            return cls(file, **kept)
        except (OSError, ValueError, TypeError, KeyError):
            return cls(file)

    def save(self) -> None:
        """Write it, whole or not at all."""
        staged = self.file.with_suffix(".new")
        staged.write_text(json.dumps({name: value for name, value in asdict(self).items() if name != "file"}, indent=1))
        staged.replace(self.file)

    def add(self, at: float, what: str, detail: str) -> str:
        """Remember an event; its line."""
        self.events.append(Event(at, what, detail))
        return _line(self.events[-1])

    def told(self, what: str, part: str) -> bool:
        """Whether an event of that sort that mentions `part` was told."""
        return any(event.what == what and part in event.detail for event in self.events)

    def summary(self) -> str:
        """The table of events and the figures of the whole."""
        lines = [f"\nWhat happened, on {self.source}", *map(_line, self.events)]
        lines.append(f"\nTraffic      {self.requests:,} HTTP requests, {self.failed} failed")
        if self.steady:
            lines.append(
                "Steady       {sent:,.0f} of them at {rate:.0f} a second, {failed:.0f} failed; "
                "p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms, worst {worst_ms:.0f} ms".format(**self.steady)
            )
        if self.compared:
            stale, served = self.compared["stale_rmsle"], self.compared["served_rmsle"]
            lines.append(f"Last months  RMSLE {stale:.3f} stale, {served:.3f} served ({self.compared['months']})")
        if self.harm:
            lines.append(
                f"Harm         {'stopped by the ' + self.stopped if self.stopped else 'NOT stopped'}: {self.harm}"
            )
            return "\n".join(lines)
        closed = "closed: wrong answers seen, alerted, retrained, gated, tried on part of the traffic, served"
        lines.append(f"Loop         {closed if self.closed else 'NOT closed'}")
        return "\n".join(lines)


def _line(event: Event) -> str:
    return f"{event.at:7.1f} s  {event.what:<11} {event.detail}"
