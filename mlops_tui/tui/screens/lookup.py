"""The lookup box: an entity's keys are typed, its values online and offline at the same moment are shown side by side."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Select

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.tui.blocks import Block, Fields, Grid, Text
from mlops_tui.tui.lines import Line, Span, clean, line, number
from mlops_tui.tui.screens.column_profile import value
from mlops_tui.tui.state import Failure, Source
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.picture import of_blocks
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.features.records import Found, Table

_STATUS = {
    "ok": ("✓ ok", "good"),
    "missing": ("▲ missing: never seen", "warn"),
    "expired": ("▲ expired: older than the table's time to live", "warn"),
    "null": ("· no value is there", "muted"),
}
_EVER = "36500d"
_NUMBERS = {"BIGINT": int, "DOUBLE": float}


@dataclasses.dataclass(frozen=True, slots=True)
class Entity:
    """What is known of an entity: the answer online (None: the table is not online) and the values of the lake now,
    and `newest` those it had last, however old, where they are too old to count.
    """

    table: Table
    key: Mapping[str, Any]
    online: Found | None
    offline: Mapping[str, Any]
    newest: Mapping[str, Any]
    at: int


def typed(text: str, table: Table) -> dict[str, Any]:
    """Keys as typed, `city=harbo hour=8`, or their values alone in the table's order. Raises InvalidInput."""
    hint = f"Write {' '.join(f'{key}=VALUE' for key in table.keys)}"
    try:
        words = shlex.split(text)
    except ValueError:
        raise InvalidInput("A quote is not closed.", hint=hint) from None
    pairs = [word.split("=", 1) for word in words] if all("=" in word for word in words) else []
    given = dict(pairs) if pairs else dict(zip(table.keys, words, strict=False))
    if set(given) != set(table.keys) or len(words) != len(table.keys):
        raise InvalidInput(f"{table.name} is looked up by {', '.join(table.keys)}.", hint=hint)
    return {key: _of_kind(key, given[key], table.columns.get(key, "")) for key in table.keys}


def _of_kind(key: str, text: str, kind: str) -> Any:
    if kind == "BOOLEAN":
        return text.lower() in ("true", "1", "yes")
    try:
        return _NUMBERS.get(kind, str)(text)
    except ValueError:
        raise InvalidInput(f"{key} is '{text}', not a number.", hint=f"The column is {kind}.") from None


def entity(bench: Workbench, name: str, text: str) -> Entity:
    """Look an entity up online, and join it offline at this moment (in a worker). Raises InvalidInput, NotFound."""
    import pandas as pd

    table, now = bench.features.get(name), bench.context.now()
    key = typed(text, table)
    try:
        online = bench.features.peek(name, key)
    except NotFound:
        online = None
    spine = pd.DataFrame([key])
    if table.time:
        spine[table.time] = pd.Timestamp(now, unit="ms", tz="UTC")
    offline = _joined(bench, table, spine)
    gone = table.ttl is not None and all(one is None for one in offline.values())
    newest = _joined(bench, table, spine, ttl=_EVER) if gone else {}
    return Entity(table, key, online, offline, newest, now)


def _joined(bench: Workbench, table: Table, spine: pd.DataFrame, ttl: str | None = None) -> dict[str, Any]:
    if not table.features:
        return {}
    row = bench.features.join(spine, [f"{table.name}:{','.join(table.features)}"], ttl=ttl).iloc[0]
    return {feature: _plain(row[feature]) for feature in table.features}


def _plain(one: Any) -> Any:
    one = one.item() if hasattr(one, "item") else one
    if one is None or (isinstance(one, float) and math.isnan(one)) or str(one) in ("NaT", "<NA>"):
        return None
    return one.isoformat().replace("+00:00", "Z") if hasattr(one, "isoformat") else one


