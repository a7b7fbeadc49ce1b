"""What values a series can take, so that a rule that could never hold, or would always, is refused when it is made. Pure."""

from __future__ import annotations

import math
import re

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.alerts.rules import Rule, Watch

_SHARE = r"\w+\.(error_rate|success_rate|outliers|coverage|(selection|tpr|fpr)_gap(_low)?)"
_PERCENT = (
    r"hardware\.(cpu|memory|disk|swap|gpu\d+_(utilization|memory|bandwidth|encoder|decoder))|deployment\.saturation"
)
_ANY = r"\w+\.(\w*temperature|performance|estimate|\w+_low)"  # scores may be negative, and so may what is surely there


def between(series: str) -> tuple[float, float]:
    """The lowest and the highest value of a series."""
    if re.fullmatch(_SHARE, series):
        return 0.0, 1.0
    if re.fullmatch(_PERCENT, series):
        return 0.0, 100.0
    return (-math.inf if re.fullmatch(_ANY, series) else 0.0), math.inf


def check(rule: Rule) -> None:
    """Raise InvalidInput for a limit that no value is ever beyond."""
    low, high = between(rule.series)
    if (rule.test is Watch.ABOVE and rule.limit >= high) or (rule.test is Watch.BELOW and rule.limit <= low):
        ends = f"{low:g} to {high:g}" if high < math.inf else f"{low:g} or more"
        hint = f"5 % is {rule.test} 0.05." if high == 1 else "It would never hold."
        raise InvalidInput(f"{rule.series} is {ends}, never {rule.test} {rule.limit:g}.", hint=hint)
