"""The `y` menu: what of a row can be copied, and `Y`, which copies the same of another row."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from mlops_tui.core import clock
from mlops_tui.tui import actions
from mlops_tui.tui.lines import Line, clean, line
from mlops_tui.tui.links import SHOW
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.table import Column, VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.tui.screens.base import Desk


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be copied: its letter, what it is, and the text (None: it has to be looked up)."""

    letter: str
    title: str
    text: str | None


PATHS: dict[tuple[str, str], Callable[[Workbench, Any], object]] = {
    ("features", "tables"): lambda bench, one: bench.features.files(one.name)[-1].parent,
    ("features", "snapshots"): lambda bench, one: bench.features.files(one.reference)[-1],
    ("pipelines", "pipelines"): lambda bench, one: bench.workspace.pipelines / f"{one.name}.toml",
    ("pipelines", "runs"): lambda bench, one: bench.jobs.log_path(one.job_id),
    ("experiments", "runs"): lambda bench, one: bench.experiments.log_dir(one.id),
    ("system", "jobs"): lambda bench, one: bench.jobs.log_path(one.id),
}
"""The file or folder behind a row, looked up in a worker."""


def offers(desk: Desk) -> list[Offer]:
    """What can be copied of the selected row."""
    record, section = desk.record, desk.section
    here, names = (desk.ID, section.id), desk.section.names(desk.record)
    out = [Offer("i", "id", section.key(record))]
    name = str(names.get("name") or names.get("ref") or getattr(record, "name", "") or getattr(record, "title", ""))
    if name and name != out[0].text:
        out.append(Offer("n", "name", name))
    if here in PATHS and not (here == ("pipelines", "runs") and not record.job_id):
        out.append(Offer("p", "path", None))
    command = SHOW.get(here, "")
    for key, value in names.items():
        command = command.replace("{" + key + "}", str(value))
    if command:
        out.append(Offer("c", "command line", command))
    return [*out, Offer("o", "row as JSON", as_json(record)), Offer("t", "row as TSV", as_tsv(desk))]


def as_json(record: Any) -> str:
    """A record as one JSON object; times (`*_at`) as ISO 8601 in UTC."""
    return json.dumps(_plain(record), ensure_ascii=False, default=str)


def _plain(value: Any, name: str = "") -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name), one.name) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(one, str(key)) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and (name.endswith("_at") or name == "at"):
        return clock.iso(value)
    return value


def as_tsv(desk: Desk) -> str:
    """The heads and cells of the selected row, tabs between them."""
    table = desk.table
    cells = [clean(text).strip() for text, _ in table.rows.cells(table.cursor) or ()]
    heads = [column.title for column in desk.section.columns]
    return "\n".join("\t".join(part) for part in (heads, cells) if any(part))


def choose(desk: Desk) -> None:
    """Open the menu and copy what is chosen."""

    def chosen(offer: Offer | None) -> None:
        if offer is not None:
            _copy(desk, offer)

    desk.app.push_screen(CopyMenu(offers(desk)), chosen)


def again(desk: Desk) -> None:
    """Copy of this row what was copied last, the id at first."""
    wanted = desk.workbench_app.copied
    found = offers(desk)
    _copy(desk, next((one for one in found if one.title == wanted), found[0]))


def _copy(desk: Desk, offer: Offer) -> None:
    app = desk.workbench_app
    app.copied = offer.title
    if offer.text is not None:
        app.copy(offer.text)
        return
    record, look_up = desk.record, PATHS[desk.ID, desk.section.id]

    def work() -> None:
        found = app.source.attempt(lambda bench: str(look_up(bench, record)))
        if isinstance(found, Failure):
            app.call_from_thread(app.notify, found.message, severity="warning", markup=False)
        else:
            app.call_from_thread(app.copy, found)

    desk.run_worker(work, thread=True, group="copy-path", exit_on_error=False)


class _Rows:
    def __init__(self, found: list[Offer]) -> None:
        self._found = found
        self.count = len(found)

    def cells(self, index: int) -> Line:
        one = self._found[index]
        first = "looked up when chosen" if one.text is None else one.text.replace("\n", " ⏎ ").replace("\t", " ⇥ ")
        return ((one.letter, "key"), (one.title, "text"), (clean(first), "muted"))


class CopyMenu(ModalScreen["Offer | None"]):
    """What can be copied, each with a letter and how it begins; dismisses with the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,y", "dismiss(None)", show=False),
        *(Binding(letter, f"take('{letter}')", show=False, priority=True) for letter in "inpcot"),
    ]

    def __init__(self, found: list[Offer]) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Bar(id="dialog-title")
            yield VirtualTable(header=False, id="dialog-table")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        keys = line((" letter", "key"), " or ", ("enter", "key"), " copies  ", ("esc", "key"), " close  ",
                    (actions.get("list.copy_again").keys[0], "key"), " later: the same of another row")  # fmt: skip
        self.query_one("#dialog-title", Bar).show([(line((" Copy", "title")), "")])
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        table = self.query_one("#dialog-table", VirtualTable)
        columns = (
            Column("", lambda row, now: "", width=2),
            Column("", lambda row, now: "", width=14),
            Column("", lambda row, now: "", width=60, grow=True),
        )
        table.show(columns, _Rows(self._found))
        table.styles.height = len(self._found)

    def action_take(self, letter: str) -> None:
        """Choose by letter."""
        found = next((one for one in self._found if one.letter == letter), None)
        if found is not None:
            self.dismiss(found)

    def on_virtual_table_opened(self, message: VirtualTable.Opened) -> None:
        self.dismiss(self._found[message.index])
