"""The daemon's loop: a few tasks, each with its pace, none of which can stop the others."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from mlops_tui import questions, rules
from mlops_tui.core import locks
from mlops_tui.core.bell import Bell
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon.disk import DiskGuard
from mlops_tui.daemon.gateway import TRACKING, Gateway
from mlops_tui.daemon.launcher import Launcher
from mlops_tui.domains.jobs.records import JobState
from mlops_tui.domains.schedules.ticker import Ticker
from mlops_tui.domains.serving.rollout import RolloutState
from mlops_tui.telemetry.loads import Loads
from mlops_tui.workbench import Workbench

INTERNAL_LANE = 2  # compaction and monitoring side by side, whatever the users' jobs do
RETRY_MS = 60_000  # between tries of upkeep that fails
ROLLOUTS_S = 2.0
PROMISES_S = 30.0
LOADS_S = 10.0
TRAFFIC_S = 20.0
BARK_S = 20.0
REPEAT_S = 60.0  # the same complaint of the same task is logged at most this often


@dataclass
class Task:
    """`on_change`: also run as soon as anybody changed the catalog or an alarm rang."""

    name: str
    every_s: float
    call: Callable[[], None]
    on_change: bool = False
    due: float = 0.0


class Daemon:
    """Everything in one thread over one workbench; APScheduler's thread only wakes it."""

    def __init__(self, workspace: Workspace, log: logging.Logger) -> None:
        self._workspace = workspace
        self._log = log
        self._bench = Workbench(workspace, actor="daemon")
        self._settings = self._bench.context.settings
        self._bell = Bell(workspace.bell)
        self._rang = False
        self._stopping = ""
        self._seen: object = None
        self._complaints: dict[tuple[str, str], float] = {}
        self._barked = 0.0
        self._began = self._bench.context.now()
        self._judged: dict[int, int] = {}  # job id -> the end that was looked at
        self._synced: list[tuple[str, int]] | None = None
        self._launcher = Launcher(self._bench, log, self._settings.daemon.warm_s)
        self._loads = Loads(self._bench)
        self._ticker = Ticker(self._ring)
        self._disk = DiskGuard(self._bench, self._settings.daemon.free_gb * 1e9)
        self._gateway = Gateway(workspace, log, self._serving_wanted, self._serving_elsewhere)
        self._tracking = Gateway(workspace, log, lambda: self._settings.tracking.serve, kind=TRACKING)
        pace = self._settings.daemon
        self._tasks = [
            Task("jobs", 1.0, self._jobs, on_change=True),
            Task("sync", min(2.0, pace.sweep_s), self._sync),  # before schedules: a trigger as its file says now
            Task("schedules", 5.0, self._schedules, on_change=True),
            Task("gateway", 1.0, self._gateway.step, on_change=True),
            Task("tracking", 1.0, self._tracking.step),
            Task("hardware", self._settings.hardware.interval_s, self._hardware),
            Task("loads", LOADS_S, self._take_loads),
            Task("traffic", TRAFFIC_S, self._traffic),
            Task("experiments", 2.0, self._experiments),
            Task("features", 1.0, self._features),
            Task("compaction", max(1.0, pace.compact_s / 2), self._compaction),
            Task("monitoring", pace.monitor_s, self._monitoring),
            Task("rollouts", ROLLOUTS_S, self._rollouts),
            Task("promises", PROMISES_S, self._promises),
            Task("answers", 5.0, self._answers, on_change=True),
            Task("rules", 5.0, self._rules),
            Task("telling", 2.0, self._telling),
            Task("archive", 600.0, self._archive),
            Task("failures", 5.0, self._failures, on_change=True),
            Task("sweep", pace.sweep_s, self._sweep),
        ]

    # -- the loop ----------------------------------------------------------------------------------------------------------

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Until SIGTERM or SIGINT, or until the workspace is gone. `ready` is called when both are heeded."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._ticker.start()
        self._log.info("daemon started (pid %d) on %s", os.getpid(), self._workspace.root)
        notify("READY=1")
        ready()
        try:
            while not self._stopping:
                self._pass(self._changed())
                self._dog()
                pause = min(task.due for task in self._tasks) - time.monotonic()
                self._bell.wait(max(0.01, min(pause, self._settings.daemon.poll_ms / 1000)))
        finally:
            self._close()

    def _dog(self) -> None:
        """Tell systemd's watchdog that the loop turns, well before its patience ends."""
        now = time.monotonic()
        if now - self._barked >= BARK_S:
            self._barked = now
            notify("WATCHDOG=1")

    def once(self) -> None:
        """Every task one time, whatever its pace."""
        self._pass(True)
        self._bench.close()

    def _pass(self, changed: bool) -> None:
        for task in self._tasks:
            if self._stopping:
                return
            if time.monotonic() >= task.due or (changed and task.on_change):
                self._guarded(task.name, task.call)
                task.due = time.monotonic() + task.every_s

    def _changed(self) -> bool:
        rang, self._rang = self._rang, False
        try:
            seen = self._bench.context.catalog.data_version()
        except WorkbenchError:
            return rang
        changed = seen != self._seen
        self._seen = seen
        return changed or rang

    def _guarded(self, name: str, call: Callable[[], None]) -> None:
        """One room in trouble is a line in the log, not the end of the others."""
        try:
            call()
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            now = time.monotonic()
            last = self._complaints.get((name, words))
            if last is None or now - last >= REPEAT_S:
                self._complaints = {key: at for key, at in self._complaints.items() if now - at < REPEAT_S}
                self._complaints[name, words] = now
                trace = not isinstance(error, (WorkbenchError, ImportError))
                self._log.error("%s: %s", name, words, exc_info=trace)

    def _ring(self) -> None:
        self._rang = True
        self._bell.ring()

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = signal.Signals(number).name
        self._bell.ring()

    def _close(self) -> None:
        notify("STOPPING=1")
        self._log.info("stopping: %s", self._stopping or "an error")
        self._ticker.stop()
        self._guarded("gateway", self._gateway.stop)
        self._guarded("tracking", self._tracking.stop)
        self._guarded("jobs", self._launcher.close)
        self._guarded("hardware", lambda: _ignore(self._bench.hardware.flush()))
        self._bench.close()
        self._log.info("daemon stopped")

    # -- the tasks -----------------------------------------------------------------------------------------------------------

    def _jobs(self) -> None:
        jobs = self._bench.jobs
        self._launcher.look()
        ended = jobs.recover()
        for job in ended:
            self._log.info("job %d (%s): %s %s", job.id, job.title, job.state, job.error)
        low = self._disk.low()
        lanes = ((True, INTERNAL_LANE), (False, 0 if low else self._settings.daemon.max_jobs))
        for internal, room in lanes:
            for job in jobs.claim(room - jobs.active(internal), internal=internal):
                self._launcher.launch(job)
                level = logging.DEBUG if internal else logging.INFO
                self._log.log(level, "job %d (%s): started, attempt %d", job.id, job.title, job.attempt)
        if ended:
            self._bench.pipelines.settle()  # runs whose job could not speak for itself

    def _schedules(self) -> None:
        schedules = self._bench.schedules
        for fire in (*schedules.tick(), *schedules.evaluate()):
            self._log.info("schedule %s slot %s: %s %s", fire.schedule, fire.slot, fire.state, fire.reason)
        self._ticker.set(schedules.first_due())

    def _sync(self) -> None:
        """Take over triggers when a pipeline file came, went or changed."""
        files = sorted(self._workspace.pipelines.glob("*.toml"))
        stamp = [(file.name, file.stat().st_mtime_ns) for file in files]
        if self._synced is None:
            self._bench.schedules.keep_own()
        if stamp != self._synced:
            self._bench.schedules.sync()
            self._synced = stamp

    def _hardware(self) -> None:
        self._bench.hardware.record(self._bench.hardware.read())

    def _take_loads(self) -> None:
        """What deployments, runs and jobs take of the machine."""
        self._loads.sample()

    def _traffic(self) -> None:
        """Add up traffic counts that are over; after a long pause a piece at a time, so that nothing waits."""
        self._bench.serving.roll_up()

    def _experiments(self) -> None:
        self._bench.experiments.take_in(wait=False)

    def _compaction(self) -> None:
        if self._bench.serving.compact_due():
            self._bench.jobs.submit("compact", "Move predictions to Parquet", {}, key="compact", internal=True)

    def _rollouts(self) -> None:
        """Give versions under way more of the traffic, or take it back."""
        for one in self._bench.serving.rollouts.step():
            self._log.info("rollout %d of %s: %s at %g %%, %s", one.id, one.ref, one.state, one.share, one.reason)
            if one.state is RolloutState.PROMOTED:  # or its trigger would train anew against what serves no more
                self._bench.monitoring.catch_up(one.deployment)

    def _promises(self) -> None:
        """Alert where a deployment fails more than was promised."""
        for one in self._bench.serving.promises.check():
            self._log.info("%s burns its error budget (%s)", one.objective.deployment, one.severity)

    def _features(self) -> None:
        """Pushed rows and new files of watched folders: seen here, taken in by children."""
        features, jobs = self._bench.features, self._bench.jobs
        if features.flush_due() and not self._failed_lately("flush"):
            jobs.submit("flush", "Take pushed rows into the lake", {}, key="flush", internal=True)
        for watch, files in features.watch_due():
            if not self._failed_lately("watch", watch.table):
                title = f"Take {len(files)} files into {watch.table}"
                spec = {"watch": watch.id, "files": files}
                jobs.submit("watch", title, spec, key=f"watch:{watch.id}", internal=True, name=watch.table)

    def _failed_lately(self, kind: str, name: str = "") -> bool:
        """Whether the newest job of this kind failed within the last minute: a full disk is not tried every few seconds."""
        found = [job for job in self._bench.jobs.list(kind=kind, internal=True, limit=20) if job.name == name]
        if not found or found[0].state not in (JobState.FAILED, JobState.LOST):
            return False
        return self._bench.context.now() - (found[0].ended_at or 0) < RETRY_MS

    def _monitoring(self) -> None:
        self._bench.monitoring.sweep()
        if self._bench.monitoring.due():
            self._bench.jobs.submit("monitor", "Compare traffic with training", {}, key="monitor", internal=True)

    def _answers(self) -> None:
        """Go on with what people agreed to, and ask what else waits for them."""
        for job in self._bench.pipelines.follow():
            self._log.info("job %d: %s", job.id, job.title)
        questions.ask(self._bench)

    def _rules(self) -> None:
        for name, judged in rules.evaluate(self._bench).items():
            if judged.finding == "holds":
                self._log.debug("rule %s: %s", name, judged.reason)

    def _telling(self) -> None:
        if self._bench.alerts.telling.due():
            self._bench.jobs.submit("tell", "Tell people of alerts", {}, key="tell", internal=True)

    def _archive(self) -> None:
        if self._bench.experiments.archive_due():
            title = "Move points of old runs to Parquet"
            self._bench.jobs.submit("archive", title, {}, key="archive", internal=True)

    def _failures(self) -> None:
        """An alert for work that failed for good, whoever ran it; the next success of its kind ends the alert."""
        ended = {job.id: job for job in self._bench.jobs.list(internal=None, limit=50) if job.ended_at is not None}
        for job in sorted(ended.values(), key=lambda job: job.ended_at or 0):
            if (job.ended_at or 0) < self._began or self._judged.get(job.id) == job.ended_at:
                continue
            subject = job.name or job.kind
            if job.state in (JobState.FAILED, JobState.LOST):
                facts = {"job": job.id, "kind": job.kind}
                self._bench.alerts.raise_alert(
                    "job_failed", subject, title=f"Job {job.id} failed: {job.title}", detail=job.error, facts=facts
                )
            elif job.state is JobState.SUCCEEDED:
                self._bench.alerts.resolve_by("job_failed", subject, f"job {job.id} succeeded")
        self._judged = {job.id: job.ended_at or 0 for job in ended.values()}

    def _sweep(self) -> None:
        if not self._workspace.settings_file.exists():
            self._stopping = "the workspace is gone"
            return
        self._bench.jobs.prune()
        self._bench.pipelines.prune()
        for run in self._bench.experiments.sweep():
            self._log.info("run %s of %s crashed", run.id, run.experiment)

    def _serving_wanted(self) -> bool:
        if not self._settings.serving.enabled:
            return False
        return any(deployment.wanted == "running" for deployment in self._bench.serving.wanted())

    def _serving_elsewhere(self) -> bool:
        """Someone runs a gateway by hand: it holds this lock for life."""
        return locks.held(self._workspace.run / "gateway.lock")


def notify(message: str) -> None:
    """Tell systemd, when it started us with Type=notify."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(message.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:  # nobody listens: that must not stop us
            pass


def _ignore(value: object) -> None:
    """For calls whose answer nobody needs."""
