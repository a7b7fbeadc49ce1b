"""`mlops features skew`: whether what was served is what training would see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, progress_bar, say
from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.domains.features.derived_records import SkewReport
    from mlops_tui.workbench import Workbench


@click.command("skew")
@click.argument("name")
@click.option("--since", metavar="SPAN", help="Only what was served in this last while, as in 1d.")
@click.option("--tolerate", default=0.0, metavar="SHARE", help="The share of differing values a column may have.")
@click.option("--difference", default=1e-6, metavar="SHARE", help="How far two numbers may be apart, as a share.")
@click.option("--log", "share", type=float, metavar="SHARE", help="From now on log this share of the lookups (0.01).")
@click.option(
    "--features", "refs", multiple=True, metavar="REF", help="Of a deployment: where inputs come from, as in t:a,b."
)
@click.option("--entities", metavar="FILE|TABLE", help="Of a deployment: prediction_id (or request_id) and the keys.")
@click.option("--job", "as_job", is_flag=True, help="Run it as a job; an alert tells when it fails.")
@json_option
@pass_workbench
def skew(
    workbench: Workbench,
    name: str,
    since: str | None,
    tolerate: float,
    difference: float,
    share: float | None,
    refs: tuple[str, ...],
    entities: str | None,
    as_job: bool,
    as_json: bool,
) -> None:
    """Compare what was served with the offline join at the same moments.

    NAME is a table or on-demand transformation, of which logged lookups are compared, or deployment:NAME, of which the inputs
    in the prediction log are. Exit code 1 when a column differs in more than the tolerated share.

    \b
    Example: mlops features skew orders --since 1d
             mlops features skew deployment:churn
    """
    if share is not None:
        workbench.features.log_lookups(name, share)
        say(f"{share:g} of the lookups of {name} are logged from now on.")
        return
    spec: dict[str, Any] = {"name": name, "since": since, "tolerate": tolerate, "difference": difference}
    if refs:
        spec["features"] = list(refs)
    if entities is not None:
        spec["entities"] = str(Path(entities).resolve()) if Path(entities).suffix else entities
    if as_job:
        job = workbench.jobs.submit("skew", f"skew of {name}", spec, name=name)
        if not workbench.daemon_alive():
            job = workbench.jobs.run_here(job)
        say(f"Job {job.id} compares. See: mlops jobs show {job.id}")
        return
    with progress_bar(f"skew {name}") as report:
        report(0, None, "")
        found = workbench.skew(**spec)
    if as_json:
        emit_one(found, as_json)
    else:
        _tell(found)
    if found.verdict == "fail":
        raise click.exceptions.Exit(1)


def _tell(found: SkewReport) -> None:
    if found.verdict == "empty":
        _tell_nothing(found.table)
        return
    columns = [("column", "Column"), ("compared", "Compared"), ("differing", "Differ"), ("share", "Share")]
    emit(found.columns, [*columns, ("largest", "Largest difference")])
    for one in found.columns:
        for example in one.examples[:2]:
            at = clock.iso(int(str(example["at"])))
            told = f"served {example['served']}, offline {example['offline']}"
            say(f"{one.column} of {example['row']} at {at}: {told}")
    if found.others:
        say(f"Not compared, as no table has them: {', '.join(found.others)}.")
    if found.left_out:
        say(f"{found.left_out:,} predictions are left out: their entity is not known.")
    share = max(one.share for one in found.columns)
    say(f"{found.vectors} vectors, at most {share:.2%} of a column differ: {found.verdict}.")


def _tell_nothing(name: str) -> None:
    if name.startswith("deployment:"):
        say(f"No answer of {name.partition(':')[2]} has inputs that could be compared.")
    else:
        say(f"No lookup of {name} was logged. Log more of them: mlops features skew {name} --log 0.1")
