"""Checks declared for a table: `checks/<table>.toml` in the project folder, beside `pipelines/`, kept in git like those."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.core.lake import disk_error
from mlops_tui.domains.features.check_records import Check

EXAMPLE = "Write it as: KIND column=NAME low=0 high=50, as in: range column=temp low=-30 high=50 severity=warn"


def read(path: Path) -> list[Check]:
    """The [[checks]] of a file; none when there is no file. Raises InvalidInput that names the file."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("checks", [])
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}.", hint=f"Correct {path}.") from error
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise InvalidInput(f"{path.name} has no [[checks]].", hint=f"Correct {path}.")
    try:
        return [Check.from_dict(entry) for entry in found]
    except InvalidInput as error:
        raise InvalidInput(f"{path.name}: {error.message}", hint=error.hint) from error


def add(path: Path, checks: Sequence[Check]) -> None:
    """Append checks; what a person wrote in the file stays as it is. Raises AlreadyExists, Unavailable."""
    import tomlkit
    from tomlkit.items import AoT

    taken = {check.name for check in read(path)}
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    listed = document.get("checks")
    array = listed if isinstance(listed, AoT) else tomlkit.aot()
    for check in checks:
        if check.name in taken:
            raise AlreadyExists(f"There is a check '{check.name}' already.", hint="Give the new one a name=...")
        taken.add(check.name)
        table = tomlkit.table()
        table.update(check.to_dict())
        array.append(table)
    document["checks"] = array
    _write(path, tomlkit.dumps(document))


def drop(path: Path, name: str) -> None:
    """Take the check of that name out. Raises NotFound, Unavailable."""
    import tomlkit

    names = [check.name for check in read(path)]
    if name not in names:
        raise NotFound(f"No check '{name}' is declared in {path.name}.", hint=did_you_mean(name, names, "See: --list"))
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    del document["checks"][names.index(name)]
    _write(path, tomlkit.dumps(document))


def parse(words: str) -> Check:
    """A check in one line, as in `range column=temp low=-30 high=50`. Raises InvalidInput."""
    try:
        kind, *pairs = shlex.split(words)
    except ValueError as error:
        raise InvalidInput(f"'{words}' is no check: {error}.", hint=EXAMPLE) from error
    given: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise InvalidInput(f"'{pair}' is no NAME=VALUE.", hint=EXAMPLE)
        if name in ("columns", "values"):
            given[name] = [_value(part) if name == "values" else part for part in value.split(",")]
        else:
            given[name] = value if name in _TEXTS else _value(value)
    return Check.from_dict(given)


_TEXTS = ("name", "kind", "column", "pattern", "where", "to", "type", "severity")


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def _write(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(text, encoding="utf-8")
        staged.replace(path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise disk_error(error, path) from error
