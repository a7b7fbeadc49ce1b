"""Where the demo plays: one workspace, its rooms, and the story told so far."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlops_tui import daemon, questions
from mlops_tui.cli.demo.story import Story
from mlops_tui.cli.demo.traffic import Client
from mlops_tui.cli.output import say
from mlops_tui.core import clock
from mlops_tui.core.errors import Unavailable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.bike import BikeData
    from mlops_tui.core.workspace import Workspace
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.domains.pipelines.records import PipelineRun

PIPELINE = "bike-demand"


class Stage:
    """What every act of the demo needs: the workspace, the data, waiting for others, and telling."""

    def __init__(
        self,
        workspace: Workspace,
        workbench: Workbench,
        data: BikeData,
        rate: float = 0.0,
        harm: str = "",
        approval: bool = False,
    ) -> None:
        self.workspace = workspace
        self.workbench = workbench
        self.data = data
        self.harm = harm
        self.rate = rate  # requests a second all the while; 0: only while versions are swapped
        self.story = Story.load(workspace.root / "demo.json")
        self.approval = approval
        self._began = time.monotonic()
        self._started_daemon = False

    def start_daemon(self) -> None:
        if self.workbench.daemon_alive():
            say("The daemon is running")
            return
        daemon.start(self.workspace)
        self._started_daemon = True
        self.tell("daemon", f"started, watching {self.workspace.root.name}/")

    def leave(self, *, keep_running: bool) -> None:
        """Stop what this demo started, unless it shall stay."""
        if self._started_daemon and not keep_running:
            daemon.stop(self.workspace)
            say("Stopped the daemon and the gateway (keep them: mlops demo --keep-running, or mlops daemon start)")
        elif self.workbench.daemon_alive():
            say("The daemon goes on; stop it with: mlops daemon stop")
        self._started_daemon = False

    def tell(self, what: str, detail: str) -> None:
        """One more line of the story, kept at once."""
        self.story.source = self.data.source
        say(self.story.add(round(time.monotonic() - self._began, 1), what, detail))
        self.story.save()

    def finished(self, job: Job) -> bool:
        """Wait for a training job and tell its verdict; whether there is a new version. Unavailable when it failed."""
        done = self.workbench.jobs.wait(job.id, timeout_s=180)
        run = self.workbench.pipelines.get_run(done.spec["run_id"])
        took = clock.duration((done.ended_at or 0) - (done.started_at or 0))
        if run.state == "blocked" and run.verdict is not None:
            self.tell("gate", f"refused the model trained in {took}: {run.verdict.reason}")
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
        self.tell("trained", f"{version.ref} in {took} on {', '.join(version.snapshots)}; test {metrics}; gate: {gate}")
        if run.state == "waiting" and self.approval:
            self._agree(run)
        return True

    def _agree(self, run: PipelineRun) -> None:
        """Be the person who is asked, and wait until the daemon has gone on from the answer."""
        with Workbench(self.workspace, actor="ana") as ana:
            _, words = questions.approve(ana, run.version, "looked at the slices")
        self.tell("approved", f"by ana: {words}")
        until = time.monotonic() + 60
        while self.workbench.pipelines.get_run(run.id).state == "waiting" and time.monotonic() < until:
            time.sleep(0.2)

    def serving(self, timeout_s: float, version: int | None = None) -> int:
        """Wait until the deployment answers (with `version` if given); the version that serves."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            found = next((d for d in self.workbench.serving.list() if d.name == PIPELINE), None)
            if found and found.state == "ready" and version in (None, found.versions[0].version):
                serving = found.versions[0].version
                self.client = Client(found.url, PIPELINE)
                if not self.story.told("serving", f"v{serving} "):
                    self.tell("serving", f"v{serving} answers at {found.url}")
                return serving
            time.sleep(0.1)
        raise Unavailable(
            "The deployment is not ready.", hint="Look at: mlops deployments show bike-demand   and   mlops daemon logs"
        )
