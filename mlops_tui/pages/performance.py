"""How right a deployment is: measures beside their estimates, over time, by slice and by group, as parts of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.domains.monitoring.measured import BLIND, HIGHER_IS_BETTER, Gap, Group, Slice, Standing, Stretch
from mlops_tui.pages.numbers import between, measured, name_of, number, share, span
from mlops_tui.pages.page import BAD, MUTED, Chart, Curve, Facts, Part, Table, Words

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.measured import Measure

ESTIMATED = f"{BLIND[0].upper()}{BLIND[1:]}."
GAPS = ("selection", "tpr", "fpr", "error")
HOW = (
    "Intervals hold 95 %: Wilson's for shares, the normal for means, the delta method for roots and R2, DeLong's for AUC, a bootstrap "
    "of counts for F1, macro averages and calibration. Labels are counted where their prediction was made, however late they came; of "
    "several the latest counts."
)


def headline(standing: Standing) -> str:
    """The one sentence: the measure that stands for all, against what it was at training."""
    whole, name = standing.whole, standing.metric
    found, guess = whole.metric(name), whole.estimate(name)
    was = "" if standing.baseline is None else f", {number(standing.baseline)} at training"
    if found is not None:
        return (
            f"Version {whole.version}: {name_of(name)} {measured(found)}{was}, from {whole.labels.labelled:,} labels."
        )
    if guess is not None:
        return f"Version {whole.version}: {name_of(name)} about {measured(guess)}{was}. {ESTIMATED}"
    return f"Version {whole.version}: {whole.labels.rows:,} predictions, no labels and nothing to estimate from."


def whole(standing: Standing) -> list[Part]:
    """The version as a whole, with every measure beside its estimate."""
    one, labels = standing.whole, standing.whole.labels
    late = "" if labels.delay_ms is None else f"half of them within {clock.duration(labels.delay_ms)}"
    again = (
        f"{labels.repeated:,} came more than once, {labels.contradicted:,} with another value"
        if labels.repeated
        else ""
    )
    facts = Facts(
        (
            ("Version", str(one.version)),
            ("Time", between(one.since, one.until)),
            ("Predictions", f"{labels.rows:,}"),
            ("Labels", f"{labels.labelled:,} ({share(labels.coverage)} covered)" if labels.labelled else "none yet"),
            ("Came", late),
            ("Again", again),
            (
                "At training",
                f"{name_of(standing.metric)} {number(standing.baseline)}" if standing.baseline is not None else "",
            ),
        )
    )
    notes = [Words(text, BAD if "Labels say" in text else MUTED) for text in standing.notes]
    return [facts, *notes, *measures(one)]


def measures(one: Stretch) -> list[Part]:
    """A table of measures: from labels, with interval and method, beside the estimate."""
    names = list(dict.fromkeys([*(each.name for each in one.metrics), *(each.name for each in one.estimates)]))
    rows = []
    for name in names:
        found, guess = one.metric(name), one.estimate(name)
        rows.append((name_of(name), number(found.value if found else None), number(guess.value if guess else None),
                     span(found), span(guess), found.method if found else ""))  # fmt: skip
    if not rows:
        return []
    if not one.estimates:
        plain = tuple((name, value, low, by) for name, value, _, low, _, by in rows)
        return [Table(("Measure", "Labels", "95 %", "By"), plain, numbers=frozenset({1}))]
    heads = ("Measure", "Labels", "Estimate", "95 % of labels", "95 % of estimate", "By")
    return [Table(heads, tuple(rows), numbers=frozenset({1, 2})), Words(ESTIMATED, MUTED)]


def over_time(standing: Standing) -> list[Part]:
    """The measure that stands for all over stretches, as a chart and a table."""
    stretches, name = standing.stretches, standing.metric
    if not stretches:
        return []
    better = "higher" if name in HIGHER_IS_BETTER else "lower"
    curves = [_curve(f"{name_of(name)}, labels", stretches, [one.metric(name) for one in stretches])]
    guesses = [one.estimate(name) for one in stretches]
    if any(guesses):
        curves.append(_curve(f"{name_of(name)}, estimated", stretches, guesses, guess=True))
    curves = [one for one in curves if any(value is not None for _, value in one.points)]
    chart = Chart(f"{name_of(name)} over time ({better} is better)", tuple(curves), standing.baseline, "at training")
    rows = tuple(
        (
            between(one.since, one.until),
            measured(one.metric(name)),
            measured(one.estimate(name)),
            share(one.labels.coverage),
            f"{one.labels.rows:,}",
        )
        for one in reversed(stretches)
    )
    table = Table(("Time", name_of(name), "Estimate", "Labelled", "Predictions"), rows, numbers=frozenset({3, 4}))
    return [*([chart] if len(stretches) > 1 and curves else []), table]


def slices(standing: Standing) -> list[Part]:
    """Slices that are worse than the rest beyond chance, and those that were asked for."""
    heads = (name_of(standing.metric), "Error more than elsewhere", "Slice")
    found: list[Part] = []
    for title, listed in (
        ("Weakest slices", [one for one in standing.slices if not one.declared]),
        ("Slices asked for", [one for one in standing.slices if one.declared]),
    ):
        if listed:
            found.append(Table(heads, tuple(map(_slice, listed)), title))
    if not any(not one.declared for one in standing.slices):
        few = standing.whole.labels.labelled < 60
        text = "Too few labels to look for weak slices." if few else "No slice is worse than the others beyond chance."
        found.append(Words(text, MUTED))
    return found


def called(stretch: Stretch, measure: str) -> str:
    """What a measure of groups is called: of numbers nobody is selected, they have a mean."""
    kept = (one for group in stretch.groups for one in group.measures if one.name == measure)
    mean = measure == "selection" and any(one.method == "normal" for one in kept)
    return "mean answer" if mean else name_of(measure)


def groups(stretch: Stretch, min_rows: int) -> list[Part]:
    """Groups of the sensitive columns and the gaps between them."""
    if not stretch.groups:
        return []
    names = [name for name in GAPS if any(one.name == name for group in stretch.groups for one in group.measures)]
    said = {name: called(stretch, name) for name in names}
    heads = ("Group", *said.values(), "Predictions", "Labels")
    rows = tuple(_group(one, names, min_rows) for one in stretch.groups)
    roles = tuple(MUTED if one.rows < min_rows else "" for one in stretch.groups)
    parts: list[Part] = [Table(heads, rows, "Groups", roles, frozenset({len(names) + 1, len(names) + 2}))]
    if stretch.gaps:
        gap_heads = ("Column", "Gap in", "Gap", "95 %", "Lowest", "Highest")
        parts.append(Table(gap_heads, tuple(_gap(one, said) for one in stretch.gaps), "Gaps", numbers=frozenset({2})))
    parts.append(Words(f"Groups with fewer than {min_rows} rows of a kind are shown and not compared.", MUTED))
    return parts


def gaps_over_time(stretches: Sequence[Stretch]) -> list[Part]:
    """One chart of the gaps of each sensitive column."""
    charts: list[Part] = []
    for column in dict.fromkeys(gap.column for one in stretches for gap in one.gaps):
        curves = []
        for name in GAPS:
            found = [
                next((gap for gap in one.gaps if (gap.column, gap.measure) == (column, name)), None)
                for one in stretches
            ]
            if sum(gap is not None for gap in found) > 1:
                points = tuple(
                    (one.until, gap.value if gap else None) for one, gap in zip(stretches, found, strict=True)
                )
                lows, highs = (tuple(getattr(gap, end) if gap else None for gap in found) for end in ("low", "high"))
                curves.append(Curve(name_of(name), points, lows, highs))
        if curves:
            charts.append(Chart(f"Gaps between groups of {column}", tuple(curves), from_zero=True))
    return charts


def _curve(name: str, stretches: Sequence[Stretch], found: Sequence[Measure | None], *, guess: bool = False) -> Curve:
    points = tuple((one.until, each.value if each else None) for one, each in zip(stretches, found, strict=True))
    low, high = (
        tuple(each.low if each else None for each in found),
        tuple(each.high if each else None for each in found),
    )
    return Curve(name, points, low, high, guess)


def _slice(one: Slice) -> tuple[str, ...]:
    more = f"{one.difference:+.3g} ({one.low:+.3g} to {one.high:+.3g})"
    return measured(one.measure), more, f"{one.words} ({one.rows:,} labels, p {one.p:.2g})"


def _group(one: Group, names: Sequence[str], min_rows: int) -> tuple[str, ...]:
    found = {each.name: each for each in one.measures}
    few = " (too few)" if one.rows < min_rows else ""
    values = tuple(measured(found.get(name)) for name in names)
    return f"{one.column} = {one.level}{few}", *values, f"{one.rows:,}", f"{one.labelled:,}"


def _gap(one: Gap, said: dict[str, str]) -> tuple[str, ...]:
    spread = f"{number(one.low)} to {number(one.high)}"
    return one.column, said.get(one.measure, one.measure), number(one.value), spread, one.lowest, one.highest
