"""What a list shows instead of rows, or above old ones: loading, empty, an error, stale. Always with the next step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mlops_tui.core import clock
from mlops_tui.tui.lines import Line, clean, line, wrap
from mlops_tui.tui.state import Failure, Versions

START_DAEMON = "mlops daemon start"
SLOW_S = 2.0
"""After this a reading says how long it has taken, and can be given up."""


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
    """An error in place: what, what to do, how to try again and how to see more."""
    out: list[Line] = [()]
    for index, piece in enumerate(wrap(failure.message, width - 4)):
        out.append(line((" ✗ " if index == 0 else "   ", "bad"), (piece, "text")))
    out.extend(line((f"   {piece}", "muted")) for piece in wrap(failure.hint, width - 4) if failure.hint)
    more = (", ", ("e", "key"), " for details") if failure.details else ()
    return [*out, (), line("   Press ", ("R", "key"), " to try again", *more, ".")]


def loading(width: int, *, columns: Sequence[int] = (), rows: int = 3, elapsed: float = 0.0) -> list[Line]:
    """Skeleton rows (of `columns` cells each) and, after two seconds, how long it has taken and how to give up."""
    widths = columns or (max(4, min(40, width - 8)),)
    out: list[Line] = [()]
    for row in range(rows):
        cells = [("░" * max(2, wide - 6 * row % max(3, wide - 2))).ljust(wide) for wide in widths]
        out.append(line((f"  {'  '.join(cells)}"[: width - 1].rstrip(), "muted")))
    return [*out, waiting(elapsed)]


def waiting(elapsed: float) -> Line:
    """`loading`, and how long already once that is worth saying."""
    if elapsed < SLOW_S:
        return line(("  loading", "muted"))
    return line((f"  loading for {elapsed:.0f} s   ", "muted"), ("esc", "key"), (" stops waiting", "muted"))


def stopped(elapsed: float) -> Failure:
    """What is left of a reading the user gave up."""
    return Failure(
        f"Stopped waiting after {elapsed:.0f} s.", "What was under way ends on its own; nothing was changed."
    )


def nothing_matches(query: str, width: int) -> list[Line]:
    """The filter hides every row."""
    return [
        (),
        *(line((f" {piece}", "muted")) for piece in wrap(f"Nothing matches “{query}”. esc clears the filter.", width)),
    ]


def stale(failure: Failure, read_at: int, now: int) -> Line:
    """Above rows that could not be read again: why, how old they are, what can be done."""
    more = (("  e", "key"), (" details", "muted")) if failure.details else ()
    first = clean(failure.message.splitlines()[0] if failure.message else "It could not be read.")
    return line((" ✗ ", "bad"), (first, "text"), (f"  shown as of {clock.ago(read_at, now)}", "warn"),
                ("  R", "key"), (" again", "muted"), *more)  # fmt: skip


def banner(versions: Versions, daemon: bool | None, now: int) -> Line:
    """Why what is on screen does not move: the workspace is away, or no daemon runs; () when all is well."""
    if versions.lost:
        return line((" ✗ The workspace cannot be read: ", "bad"), (clean(versions.lost), "text"),
                    ("  tried again every 1-30 s", "muted"))  # fmt: skip
    if daemon is not False:
        return ()
    since = versions.down_since
    age = "" if since is None or now - since < clock.MINUTE else f" for {clock.duration(now - since)}"
    return line((f" ▲ No daemon{age}: ", "warn"), "schedules, jobs and serving wait. ", (START_DAEMON, "accent"),
                (" (D on 1)", "muted"))  # fmt: skip
