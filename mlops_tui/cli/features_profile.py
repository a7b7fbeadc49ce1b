"""`mlops features profile` and `diff`: what is in a snapshot, and how two of them differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, human_bytes, json_option, pass_workbench, progress_bar, say
from mlops_tui.core.errors import NotFound
from mlops_tui.core.ids import did_you_mean

if TYPE_CHECKING:
    from mlops_tui.domains.features.profile_records import ColumnProfile, Profile
    from mlops_tui.workbench import Workbench

_BARS = "▁▂▃▄▅▆▇█"


@click.command("profile")
@click.argument("ref")
@click.option("--column", "-c", metavar="COLUMN", help="Everything about one column.")
@click.option("--target", metavar="COLUMN", help="Look for columns that give this one away.")
@click.option("--since", type=int, metavar="VERSION", help="Look for columns that drifted since this version.")
@click.option("--sample", "quick", is_flag=True, help="Settle for about 100,000 rows of a large table.")
@json_option
@pass_workbench
def profile(
    workbench: Workbench,
    ref: str,
    column: str | None,
    target: str | None,
    since: int | None,
    quick: bool,
    as_json: bool,
) -> None:
    """Show what is in a snapshot: missing, distinct, quantiles, histograms, top values, warnings, correlations.

    \b
    Example: mlops features profile orders@3 --target total
    """
    with progress_bar("profile") as report:
        report(0, None, ref)
        found = workbench.features.profile(ref, quick=quick, target=target, since=since)
    if column is not None:
        emit_one(_detail(found, column), as_json, title=column)
    elif as_json:
        emit_one(found, as_json)
    else:
        _print(found)


@click.command("diff")
@click.argument("left")
@click.argument("right")
@click.option("--all", "everything", is_flag=True, help="Also columns in which nothing moved.")
@json_option
@pass_workbench
def diff(workbench: Workbench, left: str, right: str, everything: bool, as_json: bool) -> None:
    """Compare two snapshots of a table: rows, columns, and how far each distribution moved (PSI, KS).

    \b
    Example: mlops features diff orders@1 orders@2
    """
    with progress_bar("diff") as report:
        report(0, None, f"{left} with {right}")
        found = workbench.features.diff(left, right)
    if as_json:
        emit_one(found, as_json)
        return
    click.echo(f"rows   {found.rows_left:,} -> {found.rows_right:,} ({found.rows_right - found.rows_left:+,})")
    click.echo(f"bytes  {human_bytes(found.bytes_left)} -> {human_bytes(found.bytes_right)}")
    for change in found.schema_changes:
        click.echo(f"column {change}")
    moved = [one for one in found.columns if everything or one.change or (one.psi or 0) > 0 or (one.ks or 0) > 0]
    names = ["column", "change", "missing_left", "missing_right", "mean_left", "mean_right", "psi", "ks", "drifted"]
    heads = ["Column", "Change", "Missing", "then", "Mean", "then", "PSI", "KS", "Drifted"]
    click.echo()
    emit(moved, list(zip(names, heads, strict=True)), empty="No distribution moved.")
    say(f"{len(found.drifted)} of {len(found.columns)} columns drifted (PSI 0.2 or more).")


def _print(found: Profile) -> None:
    cells = found.rows * len(found.columns)
    how = "exact" if found.exact else f"from a sample of {found.sampled:,} rows"
    click.echo(
        f"{found.table}@{found.version}  {found.rows:,} rows, {len(found.columns)} columns,"
        f" {found.missing_cells / max(found.sampled * len(found.columns), 1):.1%} of {cells:,} cells missing ({how})"
    )
    columns = [("name", "Column"), ("type", "Type"), ("missing", "Missing"), ("distinct", "Distinct"), ("min", "Min")]
    columns += [("middle", "Median"), ("max", "Max"), ("shape", "Shape"), ("warnings", "Warnings")]
    click.echo()
    emit([_line(column) for column in found.columns], columns)
    if found.correlations:
        click.echo()
        pairs = [{"left": a, "right": b, "r": r} for a, b, r in found.correlations[:5]]
        emit(pairs, [("left", "Column"), ("right", "goes with"), ("r", "Correlation")])
    patterns = [(names, rows) for names, rows in found.missing_patterns if names]
    if patterns:
        click.echo()
        emit([{"names": n, "rows": r} for n, r in patterns], [("names", "Missing together"), ("rows", "Rows")])


def _line(column: ColumnProfile) -> dict[str, Any]:
    numeric = column.type in ("BIGINT", "DOUBLE", "TIMESTAMPTZ")
    top = f"{column.top[0][0]} ({column.top[0][1]})" if column.top else ""
    return {
        "name": column.name,
        "type": column.type,
        "missing": f"{column.missing_share:.1%}",
        "distinct": column.distinct,
        "min": _short(column.min) if numeric else "",
        "middle": _short(column.quantile(0.5)) if numeric else top,
        "max": _short(column.max) if numeric else "",
        "shape": sparkline(column.counts or tuple(count for _, count in column.top)),
        "warnings": "; ".join(column.warnings),
    }


def sparkline(counts: tuple[int, ...]) -> str:
    """Counts as bars of eight heights; empty for none."""
    most = max(counts, default=0)
    return "".join(_BARS[min(7, count * 8 // most)] if count else " " for count in counts) if most else ""


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value)[:19] if value is not None else ""


def _detail(found: Profile, name: str) -> dict[str, Any]:
    column = found.column(name)
    if column is None:
        known = [one.name for one in found.columns]
        raise NotFound(
            f"Table '{found.table}' has no column '{name}'.", hint=did_you_mean(name, known, f"It has: {known}.")
        )
    fields = ["type", "rows", "missing", "distinct", "distinct_exact", "infinite", "zeros", "negatives", "min", "max"]
    fields += ["mean", "std", "skew", "length_min", "length_mean", "length_max", "warnings"]
    quantiles = {f"p{share * 100:g}": value for share, value in column.quantiles}
    top = {str(value): count for value, count in column.top}
    bins = {
        f"{low:g} to {high:g}": n for low, high, n in zip(column.edges, column.edges[1:], column.counts, strict=False)
    }
    return {name: getattr(column, name) for name in fields} | {"quantiles": quantiles, "top": top, "histogram": bins}
