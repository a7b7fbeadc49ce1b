"""What the application remembers of a user between visits: the theme, and when each workspace was last looked at."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

FOLDER = "mlops-tui"
FILE = "tui.json"


def config_folder() -> Path:
    """Where the user keeps files of their own making, such as `keys.toml`."""
    return _folder("XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """Where the application keeps what it remembers."""
    return _folder("XDG_STATE_HOME", ".local/state")


def _folder(variable: str, default: str) -> Path:
    base = os.environ.get(variable, "")
    return (Path(base) if base.startswith("/") else Path.home() / default) / FOLDER


@dataclasses.dataclass
class Preferences:
    """Without a path nothing is read or kept. A file that cannot be read or written costs the memory, never the session."""

    path: Path | None = None
    theme: str = ""
    visits: dict[str, int] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Preferences:
        """What the file says; defaults for what is missing or wrong."""
        try:
            found: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        found = found if isinstance(found, dict) else {}
        visits = found.get("visits")
        kept = {str(k): v for k, v in visits.items() if isinstance(v, int)} if isinstance(visits, dict) else {}
        return cls(path, str(found.get("theme", "")), kept)

    def remember(self, *, theme: str | None = None, visit: tuple[str, int] | None = None) -> None:
        """Change and keep; the file is replaced in one step."""
        if theme is not None:
            self.theme = theme
        if visit is not None:
            self.visits[visit[0]] = visit[1]
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.path.with_suffix(f".{os.getpid()}.tmp")
            draft.write_text(json.dumps({"theme": self.theme, "visits": self.visits}, indent=1), encoding="utf-8")
            draft.replace(self.path)
        except OSError:
            return
