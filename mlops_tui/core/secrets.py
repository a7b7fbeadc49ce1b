"""Words that belong in no settings file, backup or audit trail: passwords and addresses that open a door by themselves.

Each lies in a file of its own that only its owner can read (`storage/secrets/NAME`), or comes from the environment
(`MLOPS_SECRET_NAME`), which counts first. Texts name them in braces, `{NAME}`, and are filled in where they are used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.core.workspace import Workspace

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_USED = re.compile(r"\{([A-Z][A-Z0-9_]{0,63})\}")


class Secrets:
    """The secrets of one workspace."""

    def __init__(self, workspace: Workspace, env: Mapping[str, str] | None = None) -> None:
        self._folder = workspace.root / "secrets"
        self._env = os.environ if env is None else env

    def put(self, name: str, value: str) -> None:
        """Keep a value, whole or not at all, for its owner only. Raises InvalidInput for a bad name or an empty value."""
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"'{name}' cannot name a secret.", hint="Capitals, digits and _, such as SMTP_PASSWORD.")
        if not value.strip():
            raise InvalidInput("A secret cannot be empty.")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        staged = self._folder / f".{name}.{os.getpid()}"
        staged.unlink(missing_ok=True)
        staged.touch(mode=0o600)  # before there is anything in it to read
        with staged.open("w", encoding="utf-8") as file:
            file.write(value.rstrip("\n"))
            file.flush()
            os.fsync(file.fileno())
        staged.replace(self._folder / name)

    def get(self, name: str) -> str:
        """The value. Raises NotFound."""
        variable = f"MLOPS_SECRET_{name}"
        if variable in self._env:
            return self._env[variable]
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except OSError:
            hint = did_you_mean(name, self.names(), f"Give it: mlops secrets set {name}, or ${variable}.")
            raise NotFound(f"There is no secret {name}.", hint=hint) from None

    def names(self) -> list[str]:
        """Those that lie in files, by name."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name))

    def remove(self, name: str) -> None:
        """Forget one. Raises NotFound."""
        path: Path = self._folder / name
        if name not in self.names():
            raise NotFound(f"There is no secret {name}.", hint="See them: mlops secrets list")
        path.unlink()

    def fill(self, text: str) -> str:
        """The text with each `{NAME}` replaced. Raises NotFound for one that is not there."""
        return _USED.sub(lambda found: self.get(found[1]), text)
