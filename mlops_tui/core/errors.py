"""The five kinds of mistake a user can meet, and the root they share.

Every error carries a sentence for a person and, where there is one, a hint for the next step. Doors map the kinds once:
the command line to exit codes 3-7, HTTP to a status, the TUI to a toast.
"""

from __future__ import annotations


class WorkbenchError(Exception):
    """Something a person can understand and act on."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (job children); the default would lose the hint.
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[WorkbenchError], message: str, hint: str) -> WorkbenchError:
    return kind(message, hint=hint)


class NotFound(WorkbenchError):  # noqa: N818 - named for what happened, as in the contract
    """The thing named does not exist."""


class AlreadyExists(WorkbenchError):  # noqa: N818
    """A thing of that name is there already."""


class InvalidInput(WorkbenchError):  # noqa: N818
    """What was given cannot be used as it is."""


class NotAllowed(WorkbenchError):  # noqa: N818
    """A rule forbids it."""


class Unavailable(WorkbenchError):  # noqa: N818
    """Something needed (daemon, disk, port, driver, extra) is not there right now."""
