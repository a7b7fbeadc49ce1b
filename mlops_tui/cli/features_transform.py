"""`mlops features aggregate` and `transform`: what tables give beyond their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, progress_bar, say
from mlops_tui.core.errors import InvalidInput

if TYPE_CHECKING:
    from mlops_tui.domains.features.derived_records import Transform
    from mlops_tui.workbench import Workbench


# -- aggregates --------------------------------------------------------------------------------------------------------


@click.group("aggregate")
def aggregate() -> None:
    """Aggregates by window, as in sum(amount) over 7d: columns of joins and lookups that name them.

    \b
    Example: mlops features aggregate add orders "sum(amount) over 7d"
    """


@aggregate.command("add")
@click.argument("table")
@click.argument("expressions", nargs=-1, required=True)
@click.option(
    "--as", "name", metavar="NAME", help="What it is called, with one expression; else: 'sum(x) over 7d as NAME'."
)
@click.option(
    "--corrected", is_flag=True, help="Rows that repeat a key at one time correct each other: the last counts."
)
@json_option
@pass_workbench
def add_aggregate(
    workbench: Workbench, table: str, expressions: tuple[str, ...], name: str | None, corrected: bool, as_json: bool
) -> None:
    """Declare aggregates of a table: sum, count, mean, min, max, last or distinct of a column, or count(*), over a span.

    A row counts at a moment when its event time is not after it and less than the span before it.

    \b
    Example: mlops features aggregate add orders "sum(amount) over 7d" "count(*) over 1d as orders_today"
    """
    if name is not None:
        if len(expressions) > 1:
            raise InvalidInput("--as names one aggregate.", hint='Write it in each: "sum(amount) over 7d as total_7d"')
        expressions = (f"{expressions[0]} as {name}",)
    made = workbench.features.add_aggregates(table, expressions, corrected=corrected)
    if as_json:
        emit(made, [], as_json=True)
        return
    names = ",".join(one.name for one in made)
    say(f"Declared. Join it: mlops features join SPINE {table}:{names}. Online: mlops features materialize {table}")


@aggregate.command("list")
@click.argument("table")
@json_option
@pass_workbench
def list_aggregates(workbench: Workbench, table: str, as_json: bool) -> None:
    """List the aggregates of a table.

    \b
    Example: mlops features aggregate list orders
    """
    found = workbench.features.aggregates(table)
    rows = [{"name": one.name, "expression": one.expression, "corrected": one.corrected} for one in found]
    columns = [("name", "Name"), ("expression", "Aggregate"), ("corrected", "Corrected")]
    empty = f'No aggregates yet. Declare one: mlops features aggregate add {table} "count(*) over 7d"'
    emit(rows, columns, as_json=as_json, empty=empty)


@aggregate.command("remove")
@click.argument("table")
@click.argument("name")
@pass_workbench
def remove_aggregate(workbench: Workbench, table: str, name: str) -> None:
    """Declare an aggregate no more; online it goes with the next materialize.

    \b
    Example: mlops features aggregate remove orders sum_amount_7d
    """
    workbench.features.remove_aggregate(table, name)
    say(f"{name} is no aggregate of {table} any more.")


# -- transformations ---------------------------------------------------------------------------------------------------


@click.group("transform")
def transform() -> None:
    """Transformations: SQL or a Python function, kept by version, that fills a table or works values out on demand.

    \b
    Example: mlops features transform list
    """


@transform.command("add")
@click.argument("name")
@click.option("--sql", metavar="SQL", default="", help="A SELECT over tables; on demand a select list over one row.")
@click.option(
    "--python", metavar="MODULE:FUNCTION", default="", help="A function of the project: frames in, frame out."
)
@click.option("--input", "-i", "inputs", multiple=True, metavar="REF", help="A table it reads, as in weather:temp,hum.")
@click.option("--on-demand", is_flag=True, help="Work it out at each lookup and join instead of filling a table.")
@click.option(
    "--request", "-r", multiple=True, metavar="NAME:TYPE", help="On demand: a field that comes with the request."
)
@click.option("--output", "outputs", multiple=True, metavar="NAME:TYPE", help="On demand: what the function gives.")
@click.option(
    "--mode", type=click.Choice(["replace", "append"]), default="replace", help="What a run does to the table."
)
@json_option
@pass_workbench
def add_transform(
    workbench: Workbench,
    name: str,
    sql: str,
    python: str,
    inputs: tuple[str, ...],
    on_demand: bool,
    request: tuple[str, ...],
    outputs: tuple[str, ...],
    mode: str,
    as_json: bool,
) -> None:
    """Register how the table NAME is filled, or an on-demand transformation called NAME; again for a new version.

    The text of a function's module is kept and is what runs, in joins, lookups, pipelines and the gateway alike.

    \b
    Example: mlops features transform add daily --sql "SELECT city, max(temp) AS top FROM weather GROUP BY city"
    """
    room = workbench.features
    if on_demand:
        one = room.add_view(
            name, sql=sql, python=python, inputs=inputs, request=_typed(request), outputs=_typed(outputs)
        )
    elif request or outputs:
        raise InvalidInput(
            "--request and --output belong to --on-demand.", hint="A table's columns come from its rows."
        )
    else:
        one = room.add_transform(name, sql=sql, python=python, inputs=inputs, mode=mode)
    if as_json:
        emit_one(_shown(one), as_json)
    elif one.on_demand:
        say(
            f"{one.reference} gives {', '.join(one.outputs)}. Join it like a table, or: mlops features lookup {name} ..."
        )
    else:
        say(f"{one.reference} is registered. Run it: mlops features transform run {name}")


@transform.command("list")
@json_option
@pass_workbench
def list_transforms(workbench: Workbench, as_json: bool) -> None:
    """List transformations, the newest version of each.

    \b
    Example: mlops features transform list
    """
    columns = [("name", "Name"), ("version", "Version"), ("what", "What"), ("how", "How"), ("reads", "Reads")]
    columns += [("gives", "Gives"), ("created_at", "Registered"), ("changed", "File changed")]
    rows = [_shown(one) | {"changed": workbench.features.changed(one.name)} for one in workbench.features.transforms()]
    emit(rows, columns, as_json=as_json, empty="No transformations yet. Register one: mlops features transform add")


@transform.command("show")
@click.argument("name")
@click.option("--code", is_flag=True, help="The text that runs.")
@json_option
@pass_workbench
def show_transform(workbench: Workbench, name: str, code: bool, as_json: bool) -> None:
    """Show the versions of a transformation, and which snapshots each has made.

    \b
    Example: mlops features transform show daily
    """
    room = workbench.features
    versions = room.transform(name.partition("@")[0])
    made = [] if versions[0].on_demand else room.made(versions[0].name)
    if code:
        wanted = name.partition("@")[2]
        found = [one for one in versions if not wanted or str(one.version) == wanted]
        if not found:
            raise InvalidInput(
                f"{versions[0].name} has no version {wanted}.", hint="See: mlops features transform list"
            )
        click.echo(found[0].source or found[0].body)
        return
    rows = [
        _shown(one) | {"made": [f"{m.table}@{m.version}" for m in made if m.transform_version == one.version]}
        for one in versions
    ]
    columns = [("version", "Version"), ("how", "How"), ("reads", "Reads"), ("gives", "Gives"), ("code_hash", "Code")]
    emit(rows, [*columns, ("author", "By"), ("created_at", "Registered"), ("made", "Made")], as_json=as_json)
    if not as_json and room.changed(versions[0].name):
        say("The file was changed since; what was registered runs. Take the change: mlops features transform add ...")


@transform.command("run")
@click.argument("name")
@click.option("--message", "-m", default="", metavar="TEXT", help="Why.")
@json_option
@pass_workbench
def run_transform(workbench: Workbench, name: str, message: str, as_json: bool) -> None:
    """Fill a table by its transformation, as a snapshot that records its version; nothing when nothing changed.

    \b
    Example: mlops features transform run daily
    """
    room = workbench.features
    before = room.get(name).latest_version
    with progress_bar(f"transform {name}") as report:
        snapshot = room.run_transform(name, message=message, progress=report)
    if as_json:
        emit_one(snapshot, as_json)
    elif snapshot.version <= before:
        say(f"{snapshot.reference} was made by the same code from the same snapshots; nothing is new.")
    else:
        say(f"{snapshot.reference} holds {snapshot.rows} rows.")


@transform.command("remove")
@click.argument("name")
@pass_workbench
def remove_transform(workbench: Workbench, name: str) -> None:
    """Forget a transformation; the snapshots it made stay.

    \b
    Example: mlops features transform remove daily
    """
    workbench.features.remove_transform(name)
    say(f"The transformation {name} is removed.")


def _typed(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, sign, kind = pair.partition(":")
        if not sign or not name:
            raise InvalidInput(f"'{pair}' is no NAME:TYPE.", hint="Write base:DOUBLE")
        found[name] = kind
    return found


def _shown(one: Transform) -> dict[str, object]:
    reads = [f"{field.table}:{field.column}" for field in one.fields] or list(one.inputs)
    return {
        "name": one.name,
        "version": one.version,
        "what": "on demand" if one.on_demand else "table",
        "kind": one.kind,
        "how": one.body,
        "reads": reads,
        "request": one.request,
        "gives": list(one.outputs),
        "mode": "" if one.on_demand else one.mode,
        "code_hash": one.code_hash,
        "author": one.author,
        "created_at": one.created_at,
    }
