"""`mlops runs rename`, `tag`, `delete`, `restore`, `stop`: what can be done to runs that are there."""

from __future__ import annotations

import click

from mlops_tui.cli.output import confirm, pass_workbench, say, why_option, yes_option
from mlops_tui.domains.experiments import stopping
from mlops_tui.workbench import Workbench


@click.command()
@click.argument("run")
@click.argument("name")
@pass_workbench
def rename(workbench: Workbench, run: str, name: str) -> None:
    """Give a run another name; its id stays.

    \b
    Example: mlops runs rename 3f2a best-so-far
    """
    found = workbench.experiments.rename_run(run, name)
    say(f"Run {found.id} is called {found.name} now.")


@click.command()
@click.argument("words", metavar="RUN... KEY=VALUE...", nargs=-1, required=True)
@why_option
@pass_workbench
def tag(workbench: Workbench, words: tuple[str, ...], why: str) -> None:
    """Set tags of runs, all or none; KEY= without a value takes a tag away.

    \b
    Example: mlops runs tag 3f2a 91bc team=city draft=
    """
    runs = [word for word in words if "=" not in word]
    tags = {key: value or None for key, _, value in (word.partition("=") for word in words if "=" in word)}
    if not runs or not tags:
        raise click.UsageError("Name at least one run and one KEY=VALUE.")
    changed = workbench.experiments.tag_many(runs, tags, why=why)
    say(f"Changed {changed} of {len(set(runs))} {'run' if len(set(runs)) == 1 else 'runs'}.")


@click.command()
@click.argument("run", nargs=-1, required=True)
@why_option
@yes_option
@pass_workbench
def delete(workbench: Workbench, run: tuple[str, ...], why: str, yes: bool) -> None:
    """Take runs out of every list; they can be restored until they are collected.

    \b
    Example: mlops runs delete 3f2a 91bc --why "wrong data"
    """
    found = [workbench.experiments.run(each) for each in dict.fromkeys(run)]
    names = ", ".join(each.id[:8] for each in found)
    confirm(f"Delete {len(found)} {'run' if len(found) == 1 else 'runs'}: {names}?", yes=yes)
    for each in found:
        workbench.experiments.delete_run(each.id, why=why)
    say(f"Deleted {names}. Bring back: mlops runs restore {' '.join(each.id[:8] for each in found)}")


@click.command()
@click.argument("run", nargs=-1, required=True)
@why_option
@pass_workbench
def restore(workbench: Workbench, run: tuple[str, ...], why: str) -> None:
    """Bring deleted runs back.

    \b
    Example: mlops runs restore 3f2a 91bc
    """
    found = [workbench.experiments.restore_run(each, why=why) for each in dict.fromkeys(run)]
    say(f"Restored {', '.join(each.id[:8] for each in found)}.")


@click.command()
@click.argument("run")
@pass_workbench
def stop(workbench: Workbench, run: str) -> None:
    """Interrupt the process of a run on this machine, as ctrl+c would.

    \b
    Example: mlops runs stop 3f2a
    """
    found = workbench.experiments.run(run)
    stopping.interrupt(found)
    say(f"Asked process {found.pid} of run {found.id} to stop.")


COMMANDS = (rename, tag, delete, restore, stop)
