"""The demo: what a team would do by hand in its first week, done through the same services, daemon and HTTP."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from mlops_tui import incident
from mlops_tui.bike import read_bike_hour, read_sample
from mlops_tui.cli.demo import opening
from mlops_tui.cli.demo.replay import Replay
from mlops_tui.cli.demo.stage import PIPELINE, Stage
from mlops_tui.cli.output import say
from mlops_tui.core.errors import AlreadyExists
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.core.workspace import Workspace


class Demo:
    """Drives the loop in one workspace; use as a context manager."""

    def __init__(
        self,
        workspace: Workspace,
        data: Path | None,
        *,
        fresh: bool,
        months: int | None = None,
        rate: float = 0.0,
        harm: str = "",
        approval: bool = False,
    ) -> None:
        if fresh:
            _choose_settings(workspace)
        self._workbench = Workbench(workspace, actor="demo")
        found = read_bike_hour(data) if data else read_sample()
        self._stage = Stage(workspace, self._workbench, found, rate, harm, approval)
        self._months = months

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.leave(keep_running=False)
        self._workbench.close()

    def run(self) -> bool:
        """Whether the loop closed: drift or bad answers seen, a retrained version through the gate and serving; with harmful data,
        whether the version made of it was stopped.
        """
        story, source = self._stage.story, self._stage.data.source
        if story.source and story.source != source:
            raise AlreadyExists(
                f"This workspace holds the demo on {story.source}.",
                hint="Take another folder: mlops demo --project DIR --data FILE",
            )
        opening.play(self._stage)
        if story.ended_well:
            say("The replay was done before; here is what happened.")
        else:
            Replay(self._stage, self._months).play()
        return story.ended_well

    def print_summary(self) -> None:
        """The table of what happened, and the commands to look further."""
        click.echo(self._stage.story.summary())
        trail = self._workbench.audit.verify()
        click.echo(f"Audit        {trail.checked} entries, chain {'intact' if trail.ok else 'BROKEN: ' + trail.reason}")
        for alert in self._workbench.alerts.list(rule="performance", limit=1) if self._stage.rate else ():
            click.echo(f"\n{incident.markdown(self._workbench, alert.id)}", nl=False)
        click.echo("\nLook further")
        for line in (
            "mlops tui",
            f"mlops why {self._stage.story.prediction}",
            f"mlops models show {PIPELINE}",
            f"mlops pipelines show {PIPELINE}",
            f"mlops monitors show {PIPELINE}",
            "mlops alerts list",
            "mlops audit list",
        ):
            click.echo(f"  {line}")

    def leave(self, *, keep_running: bool) -> None:
        """Stop what this demo started, unless it shall stay."""
        self._stage.leave(keep_running=keep_running)


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
