"""`mlops lineage`: what something came from and what came of it, as trees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.output import json_option, jsonable, pass_workbench
from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.lineage import Node
    from mlops_tui.workbench import Workbench


@click.command()
@click.argument("reference")
@click.option("--up", "way", flag_value="up", help="Only what it came from.")
@click.option("--down", "way", flag_value="down", help="Only what came of it.")
@json_option
@pass_workbench
def lineage(workbench: Workbench, reference: str, way: str | None, as_json: bool) -> None:
    """Draw what REFERENCE came from and what came of it: snapshot, run, version, deployment, predictions.

    \b
    Example: mlops lineage churn@champion
    """
    found = workbench.lineage(reference)
    if as_json:
        trees = {"up": found.up, "down": found.down}
        shown = {name: tree for name, tree in trees.items() if way in (None, name)}
        click.echo(json.dumps(jsonable(shown), ensure_ascii=False, indent=2))
        return
    if way != "down":
        click.echo(click.style("Came from", bold=True))
        _draw(found.up, workbench.context.now())
    if way != "up":
        click.echo(click.style("Came of it", bold=True))
        _draw(found.down, workbench.context.now())


def _draw(tree: Node, now: int) -> None:
    from mlops_tui.lineage import flat

    for branch, node in flat(tree):
        said = f"  {node.words}" if node.words else ""
        when = f"  {clock.ago(node.at, now)}" if node.at is not None else ""
        click.echo(
            f"{branch}{node.kind} {click.style(node.name, bold=True)}{said}{click.style(when, dim=True)}".rstrip()
        )
    if not tree.below:
        click.echo("└─ nothing that is known")
