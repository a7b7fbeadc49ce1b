"""Read the machine, keep its history, list who uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core.clock import HOUR, MINUTE
from mlops_tui.core.errors import NotFound, Unavailable
from mlops_tui.domains.hardware.parts import Detail, Trace
from mlops_tui.domains.hardware.records import Driver, Fact, Gpu, GpuProcess, Process, Reading, Top, series_of
from mlops_tui.domains.hardware.ring_store import Point, Rings, Sample
from mlops_tui.domains.hardware.store import HardwareStore

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.hardware.probes import Probe


class Hardware:
    """The room of the machine itself. Reading works without the daemon; history grows while somebody records."""

    def __init__(self, context: Context, probe: Probe | None = None) -> None:
        self._context = context
        self._probe = probe
        self._store = HardwareStore(context)
        self._waiting: list[Sample] = []

    def read(self) -> Reading:
        """The machine now. The first reading takes 0.1 s, because rates need two looks."""
        return self._probes().read(self._context.now())

    def lately(self, fresh_ms: int = 5000) -> Reading:
        """The machine as this process read it last, or now when that is older than `fresh_ms`."""
        return self._probes().lately(self._context.now(), fresh_ms)

    def driver(self) -> Driver:
        """Whether NVIDIA GPUs can be read; no driver is a normal answer."""
        return self._probes().driver()

    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs now, those of NVIDIA first, then those of AMD; lost ones are listed."""
        return self._probes().gpus()[1]

    def facts(self, index: int, part: int | None = None) -> list[Fact]:
        """Everything GPU `index`, or instance `part` of it, says of itself, what it does not say with the reason.

        Raises NotFound, Unavailable (lost).
        """
        gpus = self.gpus()
        if not 0 <= index < len(gpus):
            hint = f"There are {len(gpus)}, counted from 0." if gpus else f"No GPU can be read: {self.driver()}."
            raise NotFound(f"There is no GPU {index}.", hint=hint)
        if part is not None and part not in (known := [one.index for one in gpus[index].mig]):
            hint = f"Its instances: {', '.join(map(str, known))}" if known else "It is not cut into instances."
            raise NotFound(f"There is no instance {part} of GPU {index}.", hint=hint)
        found = self._probes().facts(index, part)
        if not found:
            raise Unavailable(f"GPU {index} is {gpus[index].state} and says nothing.", hint="mlops hardware gpus")
        return found

    def record(self, reading: Reading) -> None:
        """Keep a reading; they go to disk together every `flush_s` seconds of the settings, at most that much is lost."""
        self._waiting.append(("", reading.at, series_of(reading)))
        if reading.at - self._waiting[0][1] >= self._context.settings.hardware.flush_s * 1000:
            self.flush()

    def flush(self) -> int:
        """Write what waits; how many readings that were."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._store.machine.add(waiting, self._context.now())
        return len(waiting)

    def series(self) -> list[str]:
        """Names of the series of the machine that have history."""
        return self._store.machine.names()

    def history(
        self, series: str, since: int | None = None, until: int | None = None, points: int = 300
    ) -> list[Point]:
        """At most `points` of (ts, minimum, average, maximum), evenly cut, from the last hour if nothing is given.

        Comes from the tier that fits span and age: seconds for two hours, ten seconds for a day, minutes for 30 days, ten minutes
        for 90. Raises NotFound for a series that was never recorded, InvalidInput for an empty span.
        """
        return self._history(self._store.machine, "", series, since, until, points)

    def latest(self, fresh_ms: int = MINUTE) -> dict[str, float]:
        """The newest values of the machine by series, {} when nobody recorded any for `fresh_ms`."""
        return self._fresh(self._store.machine, "", fresh_ms)

    # -- what runs on it --------------------------------------------------------------------------------------------------

    def record_loads(self, samples: Sequence[Sample]) -> None:
        """Keep what deployments, runs and jobs take now: (subject such as "deployment churn", ms, value by series)."""
        if samples:
            self._store.loads.add(samples, self._context.now())

    def loads(self, kind: str = "") -> list[str]:
        """Subjects with history, or those of one kind: deployment, run or job."""
        return self._store.loads.subjects(f"{kind} " if kind else "")

    def ran(self, since: int, most: int) -> list[str]:
        """Up to `most` subjects that took something since then, by name."""
        return self._store.loads.active(since, self._context.now(), most)

    def load_series(self, subject: str) -> list[str]:
        """Names of the series a subject has."""
        return self._store.loads.names(subject)

    def load_history(
        self, subject: str, series: str, since: int | None = None, until: int | None = None, points: int = 300
    ) -> list[Point]:
        """As `history`, of a subject: ten seconds for three hours, minutes for two days, ten minutes for 14, hours for 90."""
        return self._history(self._store.loads, subject, series, since, until, points)

    def load(self, subject: str, fresh_ms: int = MINUTE) -> dict[str, float]:
        """The newest values of a subject, {} when they are older than `fresh_ms`."""
        return self._fresh(self._store.loads, subject, fresh_ms)

    def _fresh(self, rings: Rings, subject: str, fresh_ms: int) -> dict[str, float]:
        now = self._context.now()
        found = rings.latest(subject, now)
        return found[1] if found is not None and now - found[0] <= fresh_ms else {}

    def _history(
        self, rings: Rings, subject: str, series: str, since: int | None, until: int | None, points: int
    ) -> list[Point]:
        now = self._context.now()
        until = now + 1 if until is None else until
        return rings.history(subject, series, until - HOUR if since is None else since, until, points, now)

    # -- processes --------------------------------------------------------------------------------------------------------

    def processes(self, limit: int | None = None) -> list[Process]:
        """Running processes, busiest first. A full scan (about 14 ms of CPU): for a screen that is open, not for a daemon."""
        return self._probes().processes(self._context.now())[:limit]

    def closely(self, pid: int, *, environment: bool = False) -> Detail:
        """One process: its files, times, what it moved; with `environment` that, values hidden that look like secrets."""
        from mlops_tui.domains.hardware.details import closely

        return closely(pid, environment=environment)

    def trace(self, pid: int) -> list[Trace]:
        """What `processes` found of one since it was first asked for here, oldest first."""
        return self._probes().trace(pid)

    def on_gpus(self) -> dict[int, dict[int, GpuProcess]] | None:
        """By process id, what it uses of each GPU, by the GPU's index; None on a machine where no GPU can be read."""
        return self._probes().on_gpus() if self.gpus() else None

    def top(self, count: int = 5) -> Top:
        """The largest users of processors, memory and GPU memory."""
        from mlops_tui.domains.hardware.probes import top

        found = self._probes().processes()
        return Top(
            cpu=top(found, lambda each: each.cpu, count),
            memory=top(found, lambda each: each.memory, count),
            gpu=top(found, lambda each: each.gpu_memory or 0, count),
        )

    def _probes(self) -> Probe:
        if self._probe is None:
            # psutil and pynvml cost 50 ms to import: only when somebody reads.
            from mlops_tui.domains.hardware.probes import shared

            self._probe = shared(self._context.workspace.root)
        return self._probe
