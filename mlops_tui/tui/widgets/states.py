"""What a list shows instead of rows: nothing yet, loading, an error. Always with the next step."""

from __future__ import annotations

import dataclasses

from mlops_tui.tui.lines import Line, line, wrap
from mlops_tui.tui.state import Failure


@dataclasses.dataclass(frozen=True, slots=True)
class Empty:
    """One sentence, the command that fills the list and, where there is one, the key that does the same."""

    sentence: str
    command: str
    key: str = ""

    def draw(self, width: int) -> list[Line]:
        """The empty state in `width` cells."""
        out: list[Line] = [(), *(line((f" {piece}", "text")) for piece in wrap(self.sentence, width - 2)), ()]
        if self.key:
            out.append(line(" Press ", (self.key, "key"), " here, or run:"))
        else:
            out.append(line((" Run:", "text")))
        out.extend(line((f"   {piece}", "accent")) for piece in wrap(self.command, width - 4))
        return out


def failed(failure: Failure, width: int) -> list[Line]:
    """An error in place: what, what to do, and how to try again."""
    out: list[Line] = [()]
    for index, piece in enumerate(wrap(failure.message, width - 4)):
        out.append(line((" ✗ " if index == 0 else "   ", "bad"), (piece, "text")))
    out.extend(line((f"   {piece}", "muted")) for piece in wrap(failure.hint, width - 4) if failure.hint)
    return [*out, (), line("   Press ", ("R", "key"), " to try again.")]


def loading(width: int, rows: int = 3) -> list[Line]:
    """Skeleton rows; shown only when an answer takes longer than a moment."""
    bar = "░" * max(4, min(40, width - 8))
    return [
        (),
        *(line((f"  {bar[: len(bar) - 6 * row]}", "muted")) for row in range(rows)),
        line(("  loading", "muted")),
    ]


def nothing_matches(query: str, width: int) -> list[Line]:
    """The filter hides every row."""
    return [
        (),
        *(line((f" {piece}", "muted")) for piece in wrap(f"Nothing matches “{query}”. esc clears the filter.", width)),
    ]
