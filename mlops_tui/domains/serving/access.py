"""Tokens: what one is allowed, and whether it still is. No I/O.

A token's secret is 32 random bytes, so its plain SHA-256 tells nothing of it and is looked up in half a microsecond.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import secrets
from collections.abc import Iterable

from mlops_tui.core.errors import InvalidInput

PREFIX = "mlops_"


class Right(enum.StrEnum):
    """What a token may do: ask for predictions, report labels, or everything (metrics, load and unload too)."""

    INFER = "infer"
    FEEDBACK = "feedback"
    ADMIN = "admin"


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """One token without its secret. `deployments` empty means all; `rate` is requests a second, None without limit."""

    name: str
    hash: str
    rights: tuple[Right, ...]
    deployments: tuple[str, ...]
    rate: float | None
    created_at: int
    created_by: str
    expires_at: int | None = None
    revoked_at: int | None = None

    def state(self, now: int) -> str:
        """active, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "active"

    def may(self, right: Right, deployment: str | None = None) -> bool:
        """Whether it allows this; without a deployment, whether it allows it anywhere."""
        known = right in self.rights or Right.ADMIN in self.rights
        return known and (deployment is None or self.sees(deployment))

    def sees(self, deployment: str) -> bool:
        """Whether a deployment is among its own."""
        return not self.deployments or deployment in self.deployments


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """What one token asked of one deployment in one hour: `limited` requests were over its rate."""

    token: str
    deployment: str
    hour_at: int
    requests: int = 0
    rows: int = 0
    errors: int = 0
    limited: int = 0
    last_at: int = 0


def new_secret() -> str:
    """A secret that no one can guess."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def check_rights(given: Iterable[str]) -> tuple[Right, ...]:
    """Read rights; raises InvalidInput naming the one that is none."""
    found: list[Right] = []
    for text in given:
        try:
            found.append(Right(text))
        except ValueError:
            raise InvalidInput(f"{text[:40]!r} is no right of a token.", hint=f"Use {', '.join(Right)}.") from None
    if not found:
        raise InvalidInput("A token needs at least one right.", hint=f"Use {', '.join(Right)}.")
    return tuple(dict.fromkeys(found))
