"""`mlops models`: versions, aliases, stages, promotion and rollback."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import engines, governance
from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say, why_option
from mlops_tui.cli.querying import NO_MATCH, query_options

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.workbench import Workbench

VERSION_COLUMNS = [
    ("version", "Version"),
    ("stage", "Stage"),
    ("aliases", "Aliases"),
    ("metrics", "Metrics"),
    ("created_at", "Created"),
    ("created_by", "By"),
]


@click.group()
def models() -> None:
    """Model versions, aliases, stages, promotion and rollback.

    \b
    Example: mlops models list
    """


models.add_command(engines.engine)
models.add_command(engines.import_)
models.add_command(governance.require)
models.add_command(governance.ask)
models.add_command(governance.approve)
models.add_command(governance.refuse)
models.add_command(governance.withdraw)
models.add_command(governance.requests)
models.add_command(governance.note)
models.add_command(governance.describe)
models.add_command(governance.card)
models.add_command(governance.health)
models.add_command(governance.health, "check")
models.add_command(governance.retire)
models.add_command(governance.tag)
models.add_command(governance.search)


@models.command("list")
@json_option
@pass_workbench
@query_options("models")
def list_(workbench: Workbench, as_json: bool, query: str) -> None:
    """List models with their newest and their production version, all or those that meet a query.

    \b
    Example: mlops models list 'alias:champion updated>7d'
    """
    columns = [
        ("name", "Name"),
        ("versions", "Versions"),
        ("latest_version", "Newest"),
        ("production", "Production"),
        ("aliases", "Aliases"),
        ("updated_at", "Updated"),
    ]
    empty = (
        "No models yet. A pipeline makes one: mlops pipelines new NAME, or a script: run.log_model(..., register=NAME)"
    )
    emit(workbench.registry.models(query), columns, as_json=as_json, empty=NO_MATCH if query else empty)


@models.command()
@click.argument("ref")
@json_option
@pass_workbench
def show(workbench: Workbench, ref: str, as_json: bool) -> None:
    """Show a model with its versions (NAME), or one version with its lineage (NAME/3, NAME@champion).

    \b
    Example: mlops models show churn@champion
    """
    if "/" in ref or "@" in ref:
        _show_version(workbench, ref, as_json)
    else:
        _show_model(workbench, ref, as_json)


def _show_model(workbench: Workbench, name: str, as_json: bool) -> None:
    model, versions = workbench.registry.model(name), workbench.registry.versions(name)
    moves = workbench.registry.promotions(name)
    if as_json:
        emit_one({**_fields(model), "all_versions": versions, "promotions": moves}, as_json)
        return
    emit_one(model, title=name)
    click.echo()
    emit(versions, VERSION_COLUMNS, empty="No versions.")
    if moves:
        click.echo()
        columns = [("at", "At"), ("verb", "What"), ("alias", "Alias"), ("from_version", "From"), ("to_version", "To")]
        emit(moves[:10], [*columns, ("by", "By"), ("why", "Why")])


def _show_version(workbench: Workbench, ref: str, as_json: bool) -> None:
    version = workbench.registry.version(ref)
    lineage, lost = workbench.registry.lineage(version.ref), workbench.registry.lost(version)
    if as_json:
        choice = None if lost else workbench.registry.engine(version.ref)
        emit_one(
            {
                **_fields(version),
                "engine": dataclasses.asdict(choice) if choice else None,
                "lineage": lineage,
                "lost": lost,
            },
            as_json,
        )
        return
    emit_one(_summary(version), title=version.ref)
    click.echo()
    emit(version.signature.get("inputs", []), [("name", "Input"), ("type", "Type")], empty="No inputs.")
    click.echo()
    columns = [("kind", "Came from"), ("name", "Name"), ("detail", "Detail"), ("at", "At")]
    emit(lineage, columns, empty="Where it came from was not recorded.")
    click.echo()
    if lost:
        say(lost)
    else:
        engines.tell(workbench.registry.engine(version.ref))


@models.command()
@click.argument("model")
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--run", "run_id", default="", metavar="RUN", help="Register what this experiment run logged.")
@click.option("--artifact", default="model", show_default=True, help="The name it was logged under.")
@click.option("--snapshot", "snapshots", multiple=True, metavar="TABLE@N", help="A feature snapshot behind it.")
@click.option("--description", default="", help="What is special about this version.")
@json_option
@pass_workbench
def register(
    workbench: Workbench,
    model: str,
    folder: Path | None,
    run_id: str,
    artifact: str,
    snapshots: tuple[str, ...],
    description: str,
    as_json: bool,
) -> None:
    """Register a model package, from a run or from a folder, as the next version of MODEL.

    \b
    Example: mlops models register churn --run 3fa9
    """
    if (folder is None) == (not run_id):
        raise click.UsageError("Give either a package FOLDER or --run RUN.")
    if folder is None:
        workbench.experiments.take_in()
        version = workbench.registry.register_run(model, run_id, artifact=artifact, description=description)
    else:
        version = workbench.registry.register(model, folder, snapshots=snapshots, description=description)
    _said(version, as_json, f"Registered {version.ref}.")


@models.command()
@click.argument("model")
@click.argument("alias")
@click.argument("version", type=int, required=False)
@click.option("--remove", is_flag=True, help="Take the alias away.")
@why_option
@json_option
@pass_workbench
def alias(
    workbench: Workbench, model: str, alias: str, version: int | None, remove: bool, why: str, as_json: bool
) -> None:
    """Point an alias of MODEL at a version.

    \b
    Example: mlops models alias churn challenger 4
    """
    if remove == (version is not None):
        raise click.UsageError("Give either a VERSION or --remove.")
    if remove:
        workbench.registry.remove_alias(model, alias, why)
        say(f"Removed {model}@{alias}.")
        return
    assert version is not None
    _said(workbench.registry.set_alias(model, alias, version, why), as_json, f"{model}@{alias} is version {version}.")


@models.command()
@click.argument("ref")
@click.option("--to", default="production", show_default=True, help="production, staging, archived, or an alias.")
@why_option
@json_option
@pass_workbench
def promote(workbench: Workbench, ref: str, to: str, why: str, as_json: bool) -> None:
    """Promote a version; production moves the alias champion and archives the version before it.

    \b
    Example: mlops models promote churn/4 --why "better on new customers"
    """
    version = workbench.registry.promote(ref, to, why)
    _said(
        version,
        as_json,
        f"{version.ref} is {version.stage}" + (f" ({', '.join(version.aliases)})." if version.aliases else "."),
    )


@models.command()
@click.argument("model")
@click.option("--alias", default="champion", show_default=True, help="The alias to take back.")
@why_option
@json_option
@pass_workbench
def rollback(workbench: Workbench, model: str, alias: str, why: str, as_json: bool) -> None:
    """Return an alias to the version it named before.

    \b
    Example: mlops models rollback churn --why "errors doubled"
    """
    version = workbench.registry.rollback(model, alias, why)
    _said(version, as_json, f"{model}@{alias} is version {version.version} again.")


@models.command()
@click.argument("left")
@click.argument("right")
@json_option
@pass_workbench
def diff(workbench: Workbench, left: str, right: str, as_json: bool) -> None:
    """Show what differs between two versions: metrics, parameters, inputs, data, origin, size, environment.

    \b
    Example: mlops models diff churn/3 churn@champion
    """
    found = workbench.registry.diff(left, right)
    if as_json:
        emit_one({"left": found.left, "right": found.right, "items": found.items, "caution": found.caution}, as_json)
        return
    columns = [("section", "What"), ("key", "Name"), ("left", found.left), ("right", found.right), ("delta", "Change")]
    emit(found.items, columns, empty=f"{found.left} and {found.right} do not differ.")
    if found.caution:
        runs = [str(item.right) for item in found.items if item.key == "pipeline run" and item.right]
        say(f"{found.caution} See: mlops pipelines gate {runs[0]}" if runs else found.caution)


@models.command()
@click.argument("ref")
@click.option(
    "--format", "kind", type=click.Choice(["container", "mlflow", "mlserver", "onnx"]), required=True, help="For whom."
)
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="The new folder; default MODEL-VERSION-FORMAT here."
)
@json_option
@pass_workbench
def export(workbench: Workbench, ref: str, kind: str, target: Path | None, as_json: bool) -> None:
    """Write a version for another program into a new folder, with the hash of every file.

    \b
    Example: mlops models export churn@champion --format container --to churn-box
    """
    version = workbench.registry.version(ref)
    found = workbench.registry.export(version.ref, target or Path(f"{version.model}-{version.version}-{kind}"), kind)
    if as_json:
        emit_one(found, as_json)
    else:
        click.echo(found.words)


@models.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def verify(folder: Path) -> None:
    """Check that an export is as it was written, file by file; exit code 1 if not.

    \b
    Example: mlops models verify churn-box
    """
    from mlops_tui.domains.registry.exports.writing import verify as check

    problems = check(folder)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise click.exceptions.Exit(1)
    say(f"{folder}: every file is as it was written.")


def _said(version: Version, as_json: bool, sentence: str) -> None:
    if as_json:
        emit_one(version, as_json)
    else:
        click.echo(sentence)


def _summary(version: Version) -> dict[str, Any]:
    names = ("stage", "aliases", "task", "metrics", "run_id", "snapshots", "pipeline", "pipeline_run", "git_commit")
    more = ("description", "tags", "sha", "size", "created_at", "created_by")
    python = version.environment.get("python", "")
    libraries = version.environment.get("libraries", {})
    return {
        **{name: getattr(version, name) for name in names + more},
        "environment": {"python": python, **libraries},
    }


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
