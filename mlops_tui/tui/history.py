"""Where the user has been: back and forward like a browser, and the last view like `cd -`."""

from __future__ import annotations

import dataclasses

LONGEST = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A part of a desk, the selected object and the filter in force."""

    desk: str
    section: str = ""
    key: str = ""
    filter: str = ""

    @property
    def view(self) -> tuple[str, str]:
        """What tells two views apart; moving the cursor is not going somewhere."""
        return (self.desk, self.section)


class History:
    """`leave(here)` before going somewhere; `back(here)`, `forward(here)` and `last(here)` say where to go, None: nowhere."""

    def __init__(self) -> None:
        self._before: list[Place] = []
        self._after: list[Place] = []
        self._last: Place | None = None

    def leave(self, here: Place) -> None:
        """Remember a place that is being left for a new one; what was ahead is forgotten."""
        self._before.append(here)
        del self._before[:-LONGEST]
        self._after.clear()
        self._last = here

    def back(self, here: Place) -> Place | None:
        """The place before this one."""
        return self._step(here, self._before, self._after)

    def forward(self, here: Place) -> Place | None:
        """The place that `back` came from."""
        return self._step(here, self._after, self._before)

    def returned(self, here: Place) -> None:
        """What lay in front of a place was closed: the place is not behind the user any more."""
        if self._before and self._before[-1].view == here.view:
            self._before.pop()

    def last(self, here: Place) -> Place | None:
        """The view seen last, wherever that was; twice is here again."""
        found = self._last
        if found is not None:
            self.leave(here)
        return found

    def _step(self, here: Place, source: list[Place], other: list[Place]) -> Place | None:
        while source:
            found = source.pop()
            if found.view != here.view:
                other.append(here)
                self._last = here
                return found
        return None
