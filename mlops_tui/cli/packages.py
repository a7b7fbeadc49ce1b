"""`mlops pipelines test, package, packages, deploy, history, rollback`: pipelines as tested, immutable packages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.attending import Attending
from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say
from mlops_tui.core import clock
from mlops_tui.domains.pipelines.records import Environment

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.records import Package, Placement, TestReport
    from mlops_tui.workbench import Workbench

ENVIRONMENTS = [one.value for one in Environment]
_COLUMNS = [("at", "At"), ("version", "Version"), ("environment", "Where"), ("action", "Action"), ("state", "State")]
source_option = click.option(
    "--source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="A folder with pipelines/NAME.toml and its code, such as a checkout of a branch.",
)


@click.command()
@click.argument("name")
@click.option(
    "--rows", default=2000, show_default=True, type=click.IntRange(1), help="At most so many rows of the data."
)
@source_option
@json_option
@pass_workbench
def test(workbench: Workbench, name: str, rows: int, source: Path | None, as_json: bool) -> None:
    """Test a pipeline on a sample: each step, each once more alone, contracts, its own tests. Exit code 1 when one fails.

    With the path of a pipeline file only the file is checked, and all its mistakes are listed.

    \b
    Example: mlops pipelines test churn
    """
    if name.endswith(".toml"):
        _check_file(workbench, Path(name))
        return
    report = workbench.pipelines.test(name, rows=rows, source=source, told=say)
    emit_one(report, as_json) if as_json else _show_report(report)
    if not report.passed:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("name")
@click.option("--why", default="", help="The reason, kept with the package.")
@source_option
@json_option
@pass_workbench
def package(workbench: Workbench, name: str, why: str, source: Path | None, as_json: bool) -> None:
    """Make an immutable, hashed package of a pipeline: definition, code, tests, lock and report. Tested first.

    \b
    Example: mlops pipelines package churn --why "weather comes by the hour now"
    """
    made = workbench.pipelines.package(name, why, source=source, told=say)
    if as_json:
        emit_one(made, as_json)
        return
    click.echo(f"{made.ref}  {made.sha}")
    say(f"{len(made.files)} files, {len(made.lock)} locked dependencies, {len(made.report.checks)} checks passed.")
    say(f"Put it to work: mlops pipelines deploy {made.ref} --to staging")


@click.group()
def packages() -> None:
    """Packages of pipelines: what there is, and what is in one.

    \b
    Example: mlops pipelines packages list churn
    """


@packages.command("list")
@click.argument("name", required=False)
@json_option
@pass_workbench
def list_(workbench: Workbench, name: str | None, as_json: bool) -> None:
    """List the packages of a pipeline, or of all, newest first, and where each is live.

    \b
    Example: mlops pipelines packages list churn
    """
    live: dict[str, list[str]] = {}
    for one in workbench.pipelines.placements(name, 1000):
        if one.state == "active":
            live.setdefault(f"{one.pipeline}@{one.version}", []).append(one.environment)
    rows = [_row(one, live.get(one.ref, [])) for one in workbench.pipelines.packages(name)]
    columns = [("ref", "Package"), ("sha", "Hash"), ("checks", "Checks"), ("commit", "Commit"), ("live", "Live in")]
    columns += [("created_at", "Made"), ("created_by", "By"), ("why", "Why")]
    shown = rows if as_json else [{**row, "sha": row["sha"][:12], "commit": row["commit"][:8]} for row in rows]
    empty = "No packages yet. Make one: mlops pipelines package NAME"
    emit(
        [{**row, "live": ", ".join(row["live"])} for row in shown] if not as_json else rows,
        columns,
        as_json=as_json,
        empty=empty,
    )


@packages.command("show")
@click.argument("ref")
@click.option("--lock", "as_lock", is_flag=True, help="Only its dependencies, as a requirements file.")
@click.option("--definition", "as_definition", is_flag=True, help="Only its definition.")
@json_option
@pass_workbench
def show(workbench: Workbench, ref: str, as_lock: bool, as_definition: bool, as_json: bool) -> None:
    """Show a package: hash, files, dependencies and the report of its test. REF is NAME@VERSION, or NAME for the newest.

    \b
    Example: mlops pipelines packages show churn@2
    """
    found = workbench.pipelines.package_of(ref)
    if as_lock:
        for name, version in found.lock.items():
            click.echo(f"# python {version}" if name == "python" else f"{name}=={version}")
        return
    if as_definition:
        click.echo(found.definition, nl=False)
        return
    if as_json:
        emit_one(found, as_json)
        return
    facts = {
        "hash": found.sha,
        "commit": found.commit,
        "created_at": found.created_at,
        "by": found.created_by,
        "why": found.why,
    }
    emit_one({**facts, "dependencies": len(found.lock)}, title=found.ref)
    click.echo()
    files = [{"path": path, "sha": sha[:12]} for path, sha in found.files.items()]
    emit(files, [("path", "File"), ("sha", "Hash")], empty="It has no code of its own.")
    click.echo()
    _show_report(found.report)


@click.command()
@click.argument("ref")
@click.option("--to", required=True, type=click.Choice(ENVIRONMENTS), help="Where it runs from now on.")
@click.option("--why", default="", help="The reason, kept with the placement.")
@click.option("--wait", is_flag=True, help="Return when its run there has ended. Exit code 1 when a step of it failed.")
@json_option
@pass_workbench
def deploy(workbench: Workbench, ref: str, to: str, why: str, wait: bool, as_json: bool) -> None:
    """Put a package into staging or production: hash and dependencies are checked, it runs there, its triggers go live.

    \b
    Example: mlops pipelines deploy churn@2 --to staging --wait
    """
    placed = workbench.pipelines.deploy(ref, to, why)
    assert placed.job_id is not None
    attending = Attending(workbench, workbench.jobs.get(placed.job_id))
    if wait:
        attending.watch()
        workbench.pipelines.get_run(placed.run_id)
    else:
        attending.leave()
    placed = next(one for one in workbench.pipelines.placements(placed.pipeline) if one.id == placed.id)
    emit_one(placed, as_json) if as_json else _show_placement(placed)
    if wait and placed.state == "failed":
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("name", required=False)
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1))
@json_option
@pass_workbench
def history(workbench: Workbench, name: str | None, limit: int, as_json: bool) -> None:
    """List which package was put where, by whom and why, newest first.

    \b
    Example: mlops pipelines history churn
    """
    columns = [("pipeline", "Pipeline"), *_COLUMNS, ("run_id", "Run"), ("actor", "By"), ("why", "Why")]
    empty = "Nothing was deployed yet: mlops pipelines deploy NAME@1 --to staging"
    emit(workbench.pipelines.placements(name, limit), columns, as_json=as_json, empty=empty)


@click.command()
@click.argument("name")
@click.option("--to", "where", default="production", show_default=True, type=click.Choice(ENVIRONMENTS))
@click.option("--why", default="", help="The reason, kept with the placement.")
@json_option
@pass_workbench
def rollback(workbench: Workbench, name: str, where: str, why: str, as_json: bool) -> None:
    """Make the package live again that was so before, at once.

    \b
    Example: mlops pipelines rollback churn --to production --why "the new step is slow"
    """
    placed = workbench.pipelines.rollback(name, where, why)
    emit_one(placed, as_json) if as_json else _show_placement(placed)


COMMANDS = (test, package, packages, deploy, history, rollback)


def _check_file(workbench: Workbench, path: Path) -> None:
    problems = workbench.pipelines.validate(path)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise click.exceptions.Exit(1)
    say(f"{path} is right.")


def _show_report(report: TestReport) -> None:
    rows = [
        {"kind": one.kind, "subject": one.subject, "passed": one.passed, "detail": one.detail} for one in report.checks
    ]
    emit(rows, [("kind", "Looked at"), ("subject", "Of"), ("passed", "Passed"), ("detail", "Detail")])
    failed = sum(not one.passed for one in report.checks)
    word = "passed" if report.passed else f"{failed} failed"
    say(f"{len(report.checks)} checks on {report.rows:,} rows in {clock.duration(report.took_ms)}: {word}.")


def _show_placement(placed: Placement) -> None:
    click.echo(f"{placed.pipeline}@{placed.version}  {placed.environment}  {placed.state}")
    if placed.state == "running":
        say(f"It is live when its run has ended well: mlops pipelines show {placed.run_id[:8]}")
    elif placed.state == "failed":
        say(f"What was live stays. Why: mlops pipelines show {placed.run_id[:8]}")


def _row(one: Package, live: list[str]) -> dict[str, Any]:
    return {
        "ref": one.ref,
        "sha": one.sha,
        "checks": len(one.report.checks),
        "commit": one.commit,
        "live": live,
        "created_at": one.created_at,
        "created_by": one.created_by,
        "why": one.why,
    }
