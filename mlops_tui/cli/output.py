"""How every command speaks: stdout is data (lines or one JSON document), stderr is talk, exit codes live here."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click

from mlops_tui.core import clock
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound, Unavailable, WorkbenchError
from mlops_tui.core.printable import clean, whole

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

P = ParamSpec("P")
R = TypeVar("R")

# 0 done, 1 a check or gate said no, 2 usage (click)
EXIT_CODES: dict[type[WorkbenchError], int] = {
    NotFound: 3,
    AlreadyExists: 4,
    InvalidInput: 5,
    NotAllowed: 6,
    Unavailable: 7,
    WorkbenchError: 5,
}


@dataclasses.dataclass
class Session:
    """What the root options said; opens the workbench once, when a command asks for it."""

    workspace: str | None = None
    debug: bool = False
    utc: bool = False
    _workbench: Workbench | None = None

    @property
    def workbench(self) -> Workbench:
        if self._workbench is None:
            from mlops_tui.workbench import open_workbench

            self._workbench = open_workbench(self.workspace)
            click.get_current_context().find_root().call_on_close(self._workbench.close)
        return self._workbench


def pass_workbench(function: Callable[..., R]) -> Callable[..., R]:
    """Give the command the workbench as its first argument."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> R:
        return function(click.get_current_context().find_object(Session).workbench, *args, **kwargs)  # type: ignore[union-attr]

    return wrapper


def json_option(function: Callable[..., R]) -> Callable[..., R]:
    """`--json`: one JSON document with stable keys and ISO 8601 UTC times."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


def why_option(function: Callable[..., R]) -> Callable[..., R]:
    """`--why`: the reason kept in the audit trail."""
    return click.option("--why", default="", metavar="TEXT", help="The reason, kept in the audit trail.")(function)


def yes_option(function: Callable[..., R]) -> Callable[..., R]:
    """`--yes`: do not ask."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(function)


# -- data out ----------------------------------------------------------------------------------------------------------


def jsonable(value: Any, key: str = "") -> Any:
    """A record as JSON values: dataclasses become objects, times (`*_at`, `at`, `ts`, ...) ISO 8601, NaN null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name), field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): jsonable(item, str(name)) for name, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item, key) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return clock.iso(value) if is_time(key) and value > 10**11 else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return whole(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def is_time(key: str) -> bool:
    """Whether a field of that name holds a time in ms."""
    return key.endswith("_at") or key in {
        "at",
        "ts",
        "since",
        "until",
        "min_time",
        "max_time",
        "silenced_until",
        "due",
        "next_due",
    }


def emit(
    rows: Sequence[Any], columns: Sequence[tuple[str, str]], *, as_json: bool = False, empty: str = "Nothing yet."
) -> None:
    """A list of records or dicts: an aligned table of `columns` (field, heading), or a JSON array of the whole records.

    `empty` goes to stderr, so that a pipe stays clean.
    """
    if as_json:
        click.echo(json.dumps(jsonable(list(rows)), ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo(empty, err=True)
        return
    table = [[show(field_of(row, field), field) for field, _ in columns] for row in rows]
    numeric = [all(_is_number(field_of(row, field), field) for row in rows) for field, _ in columns]
    print_table([heading for _, heading in columns], table, numeric)


def emit_one(record: Any, as_json: bool = False, title: str | None = None) -> None:
    """One record or dict: `field  value` lines, or a JSON object."""
    values = jsonable(record)
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False, indent=2))
        return
    if title:
        click.echo(click.style(title, bold=True))
    raw = (
        record if isinstance(record, Mapping) else {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    )
    width = max((len(str(name)) for name in raw), default=0)
    for name, value in raw.items():
        text = show(value, str(name))
        click.echo(f"{str(name).replace('_', ' '):<{width}}  {text}" if text else f"{str(name).replace('_', ' ')}")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
    """Aligned columns; on a terminal the widest ones are cut so that no line wraps."""
    widths = [max(len(heading), *(len(row[i]) for row in rows)) for i, heading in enumerate(headings)]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - 2 * (len(widths) - 1)
        while sum(widths) > room and max(widths) > 8:
            widths[widths.index(max(widths))] -= 1

    def line(cells: Sequence[str]) -> str:
        parts = [_fit(cell, w, right) for cell, w, right in zip(cells, widths, numeric, strict=True)]
        return "  ".join(parts).rstrip()

    click.echo(click.style(line(headings), bold=True))
    for row in rows:
        click.echo(line(row))


def show(value: Any, key: str = "") -> str:
    """A value for a person, on one line."""
    if value is None or value == "":
        return "-"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and is_time(key) and value > 10**11:
        session = click.get_current_context(silent=True)
        utc = bool(session and (found := session.find_object(Session)) and found.utc)
        return clock.local(value, utc=utc)
    if isinstance(value, int) and (key == "bytes" or key == "size" or key.endswith("_bytes")):
        return human_bytes(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if dataclasses.is_dataclass(value) or isinstance(value, Mapping):
        shown = {name: show(item, name) for name, item in jsonable(value).items()}
        return ", ".join(f"{name}={text}" for name, text in shown.items() if text != "-") or "-"
    if isinstance(value, (list, tuple, set, frozenset)):
        between = "; " if any(isinstance(item, dict) for item in value) else ", "
        return between.join(show(item, key) for item in value) or "-"
    return clean(value)


def human_bytes(count: float) -> str:
    """`1.4 MB`: powers of 1000, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def field_of(row: Any, field: str) -> Any:
    """`row.field` or `row["field"]`; None when it has none."""
    return row.get(field) if isinstance(row, Mapping) else getattr(row, field, None)


