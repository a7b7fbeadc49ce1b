"""What moved and what it means, as parts of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.pages.numbers import number, share, when
from mlops_tui.pages.page import BAD, MUTED, Distribution, Facts, Part, Table, Words

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.explained import Effect, Explanation, Moved
    from mlops_tui.domains.monitoring.records import FeatureDrift, Report

DRAWN = 6


def explained(found: Explanation, report: Report) -> list[Part]:
    """The columns that moved, those that matter most first: how, since when, where, what they did."""
    if not found.moved:
        pairs = report.joint.drifted if report.joint else []
        if not pairs:
            return [Words("No input moved beyond its limit.", MUTED)]
        return [Words("No input moved by itself, but some no longer go together as they did."), *_pairs(report)]
    columns = {one.name: one for one in report.features}
    parts: list[Part] = [ranking(found)]
    if found.together is not None:
        parts.append(Words(f"All of them together: {effect(found.together)}."))
    if found.answers:
        parts.append(Words(found.answers))
    parts += [Words(text, MUTED) for text in found.notes]
    for one in found.moved[:DRAWN]:
        drift = columns.get(one.name)
        if drift is not None and drift.reference and drift.current:
            parts.append(distribution(drift, story(one)))
        else:
            parts.append(Words(f"{one.name}: {story(one)}"))
    return parts


def ranking(found: Explanation) -> Table:
    """One line a column."""
    heads = ("Column", "Past its limit", "Did to answers", "Importance", "Since", "How it moved")
    rows = tuple(
        (
            one.name,
            f"{one.size:.3g} x",
            f"{one.effect.difference:+.3g}" if one.effect else "",
            share(one.importance) if one.importance is not None else "unknown",
            when(one.since.at) if one.since else "",
            one.words,
        )
        for one in found.moved
    )
    title = "By what matters to the model" if found.weighted else "By how far they moved"
    return Table(heads, rows, title, numbers=frozenset({1, 2, 3}))


def story(one: Moved) -> str:
    """Everything known of one column, in sentences."""
    said = [f"{one.words[:1].upper()}{one.words[1:]}."]
    since = one.since
    if since is not None:
        start = "already when the version began to serve" if since.at_start else f"since {when(since.at)}"
        doubt = ""
        if not since.at_start and since.last - since.first > clock.SECOND:
            doubt = f" (between {when(since.first)} and {when(since.last)}, of {since.windows} windows)"
        said.append(f"It has been so {start}{doubt}.")
    said += [
        f"Mostly where {where.words}: mean {number(where.before)} -> {number(where.now)}, elsewhere"
        f" {number(where.rest_before)} -> {number(where.rest_now)}."
        for where in one.where
    ]
    if one.effect is not None:
        said.append(f"{effect(one.effect)[:1].upper()}{effect(one.effect)[1:]}.")
    return " ".join(said)


def effect(one: Effect) -> str:
    """What a move did to the answers."""
    if one.of:
        return (
            f"{share(one.now)} of answers are {one.of}, {share(one.without)} had it not moved; "
            f"{share(one.flipped)} of answers would be others"
        )
    return f"the mean answer is {number(one.now)}, {number(one.without)} had it not moved ({one.difference:+.3g})"


def distribution(one: FeatureDrift, words: str = "") -> Distribution:
    """A column's shares over those of the reference."""
    return Distribution(one.name, tuple(one.bins), tuple(one.reference), tuple(one.current), words, one.drifted)


def columns(report: Report) -> list[Part]:
    """Every column of a report with its statistics and limits."""
    found = sorted(
        [*report.features, *(one for one in (report.prediction, report.label) if one)],
        key=lambda one: (not one.drifted, -one.size),
    )
    if not found:
        return [Words(text, MUTED) for text in report.notes]
    rows = tuple(
        (
            one.name,
            "drift" if one.drifted else "season" if one.seasonal else "same" if one.psi is not None else "-",
            number(one.psi),
            number(one.psi_threshold),
            number(one.ks),
            number(one.ks_threshold),
            number(one.rank_shift),
            number(one.rank_threshold),
            share(one.nulls),
            one.note,
        )
        for one in found
    )
    heads = ("Column", "", "PSI", "limit", "KS", "limit", "Shift", "limit", "Missing", "Note")
    roles = tuple("warn" if one.drifted else "" for one in found)
    facts = Facts(
        (
            ("Report", f"{report.id} of {when(report.at)}"),
            ("Compared", f"{report.rows:,} predictions of version {report.version}"),
            ("Verdict", str(report.verdict)),
        )
    )
    return [
        facts,
        *(Words(text, MUTED) for text in report.notes),
        Table(heads, rows, "", roles, frozenset(range(2, 9))),
        *_pairs(report),
        *(Words(f"Data quality: {one.text}", BAD) for one in report.malformed),
    ]


def _pairs(report: Report) -> list[Part]:
    """Columns that no longer go together."""
    if report.joint is None:
        return []
    moved = report.joint.drifted
    if not moved:
        return [Words(f"{report.joint.pairs} pairs of columns go together as they did.", MUTED)]
    rows = tuple((one.name, number(one.reference), number(one.current), number(one.threshold)) for one in moved)
    heads = ("No longer go together", "Correlation at training", "Now", "Limit of the difference")
    return [Table(heads, rows, "", ("warn",) * len(rows), frozenset({1, 2, 3}))]
