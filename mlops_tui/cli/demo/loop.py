"""The demo's loop: what a team would do by hand in its first week, done through the same services, daemon and HTTP."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from mlops_tui import daemon
from mlops_tui.bike import CALENDAR, KEYS, LABEL_TIME, TARGET, TIME, WEATHER, read_bike_hour, read_sample
from mlops_tui.cli.demo.story import Story
from mlops_tui.cli.demo.traffic import Background, Client, Traffic
from mlops_tui.cli.output import say
from mlops_tui.core import clock
from mlops_tui.core.errors import AlreadyExists, NotFound, Unavailable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.bike import BikeData
    from mlops_tui.core.workspace import Workspace
    from mlops_tui.domains.jobs.records import Job

PIPELINE = "bike-demand"
DEFINITION = Path(__file__).with_name("bike-demand.toml")


class Demo:
    """Drives the loop in one workspace; use as a context manager."""

    def __init__(self, workspace: Workspace, data: Path | None, *, fresh: bool, months: int | None = None) -> None:
        if fresh:
            _choose_settings(workspace)
        self.workspace = workspace
        self.workbench = Workbench(workspace, actor="demo")
        self.data: BikeData = read_bike_hour(data) if data else read_sample()
        self.months = months
        self.began = time.monotonic()
        self.story = Story.load(workspace.root / "demo.json")
        self.started_daemon = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.leave(keep_running=False)
        self.workbench.close()

    # -- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Whether the loop closed: drift or bad answers seen, a retrained version through the gate and serving."""
        if self.story.source and self.story.source != self.data.source:
            raise AlreadyExists(
                f"This workspace holds the demo on {self.story.source}.",
                hint="Take another folder: mlops demo --project DIR --data FILE",
            )
        self._ingest_history()
        self._start_daemon()
        self._define()
        self._train_first()
        if self.story.closed:
            say("The replay was done before; here is what happened.")
        else:
            self._replay()
        return self.story.closed

    def _ingest_history(self) -> None:
        features = self.workbench.features
        history = {
            "hourly_weather": (self.data.weather, None, "What a forecast gives for each hour"),
            "hourly_hire": (self.data.hire, LABEL_TIME, "Bikes hired in each hour, known the next morning"),
        }
        for name, (frame, created, description) in history.items():
            try:
                table = features.get(name)
                say(f"Feature table {name} exists: {table.rows:,} rows, version {table.latest_version}")
                continue
            except NotFound:
                features.create(name, list(KEYS), time=TIME, created=created, description=description)
            snapshot = features.ingest(
                name, frame[frame[TIME] < self.data.train_until], message="history", batch_id="history"
            )
            self._event("ingested", f"{snapshot.added_rows:,} rows of {name} into {name}@{snapshot.version}")

    def _start_daemon(self) -> None:
        if self.workbench.daemon_alive():
            say("The daemon is running")
            return
        daemon.start(self.workspace)
        self.started_daemon = True
        self._event("daemon", f"started, watching {self.workspace.root.name}/")

    def _define(self) -> None:
        path = self.workspace.pipelines / f"{PIPELINE}.toml"
        if path.exists():
            say(f"Pipeline definition {path.name} exists")
        else:
            path.parent.mkdir(exist_ok=True)
            window = "365d" if self.data.hire[TIME].min() < self.data.train_until - timedelta(days=300) else "180d"
            path.write_text(DEFINITION.read_text().format(window=window))
            self._event(
                "pipeline", f"defined in pipelines/{path.name}: trains, gates, deploys; retrains when answers go wrong"
            )
        self.workbench.schedules.sync()

    def _train_first(self) -> None:
        try:
            version = self.workbench.registry.version(f"{PIPELINE}@champion")
            say(f"Model {version.ref} is champion")
        except NotFound:
            job = self.workbench.pipelines.run(PIPELINE, cause={"kind": "manual", "by": "demo"})
            if not self._finished(job):
                raise Unavailable(
                    "The gate refused the first model.", hint=f"See why: mlops pipelines show {PIPELINE}"
                ) from None
        self._serving(timeout_s=60)

    def _finished(self, job: Job) -> bool:
        """Wait for a training job and tell its verdict; whether there is a new version. Unavailable when it failed."""
        done = self.workbench.jobs.wait(job.id, timeout_s=180)
        run = self.workbench.pipelines.get_run(done.spec["run_id"])
        took = clock.duration((done.ended_at or 0) - (done.started_at or 0))
        if run.state == "blocked" and run.verdict is not None:
            self._event("gate", f"refused the model trained in {took}: {run.verdict.reason}")
            return False
        if not run.version:
            raise Unavailable(
                f"The pipeline run {run.id} ended {run.state} without a version: {done.error}",
                hint=f"Look at its log: mlops jobs logs {job.id}",
            )
        version = self.workbench.registry.version(run.version)
        metrics = ", ".join(
            f"{name} {version.metrics[name]:.3f}" for name in ("rmsle", "mae", "r2") if name in version.metrics
        )
        gate = run.verdict.outcome if run.verdict else "no gate"
        self._event(
            "trained", f"{version.ref} in {took} on {', '.join(version.snapshots)}; test {metrics}; gate: {gate}"
        )
        return True

    def _serving(self, timeout_s: float, version: int | None = None) -> int:
        """Wait until the deployment answers (with `version` if given); the version that serves."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            found = next((d for d in self.workbench.serving.list() if d.name == PIPELINE), None)
            if found and found.state == "ready" and version in (None, found.versions[0].version):
                serving = found.versions[0].version
                self.client = Client(found.url, PIPELINE)
                if not self.story.told("serving", f"v{serving} "):
                    self._event("serving", f"v{serving} answers at {found.url}")
                return serving
            time.sleep(0.1)
        raise Unavailable(
            "The deployment is not ready.", hint="Look at: mlops deployments show bike-demand   and   mlops daemon logs"
        )

    # -- replay ------------------------------------------------------------------------------------------------------

    def _replay(self) -> None:
        live = self._live_rows()
        signature = self.workbench.registry.version(f"{PIPELINE}@champion").signature
        months = sorted({moment.strftime("%Y-%m") for moment in live[TIME]})[: self.months]
        done = {month["month"] for month in self.story.months}
        for month in months:
            if month in done:
                continue
            rows = live[live[TIME].dt.strftime("%Y-%m") == month]
            before = self._serving(timeout_s=60)
            traffic = Traffic(self.client, signature, rows)
            traffic.send()
            self.story.requests += traffic.sent
            self.story.failed += traffic.failed
            self.story.prediction = traffic.ids[-1] if traffic.ids else self.story.prediction
            error = traffic.report_labels(TARGET)
            self._ingest_month(month, rows)
            self.story.months.append({"month": month, "requests": traffic.sent, "version": before, "rmsle": error})
            self.story.save()
            say(
                f"   {month}: {traffic.sent} requests to v{before}, {traffic.failed} failed, RMSLE {error:.3f} once the labels came"
            )
            self._watch(month, rows)
        self._compare(live, months[-3:])
        self.story.save()

    def _live_rows(self) -> pd.DataFrame:
        weather = self.data.weather[[*KEYS, TIME, *WEATHER]]
        live = self.data.hire[self.data.hire[TIME] >= self.data.train_until]
        return live.merge(weather, on=[*KEYS, TIME], how="inner").sort_values(TIME, ignore_index=True)

    def _ingest_month(self, month: str, rows: pd.DataFrame) -> None:
        features = self.workbench.features
        features.ingest("hourly_weather", rows[[*KEYS, TIME, *WEATHER]], message=month, batch_id=month)
        hire = rows[[*KEYS, TIME, *CALENDAR, TARGET, LABEL_TIME]]
        features.ingest("hourly_hire", hire, message=f"{month}, labels complete", batch_id=month)

    def _watch(self, month: str, rows: pd.DataFrame) -> None:
        """Let the monitors see the month; when they ask for retraining, keep traffic flowing until it has ended."""
        report = self._monitored()
        if report is not None:
            self._tell_alerts(month)
        job = self._retraining()
        if job is None:
            return
        self._event("retraining", f"job {job.id} started by itself: {_cause(job)}")
        before = self._serving(timeout_s=5)
        with Background(
            self.client, self.workbench.registry.version(f"{PIPELINE}/{before}").signature, rows
        ) as background:
            if self._finished(job):
                self._rolled_out()
            after = self.workbench.registry.version(f"{PIPELINE}@champion").version
            if after != before:
                self._serving(timeout_s=60, version=after)
                self.story.closed = True
        self.story.requests += background.sent
        self.story.failed += background.failed
        self._event(
            "live", f"{background.sent:,} requests answered while it trained and swapped, {background.failed} failed"
        )

    def _rolled_out(self) -> None:
        """Wait for the new version to get all the traffic or none, and tell which and why."""
        until = time.monotonic() + 60
        rollouts = self.workbench.serving.rollouts
        while rollouts.current(PIPELINE) is not None and time.monotonic() < until:
            time.sleep(0.2)
        held = rollouts.current(PIPELINE)
        if held is not None:
            self._event("canary", f"{held[0].ref} stays at {held[0].share:g} % for now: {held[1].reason}")
            return
        for one in rollouts.list(PIPELINE, limit=1):
            self._event("canary", f"{one.ref} {one.state}: {one.reason}")

    def _monitored(self) -> Any:
        """The report whose window ends after everything sent so far; None when it does not come in time."""
        wanted = clock.now_ms()
        until = time.monotonic() + 25
        while time.monotonic() < until:
            newest = self.workbench.monitoring.latest(PIPELINE)
            if newest is not None and newest.at >= wanted:
                return newest
            time.sleep(0.2)
        return None

    def _tell_alerts(self, month: str) -> None:
        for alert in reversed(self.workbench.alerts.list(limit=20)):
            if not self.story.told("alert", f"#{alert.id}: "):
                self._event("alert", f"#{alert.id}: {alert.severity} after {month}: {alert.title}")

    def _retraining(self) -> Job | None:
        """A training job that waits or runs; looks for a moment, since the daemon needs one to act on a new alert."""
        until = time.monotonic() + 3
        performance = any(alert.rule == "performance" for alert in self.workbench.alerts.list(state="open"))
        while performance and time.monotonic() < until:
            for job in self.workbench.jobs.list(kind="pipeline", limit=5):
                if job.state in ("queued", "claimed", "running"):
                    return job
            time.sleep(0.1)
        return None

    def _compare(self, live: pd.DataFrame, months: list[str]) -> None:
        """On the last quarter: what the first version would have answered against what was answered."""
        import numpy as np

        rows = live[live[TIME].dt.strftime("%Y-%m").isin(months)]
        registry = self.workbench.registry
        first = registry.load(f"{PIPELINE}/1")
        from mlops_tui.domains.registry import package

        inputs = package.prepare(registry.version(f"{PIPELINE}/1").signature, rows)
        stale = np.clip(np.asarray(first.predict(inputs), dtype=float), 0, None)
        truth = rows[TARGET].to_numpy(dtype=float)
        stale_error = float(np.sqrt(np.mean((np.log1p(stale) - np.log1p(truth)) ** 2)))
        done = [month for month in self.story.months if month["month"] in months]
        weights = [month["requests"] for month in done]
        served = float(np.sqrt(np.average([month["rmsle"] ** 2 for month in done], weights=weights)))
        self.story.compared = {
            "months": f"{months[0]} to {months[-1]}",
            "stale_rmsle": stale_error,
            "served_rmsle": served,
        }
        verdict = "the retrained model is better" if served < stale_error else "retraining did not help"
        self._event(
            "compared", f"{months[0]} to {months[-1]}: RMSLE {stale_error:.3f} of v1, {served:.3f} as served: {verdict}"
        )

    # -- telling -----------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return round(time.monotonic() - self.began, 1)

    def _event(self, what: str, detail: str) -> None:
        self.story.source = self.data.source
        say(self.story.add(self._now(), what, detail))
        self.story.save()

    def print_summary(self) -> None:
        """The table of what happened, and the commands to look further."""
        click.echo(self.story.summary())
        trail = self.workbench.audit.verify()
        click.echo(f"Audit        {trail.checked} entries, chain {'intact' if trail.ok else 'BROKEN: ' + trail.reason}")
        click.echo("\nLook further")
        for line in (
            "mlops tui",
            f"mlops why {self.story.prediction}",
            f"mlops models show {PIPELINE}",
            f"mlops pipelines show {PIPELINE}",
            f"mlops monitors show {PIPELINE}",
            "mlops alerts list",
            "mlops audit list",
        ):
            click.echo(f"  {line}")

    def leave(self, *, keep_running: bool) -> None:
        """Stop what this demo started, unless it shall stay."""
        if self.started_daemon and not keep_running:
            daemon.stop(self.workspace)
            say("Stopped the daemon and the gateway (keep them: mlops demo --keep-running, or mlops daemon start)")
        elif self.workbench.daemon_alive():
            say("The daemon goes on; stop it with: mlops daemon stop")
        self.started_daemon = False


def _cause(job: Job) -> str:
    cause = job.cause or {}
    return str(cause.get("reason") or ", ".join(f"{key} {value}" for key, value in cause.items()))


def _choose_settings(workspace: Workspace) -> None:
    """Quick beats for a demo, and a port that is free."""
    port = 8080
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    text = workspace.settings_file.read_text()
    text += (
        f"\n# quick beats, chosen by `mlops demo`\n[daemon]\ncompact_s = 1\nmonitor_s = 2\n\n[serving]\nport = {port}\n"
    )
    staged = workspace.settings_file.with_suffix(".new")
    staged.write_text(text)
    staged.replace(workspace.settings_file)
