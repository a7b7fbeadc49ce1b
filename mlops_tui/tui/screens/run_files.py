"""The files of a run as a tree, and what is in them: text, Markdown, JSON, tables, pictures."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.tui.blocks import Block, Fields, Grid, Raw, Text
from mlops_tui.tui.charts import image, photo
from mlops_tui.tui.charts.line import View
from mlops_tui.tui.lines import Line, Span, clean, line, number, size
from mlops_tui.tui.screens.markdown import draw_markdown
from mlops_tui.workbench import Workbench

LOOK = 128 * 1024
"""Bytes of a text that are looked at."""
MOST_LINES = 2000
ROWS = 60
MOST_PICTURE = 32 * 2**20
PIXELS = (240, 240)
_TABLES = (".csv", ".tsv", ".parquet")
_PICTURES = (".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder of a run; a folder's `size` is that of all in it, `count` how many files those are."""

    run_id: str
    path: str
    size: int
    at: int | None
    depth: int = 0
    folder: bool = False
    count: int = 0
    closed: bool = False

    @property
    def shown(self) -> Span:
        """The last part of the path under its folder."""
        name = clean(self.path.rpartition("/")[2])
        if self.folder:
            return (f"{'  ' * self.depth}{'▸' if self.closed else '▾'} {name}/  {self.count}", "accent")
        return (f"{'  ' * self.depth}  {name}", "text")

    @property
    def table(self) -> bool:
        """Whether it can be opened as a table."""
        return not self.folder and self.path.lower().endswith(_TABLES)


def entries(of: str, bench: Workbench) -> list[Entry]:
    """Files and the folders they are in, in the order of a tree: folders before files."""
    files = bench.experiments.artifacts(of)
    folders: dict[str, list[int]] = {}
    for one in files:
        parts = one.path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folders.setdefault("/".join(parts[:depth]), []).append(one.size)
    out = [Entry(of, path, sum(sizes), None, path.count("/"), True, len(sizes)) for path, sizes in folders.items()]
    out += [Entry(of, one.path, one.size, one.logged_at, one.path.count("/")) for one in files]
    return sorted(out, key=lambda one: _place(one, folders))


def _place(one: Entry, folders: Collection[str]) -> list[tuple[bool, str]]:
    """Sorts a folder before the files beside it, and what is in it after it."""
    parts = one.path.split("/")
    return [("/".join(parts[: at + 1]) not in folders, part) for at, part in enumerate(parts)]


def visible(found: Any, closed: Collection[str]) -> Any:
    """Without what lies in closed folders."""
    if not isinstance(found, list):
        return found
    marked = [dataclasses.replace(one, closed=one.path in closed) if one.folder else one for one in found]
    return [one for one in marked if not any(one.path.startswith(f"{folder}/") for folder in closed)]


# -- looking into a file -----------------------------------------------------------------------------------------------


def preview(bench: Workbench, row: Entry, *, colour: bool = True) -> Sequence[Block]:
    """What is in a file, in as much room as a pane has (in a worker)."""
    name = row.path.rpartition("/")[2]
    if row.folder:
        return (Fields((("Files", str(row.count)), ("Size", size(row.size))), title=f"{name}/"),)
    path = bench.experiments.artifact_file(row.run_id, row.path)
    head = Fields((("Size", size(row.size)), ("To look", _how(row))), title=name)
    return (head, *_body(bench, path, row, colour))


def _how(row: Entry) -> Span:
    return ("enter opens it as a table, b saves it" if row.table else "enter: larger, b saves it", "muted")


def _body(bench: Workbench, path: Path, row: Entry, colour: bool) -> Sequence[Block]:
    name = row.path.lower()
    if name.endswith(".parquet"):
        return _frame(bench, path)
    with path.open("rb") as file:
        data = file.read(LOOK)
    if image.is_png(data):
        return _picture(path, colour)
    if name.endswith(_PICTURES) and b"\0" in data[:8192]:
        return _photo(path, colour)
    if b"\0" in data[:8192]:
        return (Text(f"Not a text: {_hex(data)}", "muted"),)
    text = data.decode("utf-8", "replace")
    cut = () if row.size <= LOOK else (Text(f"The first {size(LOOK)} of {size(row.size)}.", "muted"),)
    if name.endswith((".csv", ".tsv")):
        return (_csv(text, "\t" if name.endswith(".tsv") else ","), *cut)
    if name.endswith(".json"):
        return (*_json(text), *cut)
    if name.endswith((".md", ".markdown")):
        return (Markdown(text), *cut)
    if name.endswith((".diff", ".patch")):
        return (diff(text), *cut)
    return (Raw(tuple(line(each) for each in map(clean, text.splitlines()[:MOST_LINES]))), *cut)


