"""Names and identifiers: how they are made, checked, split and looked up when mistyped."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from mlops_tui.core.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def new_id() -> str:
    """A run id: 16 random lowercase hex digits, so that the first few are enough to name it."""
    return os.urandom(8).hex()


def new_prediction_id(at: int) -> str:
    """A prediction id: `p`, 11 hex digits of its time in ms, 12 random ones.

    Time comes first so that finding one by id opens only the files of that time.
    """
    if not _drawn:
        digits = os.urandom(6 * 512).hex()
        _drawn.extend(digits[place : place + 12] for place in range(0, len(digits), 12))
    return f"p{at:011x}{_drawn.pop()}"


# Random digits for ids to come, since asking the kernel takes as long as everything else about one; a fork draws its own.
_drawn: list[str] = []
os.register_at_fork(after_in_child=_drawn.clear)


def prediction_time(prediction_id: str) -> int | None:
    """The time in ms that a prediction id of ours carries; None for an id a client made up."""
    if len(prediction_id) == 24 and prediction_id[0] == "p":
        try:
            return int(prediction_id[1:12], 16)
        except ValueError:
            return None
    return None


def check_name(kind: str, name: str) -> str:
    """`name` itself when it can name a `kind`; InvalidInput otherwise.

    Names go into paths, URLs and command lines, hence the narrow alphabet.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        shown = name if len(name) <= 60 else name[:57] + "..."
        raise InvalidInput(
            f"{shown!r} cannot name a {kind}.",
            hint="Use letters, digits, dash, underscore and single dots, starting with a letter or digit, at most 100.",
        )
    return name


def split_reference(reference: str, separator: str = "@") -> tuple[str, str]:
    """`table@12` -> (`table`, `12`); without the separator the second part is empty."""
    name, _, version = reference.partition(separator)
    return name, version


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that a person most likely meant by `name`, or None when none is near."""
    import difflib  # only on the way to an error

    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(name: str, names: Iterable[str], otherwise: str = "") -> str:
    """A hint: the nearest name when there is one, else `otherwise`."""
    near = nearest(name, names)
    return f"Did you mean '{near}'?" if near else otherwise
