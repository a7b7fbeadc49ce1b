"""What a column would look like had it not moved: each value brought to its place in the reference, so that order is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 5


def undone(column: pd.Series[Any], profile: dict[str, Any]) -> pd.Series[Any] | None:
    """The column with the distribution of the reference profile; None for what has no distribution (times, an empty reference)."""
    if profile["kind"] == "numeric" and profile["count"] and profile["edges"]:
        return _numbers(column, profile)
    if profile["kind"] == "categorical" and profile["count"]:
        return _levels(column, profile)
    return None


def _numbers(column: pd.Series[Any], profile: dict[str, Any]) -> pd.Series[Any]:
    values = pd.to_numeric(column, errors="coerce")
    known = values.notna().to_numpy()
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    edges, counts = np.asarray(profile["edges"], dtype=float), np.asarray(profile["counts"], dtype=float)
    shares = np.cumsum(counts)[:-1] / counts.sum()
    places = (pd.Series(numbers[known]).rank(method="average").to_numpy() - 0.5) / max(known.sum(), 1)
    moved = numbers.copy()
    moved[known] = np.interp(places, shares, edges)
    random = np.random.default_rng(SEED)
    lost = profile["nulls"] / (profile["count"] + profile["nulls"])
    if (~known).any():  # missing more often than before: those too many get values of the reference
        back = ~known & (random.uniform(size=known.size) > lost / max((~known).mean(), 1e-12))
        moved[back] = np.interp(random.uniform(size=int(back.sum())), shares, edges)
    if pd.api.types.is_integer_dtype(column) or (known.any() and np.all(np.rint(numbers[known]) == numbers[known])):
        moved = np.rint(moved)
    return pd.Series(moved, index=column.index)


def _levels(column: pd.Series[Any], profile: dict[str, Any]) -> pd.Series[Any]:
    """As few rows as possible change their level: those of levels that have become too frequent."""
    texts = column.map(level_text, na_action="ignore").astype(object)
    known = {text: value for value, text in zip(column, texts, strict=True) if isinstance(text, str)}
    names = list(profile["levels"])
    wanted = np.asarray(profile["counts"], dtype=float)
    wanted = wanted / max(wanted.sum() + profile["other"], 1.0)
    current = texts.value_counts(normalize=True)
    now: NDArray[np.float64] = np.array([float(current.get(name, 0.0)) for name in names])
    random = np.random.default_rng(SEED)
    keep = dict(zip(names, np.divide(wanted, now, out=np.ones_like(now), where=now > wanted), strict=True))
    chance = texts.map(keep).fillna(profile["other"] / max(profile["count"], 1)).to_numpy(dtype=float)
    moves = (random.uniform(size=len(texts)) > chance) & texts.notna().to_numpy()
    lacking = np.maximum(wanted - now, 0)
    if not moves.any() or not lacking.sum():
        return column
    drawn = random.choice(len(names), int(moves.sum()), p=lacking / lacking.sum())
    kind = type(next(iter(known.values()), ""))
    values = [known.get(names[place], _as(kind, names[place])) for place in drawn]
    out = column.astype(object).copy()
    out[moves] = values
    return out


def _as(kind: type, text: str) -> Any:
    """A level that the window does not have, in the type of those it has."""
    if kind in (bool, np.bool_):
        return text == "true"
    try:
        return kind(text) if kind is not str else text
    except (TypeError, ValueError):
        return text
