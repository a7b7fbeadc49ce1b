"""Servers in the foreground: inference and MLflow tracking."""

from __future__ import annotations

import click

from mlops_tui.cli.output import Session, say


@click.group()
def serve() -> None:
    """Run a server in the foreground.

    \b
    Example: mlops serve inference --port 8080
    """


@serve.command()
@click.option("--host", help="Address to listen on; only this machine's own are allowed. Default from settings.toml.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for any free one. Default from settings.toml.")
@click.pass_obj
def inference(session: Session, host: str | None, port: int | None) -> None:
    """Answer HTTP for all deployments until Ctrl-C; the daemon does the same in the background.

    \b
    Example: mlops serve inference
    """
    from mlops_tui.web.inference import serve as run  # uvicorn and the loop are for this command only

    run(
        session.workbench.workspace,
        host=host,
        port=port,
        started=lambda url: say(f"Serving on {url} (Ctrl-C stops it)."),
    )


@serve.command()
@click.option("--host", help="Address to listen on; only this machine's own are allowed. Default from settings.toml.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for any free one. Default from settings.toml.")
@click.pass_obj
def tracking(session: Session, host: str | None, port: int | None) -> None:
    """Answer MLflow clients until Ctrl-C: their runs, artifacts and models are kept in this workspace.

    \b
    Example: mlops serve tracking --port 5000
    """
    from mlops_tui.web.tracking import serve as run  # uvicorn and the loop are for this command only

    run(
        session.workbench.workspace,
        host=host,
        port=port,
        started=lambda url: say(f"Tracking on {url} (Ctrl-C stops it). Clients: export MLFLOW_TRACKING_URI={url}"),
    )
