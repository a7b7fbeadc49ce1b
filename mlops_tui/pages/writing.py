"""A page into a file, by the ending of its name."""

from __future__ import annotations

import os
from pathlib import Path

from mlops_tui.core.errors import AlreadyExists, InvalidInput, Unavailable
from mlops_tui.pages import html, markdown
from mlops_tui.pages.page import Page

WRITERS = {".md": markdown.write, ".markdown": markdown.write, ".html": html.write, ".htm": html.write}


def check(out: Path, *, replace: bool = False) -> None:
    """Raise InvalidInput for an ending nobody writes or a folder that is not there, AlreadyExists for a file that is."""
    if out.suffix.lower() not in WRITERS:
        raise InvalidInput(f"'{out.name}' ends in neither .md nor .html.", hint="Such as: churn.html")
    if not out.parent.is_dir():
        raise InvalidInput(f"There is no folder {out.parent}.", hint="Make it, or choose another.")
    if out.is_dir():
        raise InvalidInput(f"{out} is a folder.", hint="Name a file in it.")
    if out.exists() and not replace:
        raise AlreadyExists(f"{out} is there already.", hint="Replace it with --force, or choose another name.")


def save(page: Page, out: Path) -> None:
    """Write it whole or not at all. Raises Unavailable when the disk refuses."""
    staged = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        staged.write_text(WRITERS[out.suffix.lower()](page), encoding="utf-8")
        staged.replace(out)
    except OSError as error:
        raise Unavailable(f"{out} could not be written: {error.strerror}.", hint="Check the folder.") from error
    finally:
        staged.unlink(missing_ok=True)