def blocks(found: Entity) -> Sequence[Block]:
    """The entity: how it is online, then each feature there and in the lake; ≠ where they differ."""
    online, table = found.online, found.table
    status: Span = ("not online: mlops features materialize " + table.name, "warn")
    if online is not None:
        status = _STATUS.get(online.status, (online.status, "text"))
    age = "" if online is None or online.age_ms is None else f"{clock.duration(online.age_ms)} old"
    head = Fields(
        (("Entity", " ".join(f"{key}={one}" for key, one in found.key.items())), ("Online", status), ("Age", age),
         ("Valid for", clock.duration(table.ttl) if table.ttl else ""), ("At", clock.local(found.at))),
        title=table.name,
    )  # fmt: skip
    if not table.features:
        return (head, Text("The table has no columns besides its keys and times.", "muted"))
    rows = tuple(_row(name, found) for name in table.features)
    heads = ("Feature", "", "Online", "Offline now", *(("Last known",) if found.newest else ()))
    return (head, Grid(heads, rows, title="Values"))


def _row(name: str, found: Entity) -> tuple[Span | str, ...]:
    offline = found.offline.get(name)
    last = ((_shown(found.newest.get(name))[0], "muted"),) if found.newest else ()
    if found.online is None:
        return (clean(name), "", ("-", "muted"), _shown(offline), *last)
    online = found.online.values.get(name)
    same = online == offline or (
        isinstance(online, float) and isinstance(offline, (int, float)) and math.isclose(online, offline, rel_tol=1e-12)
    )
    return (clean(name), ("" if same else "≠", "warn"), _shown(online), _shown(offline), *last)


def _shown(one: Any) -> Span:
    if one is None:
        return ("·", "muted")
    return (number(one, 6) if isinstance(one, float) else value(one), "text")


class Lookup(ModalScreen[None]):
    """Choose a table, type keys, press enter."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", show=False)]
    DEFAULT_CSS = """
    Lookup .dialog { width: 90; height: 90%; }
    Lookup #lookup-answer { height: 1fr; margin-top: 1; }
    """

    class Answered(Message):
        """A worker has looked the entity up, or why not."""

        def __init__(self, found: Entity | Failure) -> None:
            super().__init__()
            self.found = found

    def __init__(self, source: Source, tables: Mapping[str, Sequence[str]], name: str, begin: str = "") -> None:
        super().__init__()
        self._source, self._tables, self._first, self._begin = source, tables, name, begin

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label("Look an entity up", classes="dialog-head", markup=False)
            with Horizontal(classes="dialog-field"):
                yield Label("Table", classes="dialog-label", markup=False)
                yield Select[str](
                    [(clean(name), name) for name in self._tables],
                    value=self._first,
                    allow_blank=False,
                    id="lookup-table",
                    compact=True,
                )
            with Horizontal(classes="dialog-field"):
                yield Label("Keys", classes="dialog-label", markup=False)
                yield Input(self._begin, id="lookup-keys", compact=True)
            yield LinesView(id="lookup-answer")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        keys = line((" enter", "key"), " look up  ", ("tab", "key"), " table  ", ("esc", "key"), " close")
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        self._hint()
        box = self.query_one("#lookup-keys", Input)
        box.focus()
        if self._begin:
            self._ask()

    @property
    def table(self) -> str:
        """The table that is asked."""
        return str(self.query_one("#lookup-table", Select).value)

    def _hint(self) -> None:
        keys = self._tables[self.table]
        self.query_one("#lookup-keys", Input).placeholder = " ".join(f"{key}=..." for key in keys)
        name = self.table
        self._say(
            lambda width, height: [
                line((f"mlops features lookup {name} {' '.join(f'{key}=VALUE' for key in keys)}", "accent"))
            ]
        )

    def _say(self, draw: Any) -> None:
        self.query_one("#lookup-answer", LinesView).show(draw, home=True)

    @on(Select.Changed)
    def _other_table(self) -> None:
        self._hint()
        self.query_one("#lookup-keys").focus()

    @on(Input.Submitted)
    def _ask(self) -> None:
        text, name, source = self.query_one("#lookup-keys", Input).value, self.table, self._source
        self.run_worker(
            lambda: self.post_message(self.Answered(source.attempt(lambda bench: entity(bench, name, text)))),
            thread=True,
            exclusive=True,
            exit_on_error=False,
        )

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        found = message.found
        if isinstance(found, Failure):
            self._say(lambda width, height: _wrong(found, width))
        else:
            self._say(of_blocks(blocks(found), margin=0))


def _wrong(failure: Failure, width: int) -> list[Line]:
    return states.failed(failure, width)[:-2]
