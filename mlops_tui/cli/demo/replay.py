"""The second act: months of later data as live traffic, watched, and what the loop makes of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mlops_tui.bike import CALENDAR, KEYS, LABEL_TIME, TARGET, TIME, WEATHER
from mlops_tui.cli.demo.stage import PIPELINE, Stage
from mlops_tui.cli.demo.traffic import Background, Traffic
from mlops_tui.cli.output import say
from mlops_tui.core import clock

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.jobs.records import Job


class Replay:
    """Sends the months one after another and waits for what follows from each."""

    def __init__(self, stage: Stage, months: int | None) -> None:
        self._stage = stage
        self._story = stage.story
        self._workbench = stage.workbench
        self._most = months
        self._harm = stage.harm
        self._steady: Background | None = None

    def play(self) -> None:
        """Goes on after the last month that was finished."""
        live = self._live_rows()
        signature = self._workbench.registry.version(f"{PIPELINE}@champion").signature
        months = sorted({moment.strftime("%Y-%m") for moment in live[TIME]})[: self._most]
        done = {month["month"] for month in self._story.months}
        left = [month for month in months if month not in done]
        if self._stage.rate and left:
            self._stage.serving(timeout_s=60)
            first = _of_month(live, left[0])
            with Background(
                self._stage.client, signature, first, rate=self._stage.rate, connections=24
            ) as self._steady:
                self._play(live, signature, left)
            self._story.steady = self._steady.figures()
            for trouble, times in self._steady.trouble.most_common(5):
                self._stage.tell("trouble", f"{times} times: {trouble}")
            self._story.requests += self._steady.sent
            self._story.failed += self._steady.failed
        else:
            self._play(live, signature, left)
        if not self._harm:
            self._compare(live, months[-3:])
        self._story.save()

    def _play(self, live: pd.DataFrame, signature: dict[str, Any], months: list[str]) -> None:
        for month in months:
            rows = _of_month(live, month)
            before = self._stage.serving(timeout_s=60)
            if self._steady is not None:
                self._steady.ask(rows)
            traffic = Traffic(self._stage.client, signature, rows)
            traffic.send()
            self._story.requests += traffic.sent
            self._story.failed += traffic.failed
            self._story.prediction = traffic.ids[-1] if traffic.ids else self._story.prediction
            error = traffic.report_labels(TARGET)
            self._ingest_month(month, rows)
            self._story.months.append({"month": month, "requests": traffic.sent, "version": before, "rmsle": error})
            self._story.save()
            say(
                f"   {month}: {traffic.sent} requests to v{before}, {traffic.failed} failed, RMSLE {error:.3f} once the labels came"
            )
            self._watch(month, rows)
            if self._story.stopped or (self._harm and self._story.closed):
                return

    def _live_rows(self) -> pd.DataFrame:
        weather = self._stage.data.weather[[*KEYS, TIME, *WEATHER]]
        live = self._stage.data.hire[self._stage.data.hire[TIME] >= self._stage.data.train_until]
        return live.merge(weather, on=[*KEYS, TIME], how="inner").sort_values(TIME, ignore_index=True)

    def _ingest_month(self, month: str, rows: pd.DataFrame) -> None:
        features = self._workbench.features
        features.ingest("hourly_weather", rows[[*KEYS, TIME, *WEATHER]], message=month, batch_id=month)
        hire = rows[[*KEYS, TIME, *CALENDAR, TARGET, LABEL_TIME]]
        features.ingest("hourly_hire", hire, message=f"{month}, labels complete", batch_id=month)
        if self._harm:
            self._spoil(month)

    def _spoil(self, month: str) -> None:
        """All that is known so far once more, with the bikes of one station in four only: what a broken backfill leaves."""
        hire = self._stage.data.hire
        known = hire[hire[TIME].dt.strftime("%Y-%m") <= month].copy()
        spoiled = known[TIME].dt.strftime("%Y-%m") < month if self._harm == "gate" else slice(None)
        known.loc[spoiled, TARGET] = known.loc[spoiled, TARGET] // 4
        self._workbench.features.ingest(
            "hourly_hire", known, mode="replace", message="backfill, three stations missing"
        )
        which = "all but the newest month" if self._harm == "gate" else "the newest month too"
        self._story.harm = f"labels of three bikes in four lost by a backfill, {which}"
        self._stage.tell("harm", f"hourly_hire was filled again with wrong counts: {self._story.harm}")

    def _watch(self, month: str, rows: pd.DataFrame) -> None:
        """Let the monitors see the month; when they ask for retraining, keep traffic flowing until it has ended."""
        report = self._monitored()
        if report is not None:
            self._tell_alerts(month)
        job = self._retraining(expected=report is not None and report.verdict == "performance")
        self._tell_alerts(month)  # a report is there a moment before its alerts
        if job is None:
            return
        self._stage.tell("retraining", f"job {job.id} started by itself: {_cause(job)}")
        before = self._stage.serving(timeout_s=5)
        if self._steady is not None:
            self._steady.ask(rows, TARGET)
            sent, failed = self._steady.sent, self._steady.failed
            self._follow(job, before)
            sent, failed = self._steady.sent - sent, self._steady.failed - failed
        else:
            signature = self._workbench.registry.version(f"{PIPELINE}/{before}").signature
            with Background(self._stage.client, signature, rows) as background:
                self._follow(job, before)
            sent, failed = background.sent, background.failed
            self._story.requests += sent
            self._story.failed += failed
        self._stage.tell("live", f"{sent:,} requests answered while it trained and swapped, {failed} failed")

    def _follow(self, job: Job, before: int) -> None:
        """The training, the gate, the canary, and which version serves after them."""
        blessed = self._stage.finished(job)
        if blessed:
            self._rolled_out()
        after = self._workbench.registry.version(f"{PIPELINE}@champion").version
        if after != before:
            self._stage.serving(timeout_s=60, version=after)
            self._story.closed = True
        elif self._harm:
            self._story.stopped = "canary" if blessed else "gate"
            self._stage.serving(timeout_s=60, version=before)
            self._stage.tell("safe", f"v{before} serves as before")

    def _rolled_out(self) -> None:
        """Wait for the new version to get all the traffic or none, and tell which and why."""
        until = time.monotonic() + 60
        rollouts = self._workbench.serving.rollouts
        while rollouts.current(PIPELINE) is not None and time.monotonic() < until:
            time.sleep(0.2)
        held = rollouts.current(PIPELINE)
        if held is not None:
            self._stage.tell("canary", f"{held[0].ref} stays at {held[0].share:g} % for now: {held[1].reason}")
            return
        for one in rollouts.list(PIPELINE, limit=1):
            self._stage.tell("canary", f"{one.ref} {one.state}: {one.reason}")

    def _monitored(self) -> Any:
        """The report whose window ends after everything sent so far; None when it does not come in time."""
        wanted = clock.now_ms()
        until = time.monotonic() + 25
        while time.monotonic() < until:
            newest = self._workbench.monitoring.latest(PIPELINE)
            if newest is not None and newest.at >= wanted:
                return newest
            time.sleep(0.2)
        return None

    def _tell_alerts(self, month: str) -> None:
        for alert in reversed(self._workbench.alerts.list(limit=20)):
            if not self._story.told("alert", f"#{alert.id}: "):
                self._stage.tell("alert", f"#{alert.id}: {alert.severity} after {month}: {alert.title}")

    def _retraining(self, *, expected: bool) -> Job | None:
        """A training job that waits or runs; looks for a moment, since the daemon needs one to act on a new alert, and for longer where
        one is expected of harmful data: a month later it would not be harmful any more.
        """
        until = time.monotonic() + (12 if expected and self._harm else 3)
        while expected or any(one.rule == "performance" for one in self._workbench.alerts.list(state="open")):
            for job in self._workbench.jobs.list(kind="pipeline", limit=5):
                if job.state in ("queued", "claimed", "running"):
                    return job
            if time.monotonic() >= until:
                break
            time.sleep(0.1)
        return None

    def _compare(self, live: pd.DataFrame, months: list[str]) -> None:
        """On the last quarter: what the first version would have answered against what was answered."""
        import numpy as np

        rows = live[live[TIME].dt.strftime("%Y-%m").isin(months)]
        registry = self._workbench.registry
        from mlops_tui.domains.registry import answering

        inputs = [item["name"] for item in registry.version(f"{PIPELINE}/1").signature["inputs"]]
        first = registry.ask(f"{PIPELINE}/1", answering.predictions, {"rows": rows[inputs]})["answers"]
        stale = np.clip(np.asarray(first, dtype=float), 0, None)
        truth = rows[TARGET].to_numpy(dtype=float)
        stale_error = float(np.sqrt(np.mean((np.log1p(stale) - np.log1p(truth)) ** 2)))
        done = [month for month in self._story.months if month["month"] in months]
        weights = [month["requests"] for month in done]
        served = float(np.sqrt(np.average([month["rmsle"] ** 2 for month in done], weights=weights)))
        self._story.compared = {
            "months": f"{months[0]} to {months[-1]}",
            "stale_rmsle": stale_error,
            "served_rmsle": served,
        }
        verdict = "the retrained model is better" if served < stale_error else "retraining did not help"
        self._stage.tell(
            "compared", f"{months[0]} to {months[-1]}: RMSLE {stale_error:.3f} of v1, {served:.3f} as served: {verdict}"
        )


def _of_month(live: pd.DataFrame, month: str) -> pd.DataFrame:
    rows: pd.DataFrame = live[live[TIME].dt.strftime("%Y-%m") == month]
    return rows


def _cause(job: Job) -> str:
    cause = job.cause or {}
    return str(cause.get("reason") or ", ".join(f"{key} {value}" for key, value in cause.items()))
