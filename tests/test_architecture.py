"""The shape of the code, proved: rooms alike, doors light, nothing heavy on the fast path."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_tui.core.workspace import Workspace

PACKAGE = Path(__file__).parent.parent / "mlops_tui"
ROOMS = sorted(path.name for path in (PACKAGE / "domains").iterdir() if (path / "__init__.py").exists())
HEAVY = {
    "pandas",
    "numpy",
    "sklearn",
    "duckdb",
    "textual",
    "asyncio",
    "pyarrow",
    "sqlite_utils",
    "river",
    "scipy",
    "apscheduler",
    "psutil",
    "uvicorn",
}


def test_there_are_all_the_rooms() -> None:
    wanted = "alerts audit experiments features hardware jobs labels monitoring pipelines registry schedules serving"
    assert wanted.split() == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_the_same_three_files_and_one_sentence(room: str) -> None:
    folder = PACKAGE / "domains" / room
    for name in ("records", "store", "service"):
        assert (folder / f"{name}.py").is_file(), f"{room} lacks {name}.py"
    assert (folder / "__init__.py").read_text().startswith('"""')


def imports_of(path: Path) -> set[str]:
    """Modules of the same room that a file imports at run time."""
    room = f"mlops_tui.domains.{path.parent.name}"
    found = set()
    for line in path.read_text().split("if TYPE_CHECKING:")[0].splitlines():
        match = re.match(rf"\s*from {re.escape(room)}(?:\.(\w+))? import (.+)", line)
        if match:
            found |= {match[1]} if match[1] else {name.strip(" ()") for name in match[2].split(",")}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_inside_a_room_nothing_reaches_up_to_the_service(room: str) -> None:
    folder = PACKAGE / "domains" / room
    assert imports_of(folder / "records.py") & {"store", "service"} == set()
    for path in folder.glob("*.py"):
        assert "service" not in imports_of(path), f"{path} reaches up to its service"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_tests(room: str) -> None:
    assert list((Path(__file__).parent / "domains" / room).glob("test_*.py")), f"{room} has no tests"


@pytest.mark.parametrize("room", ROOMS)
def test_sql_stays_in_the_store(room: str) -> None:
    for path in (PACKAGE / "domains" / room).glob("*.py"):
        if path.name == "schema.py" or path.stem.endswith("store"):
            continue
        text = path.read_text()
        for word in ("import sqlite_utils", "sqlite3.connect"):
            assert word not in text, f"{path} talks to SQLite by itself"


def loaded_modules(arguments: list[str], workspace: Path) -> set[str]:
    """The top-level modules in memory after `mlops ARGUMENTS`, run in a process of its own."""
    code = f"""
import json, sys
sys.argv = ["mlops", *{arguments!r}]
from mlops_tui.cli.app import main
try:
    main()
except SystemExit as error:
    assert not error.code, error.code
print("MODULES" + json.dumps(sorted({{name.split(".")[0] for name in sys.modules}})))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False,
        env={"MLOPS_WORKSPACE": str(workspace), "PATH": "/usr/bin:/bin", "HOME": str(workspace)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.rpartition("MODULES")[2]))


LISTS = [
    "features",
    "experiments",
    "runs",
    "models",
    "pipelines",
    "schedules",
    "jobs",
    "deployments",
    "monitors",
    "alerts",
    "audit",
    "labels",
]


@pytest.mark.parametrize(
    "arguments", [["--help"], *([noun, "list"] for noun in LISTS), ["runs", "list", "--help"]], ids=" ".join
)
def test_help_and_lists_load_nothing_heavy(arguments: list[str], workspace: Workspace) -> None:
    if arguments[0] != "--help" and arguments[-1] != "--help":
        loaded_modules(arguments, workspace.root)  # the first call makes the tables, which needs sqlite-utils
    assert loaded_modules(arguments, workspace.root) & HEAVY == set()


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, json, mlops_tui; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in json.loads(done.stdout)} & HEAVY == set()


def test_no_machine_paths_in_the_code() -> None:
    for path in [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "docs").rglob("*.md"), PACKAGE.parent / "README.md"]:
        for word in ("/" + "work/", "/" + "farm/"):
            assert word not in path.read_text(), path
