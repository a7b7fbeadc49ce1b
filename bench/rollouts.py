"""Simulated rollouts through the judge of real ones: how often a version that is no worse is rolled back, and a worse one found.

    python bench/rollouts.py [--rollouts 400] [--requests 4000] [--share 10]

Each rollout is looked at after every stretch of traffic (20 requests of the canary, the others' in proportion) until it is rolled back
or the canary has answered --requests. Failures are independent; 1 % of the answers of both sides are slow.
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from mlops_tui.domains.serving.records import BOUNDS_MS, Interval, bucket_of
from mlops_tui.domains.serving.rollout import Action, Rollout, RolloutState, Rules, judge

STRETCH, SLOW, SLOW_MS = 20, 0.01, 20.0
RULES = Rules(bake_s=1e9)  # it never goes on, so that every look may roll it back


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rollouts", type=int, default=400)
    parser.add_argument("--requests", type=int, default=4000, help="of the canary, at most")
    parser.add_argument("--share", type=float, default=10.0, help="percent of the traffic that the canary has")
    given = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        for name, rate in (("no worse, 1 % against 1 %", 0.01), ("worse, 2 % against 1 %", 0.02)):
            wanted = [(seed, rate, given.requests, given.share) for seed in range(given.rollouts)]
            ended = [place for place in pool.map(rolled_back, wanted, chunksize=10) if place is not None]
            share, spread = len(ended) / given.rollouts, interval_of(len(ended), given.rollouts)
            median = f", median after {np.median(ended):,.0f} requests of the canary" if ended else ""
            print(
                f"{name}: {share:.1%} of {given.rollouts} rolled back (95 % {spread[0]:.1%} to {spread[1]:.1%}){median}",
                flush=True,
            )


def rolled_back(wanted: tuple[int, float, int, float]) -> int | None:
    """How many requests the canary had answered when it was rolled back, None when it was not."""
    seed, rate, most, share = wanted
    random = np.random.default_rng((seed, round(rate * 1e6)))
    rollout = Rollout(
        1, "live", "m", 2, {1: 100.0}, (share, 100.0), 0, RolloutState.RUNNING, RULES, "production", SLOW_MS, None, 1,
        "bench", "", "", began_at=0, step_at=0,
    )  # fmt: skip
    others = round(STRETCH * (100 - share) / share)
    traffic: list[Interval] = []
    for at in range(most // STRETCH):
        traffic += [stretch(random, 1, others, 0.01, at), stretch(random, 2, STRETCH, rate, at)]
        if judge(rollout, at * 2000, traffic, (), None).action is Action.ROLL_BACK:
            return (at + 1) * STRETCH
    return None


def stretch(random: np.random.Generator, version: int, requests: int, rate: float, at: int) -> Interval:
    """Traffic of one version between two looks."""
    histogram, slow = [0] * (len(BOUNDS_MS) + 1), int(random.binomial(requests, SLOW))
    histogram[bucket_of(4.0)] = requests - slow
    histogram[bucket_of(10 * SLOW_MS)] = slow
    failed = int(random.binomial(requests, rate))
    return Interval("live", version, at, 2000, requests, requests, 0, failed, 4.0 * requests, tuple(histogram))


def interval_of(found: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, found / of
    middle, half = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (middle - half) / (1 + z * z / of)), (middle + half) / (1 + z * z / of)


if __name__ == "__main__":
    main()
