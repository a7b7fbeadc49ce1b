"""`[QUERY]...`, `--view`, `--save-view` and `--remove-view`: the same on every list that can be queried."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mlops_tui.cli.output import say

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

R = TypeVar("R")

NO_MATCH = "Nothing meets the query."


def query_options(desk: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give the command (after the workbench) the query as `query`: the view's and the typed one, both to hold.

    A view is saved after the command went well, so that no query that cannot be read is kept. Belongs under `@pass_workbench`.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @click.argument("words", nargs=-1, metavar="[QUERY]...")
        @click.option("--view", metavar="NAME", help="Use a saved query.")
        @click.option("--save-view", metavar="NAME", help="Save the query under this name.")
        @click.option("--remove-view", metavar="NAME", help="Forget a saved query.")
        @functools.wraps(function)
        def wrapper(
            workbench: Workbench,
            *args: Any,
            words: tuple[str, ...],
            view: str | None,
            save_view: str | None,
            remove_view: str | None,
            **kwargs: Any,
        ) -> R:
            query = _both(_saved(workbench, desk, view), " ".join(words))
            if save_view is not None and not query.strip():
                raise click.UsageError("There is no query to save: write it before --save-view.")
            if remove_view is not None:
                _views(workbench).remove(desk, remove_view)
                say(f"Removed view {remove_view} of {desk}.")
            result = function(workbench, *args, query=query, **kwargs)
            if save_view is not None:
                _views(workbench).save(desk, save_view, query)
                say(f"Saved. Use it: mlops {desk} list --view {save_view}")
            return result

        return wrapper

    return decorate


def _views(workbench: Workbench) -> Any:
    from mlops_tui.core.views import Views  # tomllib, which lists without a view need not pay

    return Views(workbench.workspace)


def _saved(workbench: Workbench, desk: str, view: str | None) -> str:
    return "" if view is None else str(_views(workbench).get(desk, view))


def _both(view: str, typed: str) -> str:
    """What both say; parentheses keep an `|` in one from reaching into the other."""
    if view.strip() and typed.strip():
        return f"({view}) ({typed})"
    return view or typed
