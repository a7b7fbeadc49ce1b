"""What `mlops why` and `mlops replay` say about the answer of a model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say, show
from mlops_tui.core.errors import WorkbenchError

if TYPE_CHECKING:
    from mlops_tui.domains.serving.reasons.records import Reasons
    from mlops_tui.workbench import Workbench

MOST_PARTS = 15
_PARTS = [("name", "Input"), ("value", "Value"), ("added", "Added"), ("snapshot", "From")]


def asked(workbench: Workbench, prediction_id: str) -> Reasons | None:
    """The reasons of an answer; a note where it has none or they cannot be told any more."""
    try:
        return workbench.serving.why(prediction_id)
    except WorkbenchError as error:
        say(f"No reasons: {error.message}")
        return None


def tell(found: Reasons) -> None:
    """Print what each input added and the nearest rows."""
    click.echo()
    click.echo(click.style(f"Of {found.of}", bold=True) + f" ({found.method})")
    click.echo(f"{found.base:.6g} before any input is known, {found.answer:.6g} with all of them")
    shown = found.parts[:MOST_PARTS]
    rows = [{**dataclasses.asdict(one), "added": f"{one.added:+.4g}"} for one in shown]
    others = sum(one.added for one in found.parts[MOST_PARTS:])
    if len(found.parts) > MOST_PARTS:
        rows.append({"name": f"{len(found.parts) - MOST_PARTS} more", "value": None, "added": f"{others:+.4g}"})
    if found.rest:
        rows.append({"name": "inputs together", "value": None, "added": f"{found.rest:+.4g}"})
    emit(rows, _PARTS, empty="The model has no inputs.")
    click.echo()
    typical = f"; rows there have their nearest at {found.typical:.2g}" if found.typical is not None else ""
    click.echo(click.style("Nearest", bold=True) + f" of {found.source}{typical}")
    names = [one.name for one in shown[:4]]
    near = [
        {
            "distance": f"{one.distance:.3g}",
            "truth": one.truth,
            **{f"v{at}": one.values[name] for at, name in enumerate(names)},
        }
        for one in found.nearest
        if all(name in one.values for name in names)
    ]
    columns = [("distance", "Distance"), ("truth", "Truth"), *((f"v{at}", name) for at, name in enumerate(names))]
    emit(near, columns, empty="None is known.")


@click.command()
@click.argument("prediction_id")
@click.argument("version", metavar="VERSION|@ALIAS|MODEL/VERSION")
@json_option
@pass_workbench
def replay(workbench: Workbench, prediction_id: str, version: str, as_json: bool) -> None:
    """Have another version answer a row of the log again: both answers and how they differ. It is in no log.

    \b
    Example: mlops deployments replay p19ad2f0c1b3a1b2c3d4e5f6 @champion
    """
    found = workbench.serving.replay(prediction_id, version)
    if as_json:
        emit_one(found, as_json=True)
        return
    emit_one(_facts(found))


def _facts(found: Any) -> dict[str, Any]:
    score = "" if found.score is None else f" (score {found.score:.6g})"
    logged = "" if found.logged_score is None else f" (score {found.logged_score:.6g})"
    facts = {
        found.ref: f"{show(found.logged)}{logged}",
        found.other_ref: f"refuses it: {found.error}" if found.error else f"{show(found.answer)}{score}",
        "the same": found.same,
    }
    return facts | ({"difference": f"{found.difference:+.6g}"} if found.difference is not None else {})
