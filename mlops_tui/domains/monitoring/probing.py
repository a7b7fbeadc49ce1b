"""Whether one client asks as somebody does who takes a model apart or looks for inputs that fool it. Pure: numbers in, words out.

No single row can be told from a normal one (such rows lie inside the data), but the pattern of many can. Of the newest distinct rows
of a client, standardised by the reference profile:

- close: how many have their neighbours nearer than reference rows ever have theirs (mean distance to the 5 nearest, below 0.9 times
  the 0.1 % quantile among as many reference rows): a search around a point;
- one column: how many differ from the row before in a single column: gradients by differences, or a sweep;
- flips: how many of the close ones are answered otherwise than their nearest neighbour: walking along the boundary;
- outside: how many are odd rows (see `registry/oddness.py`): made-up rows that cover the space. Those lie far apart; odd rows that lie
  close together, and odd rows of a client that is all the traffic unless they are half of it, are a drift, which is told as such.

Rows that are repeated exactly count once, so that asking again for the same customers is nothing. Rows that follow each other in time
are nearer than rows drawn at random, so closeness alone counts only against what other looks at the deployment found.
What it cannot see: queries spread over several tokens, mixed into normal traffic, or slower than the window; attacks made elsewhere
with a copy of the model. It is a warning for a person, never a reason to refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.monitoring.odd_records import Pattern
from mlops_tui.domains.registry.oddness import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_tui.domains.registry.oddness import Oddness

FEWEST = 40
"""With fewer distinct rows nothing is said."""
CLOSE, ONE_COLUMN, SWEEP, FLIPS, OUTSIDE, OUTSIDE_ALONE, FLOOD = 0.2, 0.3, 0.6, 0.1, 0.25, 0.5, 0.8
TIMES = 3.0
LOOKS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What one client asked, oldest first: rows x columns of `Oddness.columns`, the answers, and the time of the newest in ms.

    `asked` rows in all (0: those that are here) `of` so many by everybody.
    """

    caller: str
    rows: NDArray[np.float64]
    answers: Sequence[Any]
    until: int
    asked: int = 0
    of: int = 0


def examine(asked: Asked, known: Oddness, deployment: str, earlier: Sequence[Pattern]) -> Pattern:
    """The pattern of one client; `earlier` are other looks at the deployment."""
    places = _distinct(asked.rows)
    rows = asked.rows[places][-max(FEWEST, len(known.kept)) :]
    answers = [asked.answers[place] for place in places][-len(rows) :]
    total = asked.asked or len(asked.rows)
    share = total / asked.of if asked.of else 0.0
    found = Pattern(deployment, asked.caller, asked.until, total, len(places), share=share)
    flood = _flood(found, earlier)
    if flood:
        found = replace(found, verdict="flood", words=flood)
    if len(rows) < FEWEST:
        return found
    u = known.standard(rows)
    distances = nearest(u, u, skip_self=True)
    near = distances < _clean(known)
    p, _ = known.judge(rows)
    shares = {
        "close": float(near.mean()),
        "one_column": _one_column(u),
        "flips": _flips(u, answers, near),
        "outside": float((p <= known.alpha).mean()),
    }
    # Of a client that is all the traffic, closer rows say what the window is like (a quiet month, an hour asked again), not who asks.
    alone = share >= FLOOD
    usual = [one.close for one in earlier if not alone and not one.verdict and one.distinct >= FEWEST]
    verdict, words = _verdict(shares, usual, OUTSIDE_ALONE if alone else OUTSIDE)
    if verdict:
        found = replace(found, verdict=verdict, words=words)
    return replace(found, **shares)  # type: ignore[arg-type]


def _verdict(shares: dict[str, float], earlier: Sequence[float], outside: float) -> tuple[str, str]:
    usual = median(earlier) if len(earlier) >= LOOKS else None
    close = shares["close"] >= CLOSE
    signs = []
    if close and shares["one_column"] >= ONE_COLUMN:
        signs.append(f"{shares['one_column']:.0%} of its rows change one column of the row before")
    if close and shares["flips"] >= FLIPS:
        signs.append(f"{shares['flips']:.0%} of its close rows are answered otherwise than their neighbour")
    if close and usual is not None and shares["close"] >= TIMES * max(usual, 0.01):
        signs.append(f"others have {usual:.0%} close rows")
    if signs:
        return (
            "evasion",
            f"{shares['close']:.0%} of its rows lie closer together than training rows ever do; {'; '.join(signs)}",
        )
    if shares["outside"] >= outside and not close:
        return (
            "extraction",
            f"{shares['outside']:.0%} of its rows lie outside what the model learned from (1 % would be usual)",
        )
    if shares["one_column"] >= SWEEP:
        return "extraction", f"{shares['one_column']:.0%} of its rows change one column of the row before: a sweep"
    return "", ""


def _flood(found: Pattern, earlier: Sequence[Pattern]) -> str:
    """What there is to say of a client that has become most of the traffic; empty when it has not, or always was."""
    before = [one.share for one in earlier if one.caller == found.caller]
    others = any(one.caller != found.caller for one in earlier)
    usual = median(before) if before else 0.0
    if found.share < FLOOD or usual > FLOOD / 2 or not others:
        return ""
    return f"{found.share:.0%} of all rows are its own, {usual:.0%} were usual: what is said of this window is mostly about it"


def _distinct(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of the first of each distinct row, in their order."""
    _, first = np.unique(np.nan_to_num(rows, nan=np.inf), axis=0, return_index=True)
    return np.sort(first)


def _clean(known: Oddness) -> float:
    """Nearer than this reference rows never are to each other."""
    return _clean_among(known.kept.tobytes(), known.kept.shape[1])


@lru_cache(maxsize=64)  # a version's reference stays what it is, and each client of each check is held against it
def _clean_among(rows: bytes, columns: int) -> float:
    kept = np.frombuffer(rows).reshape(-1, columns)
    return 0.9 * float(np.quantile(nearest(kept, kept, skip_self=True), 0.001))


def _one_column(u: NDArray[np.float64]) -> float:
    if u.shape[1] < 3:
        return 0.0  # of two columns one stays as it was often enough by chance
    return float(((np.abs(np.diff(u, axis=0)) > 1e-9).sum(axis=1) == 1).mean())


def _flips(u: NDArray[np.float64], answers: Sequence[Any], near: NDArray[np.bool_]) -> float:
    """Labels only: of numbers each is another."""
    if not near.any() or any(isinstance(answer, float) for answer in answers):
        return 0.0
    places = np.flatnonzero(near)
    squares = ((u[places][:, None, :] - u[None, :, :]) ** 2).sum(axis=2)
    squares[np.arange(len(places)), places] = np.inf
    pairs = zip(places.tolist(), squares.argmin(axis=1).tolist(), strict=True)
    return float(np.mean([answers[one] != answers[other] for one, other in pairs]))
