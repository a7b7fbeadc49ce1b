"""`mlops features check`: run, declare, suggest and look into the checks of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.frames import read_checks
from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, progress_bar, say

if TYPE_CHECKING:
    from mlops_tui.domains.features.check_records import Check
    from mlops_tui.workbench import Workbench

_COLUMNS = [("name", "Name"), ("severity", "Severity"), ("label", "Check"), ("tolerate", "Tolerated")]


@click.command("check")
@click.argument("ref")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    help="Run the [[checks]] of this TOML file instead of the table's.",
)
@click.option("--add", "added", multiple=True, metavar="CHECK", help="Declare a check: 'range column=temp low=-30'.")
@click.option("--drop", "dropped", metavar="NAME", help="Declare a check no more.")
@click.option("--list", "listed", is_flag=True, help="The checks of the table, without running them.")
@click.option("--suggest", is_flag=True, help="Checks that hold for this snapshot.")
@click.option("--save", is_flag=True, help="With --suggest: declare them.")
@click.option("--failing", metavar="NAME", help="Rows that fail this check.")
@click.option("--limit", default=20, show_default=True, help="With --failing: how many rows.")
@click.option("--history", is_flag=True, help="What came of the checks of each version.")
@click.option("--import-pandera", "imported", metavar="FILE", help="Declare what FILE.py:SCHEMA or FILE.yaml says.")
@click.option("--export-pandera", "exported", is_flag=True, help="Print the checks as Python of a pandera schema.")
@json_option
@pass_workbench
def check(
    workbench: Workbench,
    ref: str,
    file: Path | None,
    added: tuple[str, ...],
    dropped: str | None,
    listed: bool,
    suggest: bool,
    save: bool,
    failing: str | None,
    limit: int,
    history: bool,
    imported: str | None,
    exported: bool,
    as_json: bool,
) -> None:
    """Run data checks on a snapshot; exit code 1 when one of severity error fails.

    Declared checks are kept in checks/TABLE.toml in the project folder.

    \b
    Example: mlops features check orders --add 'range column=total low=0 severity=warn'
    """
    room, name = workbench.features, ref.partition("@")[0]
    if added or dropped:
        if dropped:
            room.drop_check(name, dropped)
        fresh = room.add_checks(name, added) if added else []
        _told(fresh, as_json)
        say(f"{room.checks_file(name)} is written. Run them: mlops features check {name}")
    elif imported:
        _import(workbench, name, imported, as_json)
    elif exported:
        click.echo(room.export_pandera(ref), nl=False)
    elif suggest:
        found = room.suggest_checks(ref)
        _told(room.add_checks(name, found) if save else found, as_json)
        say(
            f"Declared in {room.checks_file(name)}."
            if save
            else f"Keep them: mlops features check {ref} --suggest --save"
        )
    elif listed:
        _told(room.checks(name), as_json)
    elif failing:
        rows = room.failing(ref, failing, limit=limit)
        emit(rows, [(key, key) for key in (rows[0] if rows else ())], as_json=as_json, empty="No row fails it.")
    elif history:
        _history(workbench, name, as_json)
    else:
        _run(workbench, ref, file, as_json)


def _import(workbench: Workbench, name: str, place: str, as_json: bool) -> None:
    fresh, left = workbench.features.import_pandera(name, place)
    _told(fresh, as_json)
    for one in left:
        say(f"Left out, there is no such check here: {one}")
    say(f"{len(fresh)} checks are declared. Run them: mlops features check {name}")


def _told(checks: list[Check], as_json: bool) -> None:
    if as_json:
        emit([check.to_dict() for check in checks], [], as_json=True)
    else:
        emit(checks, _COLUMNS, empty="No new check.")


def _history(workbench: Workbench, name: str, as_json: bool) -> None:
    reports = workbench.features.check_history(name)
    if as_json:
        emit(reports, [], as_json=True)
        return
    rows = [
        {"version": r.version, "at": r.at, "verdict": r.verdict, "rows": r.rows, "failed": [x.check for x in r.failed]}
        for r in reports
    ]
    columns = [("version", "Version"), ("at", "At"), ("verdict", "Verdict"), ("rows", "Rows"), ("failed", "Failed")]
    emit(rows, columns, empty=f"No version was checked yet: mlops features check {name}")


def _run(workbench: Workbench, ref: str, file: Path | None, as_json: bool) -> None:
    with progress_bar("check") as report_progress:
        report_progress(0, None, ref)
        report = workbench.features.check(ref, read_checks(file) if file else None)
    if as_json:
        emit_one(report, as_json)
    else:
        columns = [("name", "Name"), ("check", "Check"), ("severity", "Severity"), ("ok", "Holds"), ("detail", "Found")]
        emit(report.results, columns, empty="No checks.")
        say(f"{report.table}@{report.version}: {report.verdict}")
        shown = sorted((result for result in report.failed if result.sample), key=lambda one: one.severity != "error")
        if shown and file is None:
            say(f"Rows that fail: mlops features check {ref} --failing {shown[0].name}")
    if report.verdict == "fail":
        raise click.exceptions.Exit(1)
