"""Saved views in the application: the same `views.toml` the command line keeps, list by list."""

from __future__ import annotations

import dataclasses
import shlex

from mlops_tui.core.errors import InvalidInput
from mlops_tui.workbench import Workbench

LISTS: dict[tuple[str, str], str] = {
    ("features", "tables"): "features",
    ("experiments", "runs"): "runs",
    ("registry", "models"): "models",
    ("serving", "deployments"): "deployments",
    ("monitoring", "alerts"): "alerts",
    ("system", "jobs"): "jobs",
}
"""What the command line calls a list that has saved views, by (desk, section)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Saved:
    """A query under a name, and the list it is of."""

    list: str
    name: str
    query: str

    @property
    def command(self) -> str:
        """The command line that shows it."""
        return f"mlops {self.list} list --view {self.name}"


def of_list(bench: Workbench, list_: str) -> list[Saved]:
    """The saved views of a list by name. Raises InvalidInput for a file that cannot be read."""
    from mlops_tui.core.views import Views  # tomllib, which sessions without a view need not pay

    return [Saved(list_, name, query) for name, query in Views(bench.workspace).list(list_).items()]


def everywhere(bench: Workbench) -> list[Saved]:
    """The saved views of every list; those of a list that cannot be read are left out."""
    out: list[Saved] = []
    for list_ in LISTS.values():
        try:
            out += of_list(bench, list_)
        except InvalidInput:
            continue
    return out


def keep(bench: Workbench, view: Saved) -> str:
    """Save a view in place of one of its name; what to say of it. Raises InvalidInput for a name that cannot be one."""
    from mlops_tui.core.views import Views

    views = Views(bench.workspace)
    known = view.name in views.list(view.list)
    views.save(view.list, view.name, view.query)
    return f"{'Changed' if known else 'Saved'}. The same in a shell: {view.command}"


def forget(bench: Workbench, view: Saved) -> str:
    """Remove a view; what to say of it. Raises NotFound."""
    from mlops_tui.core.views import Views

    Views(bench.workspace).remove(view.list, view.name)
    return f"Removed the view {view.name} of {view.list}."


def command_of(view: Saved, *, away: bool = False) -> str:
    """The command line that saves a view, or removes it."""
    if away:
        return f"mlops {view.list} list --remove-view {view.name}"
    return f"mlops {view.list} list {shlex.quote(view.query)} --save-view {view.name or 'NAME'}"
