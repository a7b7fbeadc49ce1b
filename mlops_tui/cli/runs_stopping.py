"""`mlops runs stop`: ask the process of a run to end."""

from __future__ import annotations

import click

from mlops_tui.cli.output import pass_workbench, say
from mlops_tui.workbench import Workbench


@click.command()
@click.argument("run")
@pass_workbench
def stop(workbench: Workbench, run: str) -> None:
    """Interrupt the process of a run on this machine, as ctrl+c would.

    \b
    Example: mlops runs stop 3f2a
    """
    from mlops_tui.domains.experiments import stopping  # sockets, for the name of this machine

    found = workbench.experiments.run(run)
    stopping.interrupt(found)
    say(f"Asked process {found.pid} of run {found.id} to stop.")
