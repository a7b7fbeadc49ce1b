"""The sections of a model card about how the model was judged, from what its run kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_tui.domains.registry.evidence import Evidence

Rows = Iterable[tuple[Any, ...]]
Table = tuple[tuple[str, ...], list[tuple[Any, ...]]]
MOST = 15
_FAIRNESS = "fairness "  # how the gate calls its checks of gaps between groups


def charter(found: Evidence) -> str:
    """Why it exists, and what it promised."""
    said, promises = str(found.charter.get("problem", "")), found.charter.get("success", [])
    wanted = [f"- success: {text}" for text in promises if isinstance(text, str)] if isinstance(promises, list) else []
    return "\n\n".join(part for part in (said, "\n".join(wanted)) if part)


def intervals(found: Evidence) -> Table | None:
    """Each metric of the test with its interval."""
    metrics, spans = _numbers(found.report.get("metrics")), found.report.get("intervals")
    spans = spans if isinstance(spans, dict) else {}
    if not metrics:
        return None
    level = found.report.get("confidence")
    head = f"{level:.0%} interval" if isinstance(level, float) else "Interval"
    rows = [(name, _number(value), _span(spans.get(name))) for name, value in metrics.items()]
    return ("Metric", f"On {_count(found.report.get('rows'))} test rows", head), rows


def slices(found: Evidence) -> Table | None:
    """The main metric by group."""
    listed = _dicts(found.report.get("slices"))
    if not listed:
        return None
    rows = [
        (
            f"{one.get('column')} = {one.get('level')}",
            _count(one.get("rows")),
            _number(one.get("value")),
            _span((one.get("low"), one.get("high"))),
        )
        for one in listed[:MOST]
    ]
    return ("Slice", "Rows", str(found.report.get("primary", "value")), "Interval"), rows


def calibration(found: Evidence) -> tuple[str, Table | None]:
    """How probabilities compare with what happened, in a sentence and by bin; "" where there are none."""
    said = found.report.get("calibration")
    if not isinstance(said, dict):
        return "", None
    words = ", ".join(f"{name} {_number(said[key])}" for key, name in (("ece", "expected calibration error"), ("brier", "Brier score"))
                      if isinstance(said.get(key), float | int))  # fmt: skip
    bins = _dicts(said.get("bins"))
    if not bins:
        return words, None
    heads = tuple(bins[0])
    return words, (heads, [tuple(_number(one.get(head)) for head in heads) for one in bins[:MOST]])


def importance(found: Evidence) -> Table | None:
    """By how much the main metric gets worse without each column, most first."""
    listed = _dicts(found.explanation.get("importance"))
    if not listed:
        return None
    metric = found.explanation.get("metric", "metric")
    return ("Column", f"{metric} lost without it", "Spread"), [
        (f"`{one.get('column')}`", _number(one.get("mean")), _number(one.get("sd"))) for one in listed[:MOST]
    ]


def effects(found: Evidence) -> tuple[str, Table | None]:
    """How much each column moves single answers, in a sentence and as a table; "" where no SHAP values were computed."""
    said = found.explanation.get("shap")
    if not isinstance(said, dict) or not (listed := _dicts(said.get("columns"))):
        return "", None
    what = f"the probability of {said['label']}" if said.get("label") else "the answer"
    rows, base = _count(said.get("rows")), _number(said.get("base"))
    words = f"SHAP values of {rows} stored rows: what each column adds to {what}, which is {base} on average."
    shown = [
        (f"`{one.get('column')}`", _number(one.get("mean")), _span((one.get("low"), one.get("high"))))
        for one in listed[:MOST]
    ]
    return words, (("Column", "Moves it by, on average", "Nine in ten rows"), shown)


def limits(found: Evidence, tags: Mapping[str, str], profiled: bool) -> str:
    """What is known of where it should not be trusted, as a list."""
    lines = []
    if tags.get("learned_until"):
        lines.append(f"- It has learned from rows until {tags['learned_until']}; later ones it has never seen.")
    if profiled:
        lines.append("- Inputs outside of the ranges and levels above were not in its training data.")
    judged = [one for one in _dicts(found.report.get("slices")) if one.get("value") is not None]
    few = [one for one in judged if isinstance(one.get("rows"), int) and one["rows"] < 100]
    if few:
        names = ", ".join(f"{one.get('column')} = {one.get('level')} ({one['rows']})" for one in few[:5])
        lines.append(f"- Judged on fewer than 100 rows: {names}.")
    if not found.report:
        lines.append("- Its run kept no test report, so nothing is known of slices and intervals.")
    return "\n".join(lines)


def fairness(found: Evidence) -> tuple[str, Table | None]:
    """What was declared, and the gaps between groups that the gate measured; who wants groups watched says so in the definition."""
    if not found.fairness:
        return "No groups were declared ([fairness] of the pipeline), so none were compared.", None
    said = ", ".join(f"{name} {_listed(value)}" for name, value in found.fairness.items())
    gaps = [one for one in _dicts(found.verdict.get("checks")) if str(one.get("name")).startswith(_FAIRNESS)]
    if not gaps:
        return f"Declared, and held by the gate: {said}. Its run kept no measured gaps.", None
    words = {True: "yes", False: "**no**", None: "open"}
    rows = [
        (
            str(one["name"]).removeprefix(_FAIRNESS),
            _number(one.get("value")),
            _span((one.get("low"), one.get("high"))),
            str(one.get("limit", "")),
            _count(one.get("rows")) if one.get("rows") else "",
            words.get(one.get("passed"), ""),
            str(one.get("detail", "")).partition("; ")[2] or str(one.get("detail", "")),
        )
        for one in gaps
    ]
    return f"Declared: {said}. Measured by the gate on the test rows:", (
        ("Of", "Gap", "Interval", "Wanted", "Rows", "Held", "Groups"),
        rows,
    )


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _numbers(value: Any) -> dict[str, float]:
    return {str(k): v for k, v in value.items() if isinstance(v, float | int)} if isinstance(value, dict) else {}


def _span(value: Any) -> str:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(isinstance(one, float | int) for one in value):
        return ""
    return f"{_number(value[0])} to {_number(value[1])}"


def _number(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_number(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float | int) else str(value if value is not None else "")


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "its"