def _is_number(value: Any, field: str) -> bool:
    return (isinstance(value, (int, float)) and not isinstance(value, bool) and not is_time(field)) or value is None


def _fit(cell: str, width: int, right: bool) -> str:
    if len(cell) > width:
        cell = cell[: width - 1] + "…"
    return cell.rjust(width) if right else cell.ljust(width)


# -- talk --------------------------------------------------------------------------------------------------------------


def say(message: str) -> None:
    """A line for the person, on stderr."""
    click.echo(message, err=True)


def fail(message: str, hint: str, code: int) -> NoReturn:
    """One sentence, its hint, and the exit code."""
    click.echo(click.style("Error: ", fg="red", bold=True) + message, err=True)
    if hint:
        click.echo(f"Hint: {hint}", err=True)
    sys.exit(code)


def confirm(question: str, *, yes: bool, typed: str | None = None) -> None:
    """Ask before something hard to take back; `typed` is a name that has to be written out. NotAllowed when refused.

    Without a terminal nothing is assumed: the caller must have said --yes.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotAllowed(f"{question} Nobody is there to say yes.", hint="Say it on the command line: --yes")
    if typed is not None:
        answer = click.prompt(f"{question} Type {typed} to go on", default="", show_default=False, err=True)
        if answer != typed:
            raise NotAllowed("Not confirmed; nothing was changed.")
    elif not click.confirm(question, err=True):
        raise NotAllowed("Not confirmed; nothing was changed.")


Progress = Callable[[int, "int | None", str], None]


def _silent(done: int, total: int | None, note: str = "") -> None:
    """Progress that nobody sees."""


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """A callable (done, total, note) that draws one line on stderr; silent when stderr is not a terminal."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _silent
        return
    started, last = time.monotonic(), 0.0

    def report(done: int, total: int | None, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.1 and done != total:
            return
        last = now
        share = f"{done / total:4.0%} [{'#' * int(20 * done / total):<20}]" if total else f"{done:,}"
        sys.stderr.write(
            f"\r\x1b[K{label}  {share}  {clock.duration((now - started) * 1000)}  {note}"[
                : shutil.get_terminal_size().columns
            ]
        )
        sys.stderr.flush()

    try:
        yield report
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def follow(path: Path, finished: Callable[[], bool], *, poll_s: float = 0.2) -> None:
    """Print a growing file to stdout until `finished` says so (asked after each read, so the end is never cut off)."""
    offset = 0
    while True:
        over = finished()
        if path.exists():
            with path.open("rb") as file:
                if path.stat().st_size < offset:
                    offset = 0  # the log was rotated
                file.seek(offset)
                data = file.read()
            offset += len(data)
            if data:
                click.echo(data.decode(errors="replace"), nl=False)
        if over:
            return
        time.sleep(poll_s)
