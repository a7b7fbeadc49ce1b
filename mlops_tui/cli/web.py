"""The terminal application in a browser of this machine."""

from __future__ import annotations

import socket

import click

from mlops_tui.cli.output import Session, say
from mlops_tui.core.errors import Unavailable
from mlops_tui.core.extras import need
from mlops_tui.core.workspace import Workspace


@click.command()
@click.argument("where", default="")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1 (0: any free one).")
@click.option("--read-only", is_flag=True, help="Look only: every action is off.")
@click.pass_obj
def web(session: Session, where: str, port: int, read_only: bool) -> None:
    """Show the terminal application in a browser on this machine, at a secret address that is printed.

    Nobody else can reach it: it listens on 127.0.0.1, and the address holds a random token. From another machine forward
    the port with ssh -L. Needs the extra: pip install 'mlops-tui[web]'.

    \b
    Example: mlops web --read-only
    """
    workspace = Workspace.find(session.workspace)
    need("textual_serve", "web")
    from mlops_tui.tui.browser.server import HOST, Door, command

    line = command(workspace.root, where, read_only=read_only, utc=session.utc)
    door = Door(line, _port(HOST, port))
    say("ctrl+c stops it; the daemon and its jobs go on.")
    try:
        door.run(click.echo)
    except OSError as error:
        raise Unavailable(
            f"Port {port} of {HOST} cannot be used: {error.strerror}.", hint="Take another: --port 0"
        ) from error


def _port(host: str, wanted: int) -> int:
    """The port asked for, or a free one."""
    if wanted:
        return wanted
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
