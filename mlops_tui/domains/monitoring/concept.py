"""Whether what follows from the inputs has changed: alarms on the stream of errors, for many labels and for few."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.monitoring.monitors import Detector
from mlops_tui.domains.monitoring.performance import limit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# An error of this many baseline errors is as bad as any: one wild label must not decide.
CLIP = 5.0
# What is replayed to rebuild the detectors: 0.2 microseconds each. They restart at every alarm, so few streams get there.
MAX_STREAM = 20_000
# Bets of the test for few labels: by how much of what is left to err a model errs more, and powers of conformal p-values.
WORSE = (0.1, 0.2, 0.35, 0.5, 0.75)
POWERS = (0.3, 0.45, 0.6, 0.75, 0.9)
EPOCH = 200
FEW_ALPHA = 0.01
LEAST_REFERENCE = 30


def normalised(errors: NDArray[np.float64], baseline: float | None, *, classification: bool) -> list[float]:
    """Errors between 0 and 1 as ADWIN's bound wants them: 0/1 as they are, sizes in baseline errors, clipped at five."""
    if classification:
        return [float(error) for error in errors]
    unit = CLIP * baseline if baseline else 1.0
    return [float(value) for value in np.clip(errors / unit, 0, 1)]


def watch(
    detector: Detector,
    errors: Sequence[float],
    times: Sequence[int],
    *,
    classification: bool = True,
    reference: Sequence[float] = (),
    margin: float = 0.1,
) -> Detector:
    """Feed new errors, in the order their labels arrived (`times`, ms), to the detectors.

    ADWIN (Bifet and Gavalda 2007) and, for sizes of errors, Page-Hinkley (Page 1954), as river implements them with its
    defaults, are rebuilt by replaying the values since their last alarm, which gives the very same state: no pickle in the
    database. Only a rise is an alarm; when the error falls, ADWIN forgets the past and the stream goes on. Both want hundreds
    of labels; with few, bets against `reference` (see `bet`) notice a large change first.
    """
    import river.drift  # 2 s to import, so only where a stream is fed

    new: list[Callable[[], Any]] = [river.drift.ADWIN]
    if not classification:
        new.append(lambda: river.drift.PageHinkley(mode="up"))
    stream = list(struct.unpack(f"<{len(detector.errors) // 4}f", detector.errors))
    detectors = [make() for make in new]
    for value in stream:
        for each in detectors:
            each.update(value)
    concept_at, before, by = detector.concept_at, detector.before, detector.by
    for value, at in zip(_as_32_bits(errors), times, strict=True):
        adwin = detectors[0]
        mean = adwin.estimation
        for each in detectors:
            each.update(value)
        stream.append(value)
        if any(each.drift_detected for each in detectors):
            risen = adwin.estimation > mean or not adwin.drift_detected
            if risen and concept_at is None:
                concept_at, before, by = at, mean, "ADWIN" if adwin.drift_detected else "Page-Hinkley"
            stream = []  # river begins anew after an alarm
            detectors = [make() for make in new]
    few, alarm = bet(detector.few, errors, reference, classification=classification, margin=margin)
    if alarm is not None and concept_at is None:
        concept_at, before, by = times[alarm], float(np.mean(reference)), "few labels"
    stream = stream[-MAX_STREAM:]
    return Detector(detector.version, struct.pack(f"<{len(stream)}f", *stream), concept_at, before, by, few)


def bet(
    few: tuple[float, ...],
    errors: Sequence[float],
    reference: Sequence[float],
    *,
    classification: bool,
    margin: float = 0.1,
) -> tuple[tuple[float, ...], int | None]:
    """Bet that errors are larger than those of `reference`; (the state, the place of the error that made 100 out of 1 or None).

    A test martingale (Vovk, Gammerman and Shafer 2005; Shafer 2021): while errors are at most `margin` larger than they
    were, no strategy makes a hundredfold of its stake with more than one chance in a hundred, however often one looks. The stake
    is spread over strengths of change and over the labels at which it may have come. Classes: likelihood ratios of a higher
    error rate against the upper 95 % bound of the known one. Sizes: powers of conformal p-values. The state is the number of
    labels and the wealth of each bet; it begins anew every 200 labels, as the reference is not known better than that.
    """
    if len(reference) < LEAST_REFERENCE or not errors:
        return few, None
    factors = _odds(errors, reference, margin) if classification else _powers(errors, reference, margin)
    seen, wealth = (few[0], np.array(few[1:])) if few else (0.0, np.zeros(factors.shape[1]))
    alarm = None
    for place, factor in enumerate(factors):
        if seen >= EPOCH:
            seen, wealth = 0.0, np.zeros(factors.shape[1])
        seen += 1
        wealth = (wealth + 1 / (seen * (seen + 1))) * factor
        if alarm is None and wealth.mean() >= 1 / FEW_ALPHA:
            alarm = place
    return (seen, *wealth.tolist()), alarm


def evidence(few: tuple[float, ...]) -> float:
    """What one unit of stake has become: 100 is an alarm, about 1 is nothing."""
    return float(np.mean(few[1:])) + 1 / (few[0] + 1) if few else 1.0


def _odds(errors: Sequence[float], reference: Sequence[float], margin: float) -> NDArray[np.float64]:
    share, rows = float(np.mean(reference)), len(reference)
    upper = share + 1.645 * math.sqrt(max(share * (1 - share), 1 / rows) / rows)
    known = min(max(upper, 1 / rows) * (1 + margin), 0.95)
    worse = known + (1 - known) * np.array(WORSE)
    wrong = np.asarray(errors, dtype=np.float64)[:, None]
    return np.asarray(np.where(wrong > 0.5, worse / known, (1 - worse) / (1 - known)))


def _powers(errors: Sequence[float], reference: Sequence[float], margin: float) -> NDArray[np.float64]:
    ordered = np.sort(np.asarray(reference, dtype=np.float64))
    values = np.asarray(errors, dtype=np.float64) / (1 + margin)
    larger = len(ordered) - np.searchsorted(ordered, values, side="left")
    p = ((larger + 1) / (len(ordered) + 1))[:, None]
    powers = np.array(POWERS)
    return np.asarray(powers * p ** (powers - 1))


def calmed(detector: Detector, recent: Sequence[float], margin: float) -> Detector:
    """The detector without its alarm, when recent errors are back to what they were before it."""
    if detector.concept_at is None or detector.before is None or not recent:
        return detector
    if sum(recent) / len(recent) > limit_of(detector.before, margin, classification=True):
        return detector
    return Detector(detector.version, detector.errors)


def _as_32_bits(values: Sequence[float]) -> tuple[float, ...]:
    """Values as they will be read back, so that replaying gives the same state to the last bit."""
    return struct.unpack(f"<{len(values)}f", struct.pack(f"<{len(values)}f", *values))
