"""One audit entry, how it is chained to the one before, and the result of checking the chain."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: `verb` on the `kind` called `name`, by `actor`, with the values before and after where they matter."""

    id: int
    at: int
    actor: str
    verb: str
    kind: str
    name: str
    why: str
    before: Any
    after: Any
    cause: Any
    previous_hash: str
    hash: str


class Row(NamedTuple):
    """An entry as it is stored: `before`, `after` and `cause` are the very text that was hashed."""

    id: int
    at: int
    actor: str
    verb: str
    kind: str
    name: str
    why: str
    before: str
    after: str
    cause: str
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """`first_bad` is the id of the first entry that does not fit its hash or its predecessor; None when all do. `gaps` of an
    exported file are places where entries are left out, `last` is the hash of its last entry.
    """

    ok: bool
    checked: int
    first_bad: int | None
    reason: str = ""
    gaps: int = 0
    last: str = ""


def chain_hash(
    previous: str, at: int, actor: str, verb: str, kind: str, name: str, why: str, before: str, after: str, cause: str
) -> str:
    """SHA-256 over the entry's stored text and the hash before it."""
    import hashlib  # reading the trail needs none

    text = json.dumps([previous, at, actor, verb, kind, name, why, before, after, cause], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
