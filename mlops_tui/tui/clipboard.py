"""Copying that works where the user sits: tmux drops OSC 52 by default, terminals limit it, a file always works."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from mlops_tui.core.errors import Unavailable

OSC52_BYTES = 74_994
"""The most an OSC 52 sequence carries: xterm and others stop at 100,000 characters of base64 and frame."""
_WAIT_S = 5


def way(size: int, env: Mapping[str, str], setting: str = "") -> str:
    """How text of `size` bytes is copied: "tmux", "osc52", "file", or the command line in `setting`."""
    if setting:
        return setting
    if env.get("TMUX") and shutil.which("tmux", path=env.get("PATH")):
        return "tmux"
    return "osc52" if size <= OSC52_BYTES else "file"


def copy(text: str, *, env: Mapping[str, str], setting: str, write: Callable[[str], object]) -> str:
    """Copy, and say in one sentence what was done. `write` sends a sequence to the terminal.

    May take seconds (a tmux server, a command): call it from a worker. When tmux or the command refuses, the text goes
    into a file. Raises Unavailable when not even a file can be written, or OSC 52 was demanded for too much text.
    """
    data = text.encode("utf-8", "replace")
    chosen = way(len(data), env, setting)
    if chosen == "osc52":
        if len(data) > OSC52_BYTES:
            raise Unavailable(
                f"{len(data):,} bytes are more than a terminal takes ({OSC52_BYTES:,}).",
                hint="Unset MLOPS_CLIPBOARD to have them written to a file.",
            )
        write(f"\x1b]52;c;{base64.b64encode(data).decode()}\x07")
        return f"Copied {short(text)}"
    if chosen == "file":
        return f"Too much for the clipboard: written to {_to_file(data)}" if not setting else f"In {_to_file(data)}"
    command = ["tmux", "load-buffer", "-w", "-"] if chosen == "tmux" else shlex.split(chosen)
    try:
        # A clipboard program may live on to serve the text, so nothing of its output is waited for.
        subprocess.run(command, input=data, check=True, timeout=_WAIT_S, env=dict(env), stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return f"{command[0]} did not take it: written to {_to_file(data)}"
    return f"Copied {short(text)}"


def short(text: str, length: int = 60) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[:length]}… ({len(text):,} characters)"


def _to_file(data: bytes) -> Path:
    """A new file that only this user can read."""
    try:
        handle, name = tempfile.mkstemp(prefix="mlops-copy-", suffix=".txt")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Unavailable(f"Nothing took the text, and no file could be written: {error}.") from error
    return Path(name)
