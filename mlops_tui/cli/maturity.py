"""`mlops maturity`: how far the life of each model is automated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench

if TYPE_CHECKING:
    from mlops_tui.maturity import Maturity
    from mlops_tui.workbench import Workbench


@click.command()
@click.argument("model", required=False)
@json_option
@pass_workbench
def maturity(workbench: Workbench, model: str | None, as_json: bool) -> None:
    """Judge how far models are automated: Google's levels 0 to 2 and Azure's 0 to 4, with what leads to the next.

    \b
    Example: mlops maturity churn
    """
    if model is None:
        found = [workbench.maturity(item.name) for item in workbench.registry.models()]
        rows = found if as_json else [_row(item) for item in found]
        columns = [("model", "Model"), ("google", "Google 0-2"), ("azure", "Azure 0-4"), ("facts", "Facts")]
        emit(rows, columns, as_json=as_json, empty="No models yet. Make one: mlops pipelines new NAME")
        return
    one = workbench.maturity(model)
    if as_json:
        emit_one(one, as_json)
        return
    click.echo(f"{one.model}/{one.version}: Google level {one.google} of 2, Azure level {one.azure} of 4")
    for scale, level, missing in (("Google", one.google, one.missing_google), ("Azure", one.azure, one.missing_azure)):
        if missing:
            names = ", ".join(fact.title for fact in one.facts if fact.id in missing)
            click.echo(f"{scale} level {level + 1} needs: {names}")
    click.echo()
    checked = [
        {"ok": "✓" if fact.ok else "-", "title": fact.title, "seen": fact.seen or fact.how} for fact in one.facts
    ]
    emit(checked, [("ok", ""), ("title", "Fact"), ("seen", "Seen, or what would supply it")])


def _row(one: Maturity) -> dict[str, object]:
    return {
        "model": f"{one.model}/{one.version}",
        "google": one.google,
        "azure": one.azure,
        "facts": f"{sum(fact.ok for fact in one.facts)} of {len(one.facts)}",
    }
