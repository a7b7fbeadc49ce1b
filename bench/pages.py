"""The commands of pages, run as written and in order, as a reader would who has just run `mlops demo`.

python bench/pages.py [PAGE...] [--project DIR] [--lines 12]

Without DIR a demo is played in a folder of its own first. Prints each command, its exit code, its seconds and the first lines of what
it says, and ends with code 1 when one ended otherwise than it may: with 0, or with 1 where its help says so. Commands within
sentences run too where they have options; what begins with "#", names a placeholder in capitals or needs a GPU does not.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOMS = Path(__file__).parent.parent / "docs" / "rooms"
PAGES = tuple(ROOMS / f"{name}.md" for name in ("monitoring", "alerts", "hardware"))
PATIENCE_S = 600
_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<block>.*?)^```$|`(?P<inline>mlops [^`]+)`", re.MULTILINE | re.DOTALL)
_PLACEHOLDER = re.compile(r"(?<![\w{$/.])[A-Z]{3,}(?![\w}=:])|\.\.\.|gpu\d")


class Line(NamedTuple):
    """One command and whether it stands within a sentence."""

    command: str
    inline: bool


def commands(text: str) -> list[Line]:
    """What a page tells its reader to type, in order."""
    found: list[Line] = []
    for match in _BLOCK.finditer(text):
        if (inline := match["inline"]) is not None:
            one = " ".join(inline.split())
            if " --" in one and not _PLACEHOLDER.search(one):
                found.append(Line(one, True))
        elif not match["language"]:
            found += [Line(line, False) for line in _whole(match["block"]) if not line.startswith("#")]
    return found


def _whole(block: str) -> list[str]:
    """Lines with an open quote or a trailing backslash go on in the next."""
    found, begun = [], ""
    for line in block.splitlines():
        begun = f"{begun}\n{line}" if begun else line
        try:
            shlex.split(begun)
        except ValueError:
            continue
        if begun.strip():
            found.append(begun)
        begun = ""
    return found


def may_say_no(command: str) -> bool:
    """Whether the help of a command says that it ends with code 1 when its answer is no."""
    names = [word for word in command.split("|")[-1].split()[1:4] if word.isalpha()]
    for count in range(len(names), 0, -1):
        told = subprocess.run(["mlops", *names[:count], "--help"], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            return re.search(r"code\s+1", told.stdout) is not None
    return False


def play(line: Line, folder: Path, lines: int) -> bool:
    """Run one command and show what came of it; whether it ended as it may."""
    began = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", line.command],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - began
    right = done.returncode == 0 or (done.returncode == 1 and may_say_no(line.command))
    print(f"\n{'ok  ' if right else 'FAIL'} [{done.returncode}] {seconds:.1f} s  $ {line.command}")
    said = done.stdout.decode("utf-8", "replace").splitlines()
    shown = said[:lines] if right else said
    for text in shown:
        print(f"     {text}")
    if len(shown) < len(said):
        print(f"     ... {len(said) - len(shown)} more lines")
    sys.stdout.flush()
    return right


def read(pages: list[Path], project: Path, lines: int) -> list[str]:
    """Run every command of the pages; those that ended otherwise than they may."""
    wrong: list[str] = []
    for page in pages:
        found = commands(page.read_text(encoding="utf-8"))
        print(f"\n== {page.name}: {len(found)} commands")
        wrong += [f"{page.name}: {line.command}" for line in found if not play(line, project, lines)]
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--project", type=Path, help="A folder that a demo has just left, instead of a new one.")
    parser.add_argument("--lines", type=int, default=12, help="Lines shown of what a command says.")
    given = parser.parse_args()
    pages = given.pages or list(PAGES)
    os.environ["PATH"] = (
        f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # the `mlops` of this environment
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        project = (given.project or Path(scratch)).resolve()
        try:
            if given.project is None and not play(Line("mlops demo", False), project, given.lines):
                return 1
            wrong = read(pages, project, given.lines)
        finally:
            subprocess.run(["mlops", "daemon", "stop"], cwd=project, capture_output=True, check=False)
    print(f"\n{len(wrong)} ended otherwise than they may" + "".join(f"\n  {one}" for one in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
