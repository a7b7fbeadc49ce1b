"""What a user made of each list, kept in the workspace between sessions: order, filter, columns."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

FILE = "tui-state.json"
MOST_TEXT = 2000


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """How one list is shown: `sort` and the columns are titles."""

    filter: str = ""
    sort: str = ""
    reverse: bool = False
    order: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


class Views:
    """The views by name (``experiments.runs``). Without a path nothing is read or kept.

    A file that cannot be read or written costs the memory of views, never the session.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._views: dict[str, View] | None = None

    def get(self, name: str) -> View:
        """How this list was shown last; the default for one never changed."""
        return self._known().get(name, View())

    def put(self, name: str, view: View) -> None:
        """Remember, and replace the file in one step when that changes it."""
        known = self._known()
        if known.get(name, View()) == view:
            return
        if view == View():
            known.pop(name, None)
        else:
            known[name] = view
        self._write(known)

    def _known(self) -> dict[str, View]:
        if self._views is None:
            self._views = _read(self._path) if self._path else {}
        return self._views

    def _write(self, known: dict[str, View]) -> None:
        if self._path is None:
            return
        text = json.dumps({name: dataclasses.asdict(view) for name, view in known.items()}, indent=1)
        draft = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(text, encoding="utf-8")
            draft.replace(self._path)
        except OSError:
            return


def _read(path: Path) -> dict[str, View]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): _view(values) for name, values in found.items() if isinstance(values, dict)}


def _view(values: dict[str, Any]) -> View:
    return View(
        filter=str(values.get("filter", ""))[:MOST_TEXT],
        sort=str(values.get("sort", "")),
        reverse=values.get("reverse") is True,
        order=_titles(values.get("order")),
        hidden=_titles(values.get("hidden")),
    )


def _titles(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
