"""How a deployment is watched, and what is kept of it from check to check."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from mlops_tui.domains.monitoring.records import Verdict

if TYPE_CHECKING:
    from mlops_tui.domains.serving.records import Deployment


class MonitorState(StrEnum):
    """A removed monitor is remembered, or the next look at its deployment would bring it back."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Monitor:
    """How one deployment is watched. `until` is the time of the newest prediction that was checked.

    A check that found too little moves `checked_at` and leaves no report, so `reported_at` stays behind.

    `alpha` is the chance of a false alarm per window over all columns together; a drift alert needs `need` drifted windows
    of the last `of`. `margin` is how much worse than the baseline is bad (0.1: ten percent). `sensitive` inputs are compared group by
    group (`positive` is the good answer, groups under `group_rows` are left out), `slices` shown by level; empty means those of the
    pipeline that made the version.
    """

    deployment: str
    state: MonitorState = MonitorState.ACTIVE
    min_rows: int = 200
    max_rows: int = 2000
    alpha: float = 0.01
    need: int = 2
    of: int = 3
    margin: float = 0.1
    min_labels: int = 50
    max_error_rate: float = 0.05
    max_latency_ms: float = 500.0
    sensitive: list[str] = field(default_factory=list)
    positive: str = ""
    slices: list[str] = field(default_factory=list)
    group_rows: int = 30
    created_at: int | None = None
    checked_at: int | None = None
    reported_at: int | None = None
    verdict: Verdict | None = None
    version: int | None = None
    until: int | None = None


SETTINGS = (
    "min_rows",
    "max_rows",
    "alpha",
    "need",
    "of",
    "margin",
    "min_labels",
    "max_error_rate",
    "max_latency_ms",
    "sensitive",
    "positive",
    "slices",
    "group_rows",
)


@dataclass(frozen=True, slots=True)
class Detector:
    """What is kept between checks of one deployment's version: the error stream since its last alarm, and that alarm.

    `errors` are the values fed, as packed 32-bit floats; `before` the mean error when the alarm came, `by` which detector
    raised it. `few` is the state of the bets for few labels (`concept.bet`).
    """

    version: int
    errors: bytes = b""
    concept_at: int | None = None
    before: float | None = None
    by: str = ""
    few: tuple[float, ...] = ()


def main_version(deployment: Deployment) -> int:
    """The version that gets most of the traffic; the newest of those that share it."""
    return max(deployment.versions, key=lambda route: (route.weight, route.version)).version
