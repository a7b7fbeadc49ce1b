"""Read the machine, keep its history, list who uses it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tui.core.clock import HOUR
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.hardware.records import Driver, Fact, Gpu, Process, Reading, Top, series_of
from mlops_tui.domains.hardware.store import MINUTES, RAW, TIERS, HardwareStore, Point, Tier, merge

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.hardware.probes import Probe


class Hardware:
    """The room of the machine itself. Reading works without the daemon; history grows while somebody records."""

    def __init__(self, context: Context, probe: Probe | None = None) -> None:
        self._context = context
        self._probe = probe
        self._store = HardwareStore(context)
        self._waiting: list[tuple[int, dict[str, float | None]]] = []

    def read(self) -> Reading:
        """The machine now. The first reading takes 0.1 s, because rates need two looks."""
        return self._probes().read(self._context.now())

    def driver(self) -> Driver:
        """Whether NVIDIA GPUs can be read; no driver is a normal answer."""
        return self._probes().driver()

    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs now, those of NVIDIA first, then those of AMD; lost ones are listed."""
        return self._probes().gpus()[1]

    def facts(self, index: int) -> list[Fact]:
        """Everything GPU `index` says of itself, what it does not say with the reason. Raises NotFound, Unavailable (lost)."""
        gpus = self.gpus()
        if not 0 <= index < len(gpus):
            hint = f"There are {len(gpus)}, counted from 0." if gpus else f"No GPU can be read: {self.driver()}."
            raise NotFound(f"There is no GPU {index}.", hint=hint)
        found = self._probes().facts(index)
        if not found:
            raise Unavailable(f"GPU {index} is {gpus[index].state} and says nothing.", hint="mlops hardware gpus")
        return found

    def record(self, reading: Reading) -> None:
        """Keep a reading; they go to disk together every `flush_s` seconds of the settings, at most that much is lost."""
        self._waiting.append((reading.at, series_of(reading)))
        if reading.at - self._waiting[0][0] >= self._context.settings.hardware.flush_s * 1000:
            self.flush()

    def flush(self) -> int:
        """Write what waits; how many readings that were."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._store.add(waiting, self._context.now())
        return len(waiting)

    def series(self) -> list[str]:
        """Names of the series that have history."""
        return self._store.names()

    def history(
        self, series: str, since: int | None = None, until: int | None = None, points: int = 300
    ) -> list[Point]:
        """At most `points` of (ts, minimum, average, maximum), evenly cut, from the last hour if nothing is given.

        Comes from the tier that fits span and age: seconds for two hours, ten seconds for a day, minutes for 30 days.
        Raises NotFound for a series that was never recorded, InvalidInput for an empty span.
        """
        until = self._context.now() + 1 if until is None else until
        since = until - HOUR if since is None else since
        if since >= until or points < 1:
            raise InvalidInput("The span of the history is empty.", hint="Give a start before the end.")
        names = self.series()
        if names and series not in names:
            raise NotFound(f"There is no series '{series}'.", hint=did_you_mean(series, names, ", ".join(names)))
        tier = self._tier(since, until, points)
        found = self._store.find(series, tier, since // tier.step * tier.step, until)
        if tier is not RAW:
            # What is not rolled up yet is still in the finer tier.
            newest = self._store.last(tier)
            found += self._store.find(series, RAW, since if newest is None else newest + tier.step, until)
        return _thin(found, since, until, points)

    def processes(self, limit: int | None = None) -> list[Process]:
        """Running processes, busiest first. A full scan (about 14 ms of CPU): for a screen that is open, not for a daemon."""
        return self._probes().processes()[:limit]

    def top(self, count: int = 5) -> Top:
        """The largest users of processors, memory and GPU memory."""
        from mlops_tui.domains.hardware.probes import top

        found = self._probes().processes()
        return Top(
            cpu=top(found, lambda each: each.cpu, count),
            memory=top(found, lambda each: each.memory, count),
            gpu=top(found, lambda each: each.gpu_memory or 0, count),
        )

    def _tier(self, since: int, until: int, points: int) -> Tier:
        """The finest tier that reaches back to `since`, or a coarser one that still has a row for every point."""
        age = self._context.now() - since
        covering = [tier for tier in TIERS if age <= tier.age] or [MINUTES]
        enough = [tier for tier in covering if tier.step * points <= until - since]
        return enough[-1] if enough else covering[0]

    def _probes(self) -> Probe:
        if self._probe is None:
            # psutil and pynvml cost 50 ms to import: only when somebody reads.
            from mlops_tui.domains.hardware.probes import Probe

            self._probe = Probe(self._context.workspace.root)
        return self._probe


def _thin(found: list[Point], since: int, until: int, points: int) -> list[Point]:
    """At most `points`, merging those that fall into the same of that many equal spans; peaks survive."""
    if len(found) <= points:
        return found
    width = math.ceil((until - since) / points)
    spans: dict[int, list[Point]] = {}
    for point in found:
        spans.setdefault(max(0, point[0] - since) // width, []).append(point)
    return [(group[0][0], *merge([point[1:] for point in group])) for group in spans.values()]
