"""`mlops daemon`: the process in the background."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_tui._version import __version__
from mlops_tui.cli.output import emit_one, follow, human_bytes, json_option, pass_workbench, say
from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@click.group()
def daemon() -> None:
    """The background process: schedules, jobs, serving, monitoring.

    \b
    Example: mlops daemon start
    """


@daemon.command("start")
@pass_workbench
def start_daemon(workbench: Workbench) -> None:
    """Start the daemon and return when it works.

    \b
    Example: mlops daemon start
    """
    from mlops_tui import daemon as control  # only these commands know the process

    status = control.start(workbench.workspace)
    say(f"The daemon runs (pid {status.pid}).")


@daemon.command("stop")
@pass_workbench
def stop_daemon(workbench: Workbench) -> None:
    """Stop the daemon and the gateway; running jobs go on and are found again.

    \b
    Example: mlops daemon stop
    """
    from mlops_tui import daemon as control

    control.stop(workbench.workspace)
    say("The daemon has stopped.")


@daemon.command("restart")
@pass_workbench
def restart_daemon(workbench: Workbench) -> None:
    """Put a new daemon in place of the one that runs, as after an upgrade; jobs go on and are found again.

    \b
    Example: mlops daemon restart
    """
    from mlops_tui import daemon as control

    before = control.status(workbench.workspace)
    status = control.restart(workbench.workspace)
    was = f" in place of {before.version} (pid {before.pid})" if before.running else ""
    say(f"The daemon {status.version} runs (pid {status.pid}){was}.")


@daemon.command("status")
@json_option
@pass_workbench
def daemon_status(workbench: Workbench, as_json: bool) -> None:
    """Show whether the daemon runs; exit code 1 when it does not.

    \b
    Example: mlops daemon status --json
    """
    from mlops_tui import daemon as control

    status = control.status(workbench.workspace)
    if as_json:
        emit_one(status, as_json)
    elif status.running:
        age = clock.ago(status.started_at, workbench.context.now())
        click.echo(f"Running (pid {status.pid}), started {age}, {human_bytes(status.memory_bytes)} of memory.")
        if status.version != __version__:
            click.echo(f"It is of version {status.version}, installed is {__version__}: mlops daemon restart")
        click.echo(f"Gateway: {f'pid {status.gateway_pid}' if status.gateway_pid else 'not running'}.")
    else:
        click.echo("Not running.")
    if not status.running:
        raise click.exceptions.Exit(1)


@daemon.command("run")
@pass_workbench
def run_daemon(workbench: Workbench) -> None:
    """Be the daemon in the foreground until Ctrl-C.

    \b
    Example: mlops daemon run
    """
    from mlops_tui import daemon as control

    control.run(workbench.workspace)


@daemon.command("install")
@click.option(
    "--memory", default="", metavar="AMOUNT", help="The most memory of daemon, jobs and gateway together: 8G, 75%."
)
@click.option(
    "--cpu", default="", metavar="SHARE", help="The most processor time of them together: 150% is one and a half."
)
@click.option("--dry-run", is_flag=True, help="Only print the unit and the commands.")
@json_option
@pass_workbench
def install_daemon(workbench: Workbench, memory: str, cpu: str, dry_run: bool, as_json: bool) -> None:
    """Install the daemon as a systemd service of yours and start it.

    \b
    Example: mlops daemon install --memory 8G --dry-run
    """
    from mlops_tui import daemon as control

    bounds = control.Bounds(memory=memory, cpu=cpu)
    if dry_run:
        planned = control.plan(workbench.workspace, bounds=bounds)
        if as_json:
            emit_one(planned, as_json)
            return
        click.echo(f"# {planned.path}\n{planned.text}")
        click.echo("\n".join(f"# then: {command}" for command in planned.commands))
        say(planned.hint)
        return
    installed = control.install(workbench.workspace, bounds=bounds)
    if as_json:
        emit_one(installed, as_json)
        return
    say(f"Wrote {installed.path}." + (" The service runs." if installed.active else ""))
    say(installed.hint)


@daemon.command("uninstall")
@pass_workbench
def uninstall_daemon(workbench: Workbench) -> None:
    """Stop the systemd service and delete it.

    \b
    Example: mlops daemon uninstall
    """
    from mlops_tui import daemon as control

    say(f"Deleted {control.uninstall(workbench.workspace).path}.")


@daemon.command("logs")
@click.option("--follow", "-f", "keep_on", is_flag=True, help="Go on printing until the daemon stops.")
@click.option(
    "--lines", "-n", default=100, show_default=True, type=click.IntRange(1), help="How many of the last lines."
)
@pass_workbench
def daemon_logs(workbench: Workbench, keep_on: bool, lines: int) -> None:
    """Print the daemon's log.

    \b
    Example: mlops daemon logs --follow
    """
    from mlops_tui import daemon as control

    path = control.log_path(workbench.workspace)
    if keep_on:
        follow(path, lambda: not workbench.daemon_alive())
    elif path.exists():
        click.echo("\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]))
    else:
        say("The daemon has never run here. Start it: mlops daemon start")


@daemon.command("metrics")
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    help="Write them to this file at once, for node_exporter's textfile collector.",
)
@pass_workbench
def metrics(workbench: Workbench, output: str | None) -> None:
    """Print all that the workspace knows of itself in Prometheus' text format.

    The daemon answers the same over HTTP where settings give it a port (daemon.metrics_port).

    \b
    Example: mlops daemon metrics
    """
    from mlops_tui.telemetry import everything

    text = everything.text(workbench)
    if output is None:
        click.echo(text, nl=False)
        return
    path = Path(output)
    staged = path.with_name(f"{path.name}.{os.getpid()}")  # the collector reads *.prom, whenever it wants
    staged.write_text(text, encoding="utf-8")
    staged.replace(path)
    say(f"Wrote {text.count(chr(10))} lines to {path}.")