def _hex(data: bytes) -> str:
    return " ".join(f"{one:02x}" for one in data[:32])


def _json(text: str) -> Sequence[Block]:
    try:
        found = json.loads(text)
    except ValueError:
        return (Raw(tuple(line(clean(each)) for each in text.splitlines()[:MOST_LINES])),)
    if isinstance(found, dict) and isinstance(found.get("columns"), list) and isinstance(found.get("data"), list):
        rows = [one for one in found["data"] if isinstance(one, list)]
        return (_grid([str(one) for one in found["columns"]], rows),)  # a table as `log_table` keeps it
    pretty = json.dumps(found, indent=2, ensure_ascii=False).splitlines()
    return (Raw(tuple(_json_line(clean(each)) for each in pretty[:MOST_LINES])),)


def _json_line(text: str) -> Line:
    name, colon, value = text.partition('": ')
    return line((f'{name}"', "accent"), f": {value}") if colon and name.lstrip().startswith('"') else line(text)


def _csv(text: str, delimiter: str) -> Block:
    try:
        rows = [
            one for _, one in zip(range(ROWS + 1), csv.reader(io.StringIO(text), delimiter=delimiter), strict=False)
        ]
    except csv.Error as error:
        raise InvalidInput(f"This table cannot be read: {error}.", hint="Save it with b and look into it.") from error
    return _grid(rows[0], rows[1:]) if rows else Text("An empty table.", "muted")


def _frame(bench: Workbench, path: Path) -> Sequence[Block]:
    found = bench.context.lake.query("SELECT * FROM read_parquet(?) LIMIT ?", [str(path), ROWS])
    if not found:
        return (Text("A table without rows.", "muted"),)
    return (_grid(list(found[0]), [list(one.values()) for one in found]),)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Grid:
    width = len(heads)
    shown = (tuple(_cell(one) for one in row[:width]) + ("",) * (width - len(row)) for row in rows[:ROWS])
    return Grid(tuple(clean(one)[:40] for one in heads), tuple(shown))


def _cell(value: Any) -> str:
    return (number(value, 6) if isinstance(value, float) else clean(value))[:40]


def diff(text: str) -> Raw:
    """The text of a diff: what came, what went, where."""
    return Raw(tuple(line((clean(each), _diff_role(each))) for each in text.splitlines()[:MOST_LINES]))


def _diff_role(text: str) -> str:
    if text.startswith(("+++", "---", "diff ", "index ")):
        return "title"
    return {"+": "good", "-": "bad", "@": "accent"}.get(text[:1], "text")


@dataclasses.dataclass(frozen=True)
class Markdown:
    """Markdown, drawn for a width."""

    text: str

    def draw(self, width: int) -> list[Line]:
        return draw_markdown(self.text, width)[:MOST_LINES]


def _picture(path: Path, colour: bool) -> Sequence[Block]:
    if path.stat().st_size > MOST_PICTURE:
        return (Text("This picture is too large to be drawn here; b saves it.", "muted"),)
    data = path.read_bytes()
    width, height = image.size_of(data)
    return (Text(f"{width} x {height} pixels", "muted"), Drawn(image.decode(data, *PIXELS), colour))


def _photo(path: Path, colour: bool) -> Sequence[Block]:
    """Like `_picture`, of kinds that need a library; why not, where it is not there."""
    if path.stat().st_size > MOST_PICTURE:
        return (Text("This picture is too large to be drawn here; b saves it.", "muted"),)
    try:
        (width, height), found = photo.decode(path.read_bytes(), *PIXELS)
    except (Unavailable, InvalidInput) as error:
        return (Text(f"{error.message} {error.hint}. b saves the picture.", "muted"),)
    return (Text(f"{width} x {height} pixels", "muted"), Drawn(found, colour))


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A picture in half blocks, as wide as there is room for; by brightness where there are no colours."""

    image: image.Image
    colour: bool

    def draw(self, width: int, view: View | None = None) -> list[Line]:
        small = image.fitted(self.image, width)
        return image.half_blocks(small) if self.colour else image.shaded(small)
