"""How far people agree beyond chance: Cohen's kappa for two, Fleiss' for more. Pure functions of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from mlops_tui.domains.labels.records import Agreement, Label, Pair


def agreement(labels: Iterable[Label]) -> Agreement:
    """Over the rows that two or more people labelled; skipped rows do not count."""
    by_row: dict[int, dict[str, str]] = {}
    for one in labels:
        if one.label is not None:
            by_row.setdefault(one.position, {})[one.labeller] = one.label
    people = sorted({who for row in by_row.values() for who in row})
    shared = [row for row in by_row.values() if len(row) > 1]
    pairs = tuple(pair for one, other in combinations(people, 2) if (pair := _pair(shared, one, other)) is not None)
    fleiss = fleiss_kappa([list(row.values()) for row in shared]) if len(people) > 2 else None
    disputed = sum(len(set(row.values())) > 1 for row in shared)
    return Agreement(len(shared), disputed, tuple(people), pairs, fleiss)


def _pair(rows: Sequence[Mapping[str, str]], one: str, other: str) -> Pair | None:
    both = [(row[one], row[other]) for row in rows if one in row and other in row]
    if not both:
        return None
    left, right = [pair[0] for pair in both], [pair[1] for pair in both]
    agreed = sum(a == b for a, b in both) / len(both)
    return Pair(one, other, len(both), agreed, cohen_kappa(left, right))


def cohen_kappa(one: Sequence[str], other: Sequence[str]) -> float | None:
    """(p_o - p_e) / (1 - p_e), p_e from each one's own shares (Cohen 1960); None when both only ever said the same one class."""
    count = len(one)
    observed = sum(a == b for a, b in zip(one, other, strict=True)) / count
    left, right = Counter(one), Counter(other)
    expected = sum(left[name] * right[name] for name in left) / count**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(rows: Sequence[Sequence[str]]) -> float | None:
    """Kappa of many (Fleiss 1971). Rows may have different numbers of labels, two at least: each row's share of agreeing
    pairs is of its own pairs, each class's share is of all labels. None without rows or when all said one class.
    """
    if not rows:
        return None
    observed = sum(_agreeing_pairs(row) for row in rows) / len(rows)
    totals = Counter(name for row in rows for name in row)
    count = sum(totals.values())
    expected = sum((of / count) ** 2 for of in totals.values())
    return None if expected == 1 else (observed - expected) / (1 - expected)


def _agreeing_pairs(row: Sequence[str]) -> float:
    count = len(row)
    return sum(of * (of - 1) for of in Counter(row).values()) / (count * (count - 1))


def majority(labels: Iterable[Label]) -> dict[int, str]:
    """The class most people gave a row, by position; rows without a label and ties are left out."""
    votes: dict[int, Counter[str]] = {}
    for one in labels:
        if one.label is not None:
            votes.setdefault(one.position, Counter())[one.label] += 1
    found = {}
    for position, counted in votes.items():
        first, *rest = counted.most_common(2)
        if not rest or rest[0][1] < first[1]:
            found[position] = first[0]
    return found
