"""`mlops runs start`: a command of any kind as a run."""

from __future__ import annotations

import click

from mlops_tui.cli.output import pass_workbench, say
from mlops_tui.workbench import Workbench

Pairs = tuple[str, ...]


@click.command("start", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--experiment", "-e", default="default", show_default=True, metavar="NAME", help="Made when it is new.")
@click.option("--name", default="", metavar="NAME", help="Of the run.")
@click.option(
    "--param", "-p", "params", multiple=True, metavar="KEY=VALUE", help="Kept with the run; may be given again."
)
@click.option("--tag", "-t", "tags", multiple=True, metavar="KEY=VALUE", help="The same as a tag.")
@pass_workbench
def start(workbench: Workbench, command: Pairs, experiment: str, name: str, params: Pairs, tags: Pairs) -> None:
    """Run a command as a run: what it prints is kept, and how long it took, what it took of the machine and how it ended.

    The command can log into the run, whose id is in $MLOPS_RUN_ID: mlops.attach_run(os.environ["MLOPS_RUN_ID"]).
    The exit code is the command's.

    \b
    Example: mlops runs start --experiment churn --param rate=0.1 -- python train.py 0.1
    """
    from mlops_tui.sdk import starting, supervised  # with the spool 20 ms that lists need not pay

    given, wanted = _pairs(params), _pairs(tags)
    run = starting.start_run(
        experiment,
        name=name,
        tags=wanted,
        workspace=workbench.workspace.root,
        actor=workbench.actor,
        command=list(command),
    )
    run.log_params(given)
    say(f"Run {run.id} of {experiment}")
    code = supervised.supervise(run, command)
    say(f"Run {run.id} {'finished' if code == 0 else f'failed with {code}'}. See it: mlops runs show {run.id[:8]}")
    raise click.exceptions.Exit(code)


def _pairs(words: Pairs) -> dict[str, str]:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise click.UsageError(f"{word!r} is no KEY=VALUE.")
        found[key.strip()] = value
    return found
