"""What people write, as values: spans of time and choices."""

from __future__ import annotations

from typing import TypeVar

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.features.records import JoinMode, Mode

_Choice = TypeVar("_Choice", Mode, JoinMode)


def span(ttl: int | str | None) -> int | None:
    """A time to live in ms; InvalidInput unless it is positive."""
    ms = clock.parse_span(ttl) if isinstance(ttl, str) else ttl
    if ms is not None and ms <= 0:
        raise InvalidInput(
            f"A time to live of {ms} ms leaves nothing.", hint="Write a span such as 7d, or leave it out."
        )
    return ms


def choice(kind: type[_Choice], value: str, what: str) -> _Choice:
    """A member of a StrEnum; InvalidInput with all of them otherwise."""
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"'{value}' is no {what}.", hint=f"Use one of {', '.join(kind)}.") from None
