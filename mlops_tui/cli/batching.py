"""`mlops batch`: predictions for a whole file or feature table."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mlops_tui.cli.output import emit_one, json_option, pass_workbench, progress_bar, why_option
from mlops_tui.core.errors import InvalidInput
from mlops_tui.workbench import Workbench

_POLL_S = 0.1


@click.command()
@click.argument("ref")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), help="The Parquet file to write.")
@click.option("--into", default="", metavar="TABLE", help="The feature table to append to.")
@click.option("--rows", default=20_000, show_default=True, type=click.IntRange(min=1), help="Rows of a partition.")
@why_option
@json_option
@pass_workbench
def batch(
    workbench: Workbench, ref: str, source: str, out: Path | None, into: str, rows: int, why: str, as_json: bool
) -> None:
    """Predict every row of SOURCE, a .csv or .parquet file or a table (NAME@N), with the model version REF.

    Runs as a job, partition by partition: when it was killed, the same command goes on where it was.

    \b
    Example: mlops batch churn@champion customers@latest --out churn.parquet
    """
    if (out is None) == (not into):
        raise click.UsageError("Give either --out FILE or --into TABLE.")
    version = workbench.registry.version(ref)
    if into:
        workbench.features.get(into)
    where = str(Path(source).resolve()) if Path(source).suffix.lower() in {".csv", ".parquet"} else source
    spec = {
        "ref": version.ref,
        "source": where,
        "out": str(out.resolve()) if out else "",
        "into": into,
        "rows": rows,
        "why": why,
    }
    alive = workbench.daemon_alive()  # which starts it, and once more after a kill; without one this command does
    title = f"{version.ref} over {source}"
    job = workbench.jobs.submit("batch", title, spec, name=version.model, retries=int(alive))
    if not alive:
        job = workbench.jobs.run_here(job)
    with progress_bar("Predicting") as bar:
        while workbench.jobs.get(job.id).state.pending:
            progress = workbench.jobs.get(job.id).progress
            if progress is not None:
                bar(progress.done, progress.total, progress.note)
            time.sleep(_POLL_S)
            if not workbench.daemon_alive():
                workbench.jobs.recover()
    done = workbench.jobs.get(job.id)
    if done.state != "succeeded":
        raise InvalidInput(
            f"The batch {done.state}: {done.error or 'its process was ended'}",
            hint="The same command goes on where it was.",
        )
    emit_one(done.result or {}, as_json)
