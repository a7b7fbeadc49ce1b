"""What one redraw of a chart costs in CPU, ours beside plotext when it is installed. Run by hand: python bench/charts.py

plotext is looked for in this environment, else in the Python that MLOPS_BENCH_PYTHON names (a virtual environment with
`pip install "plotext<6"`); without it its column says so.
"""

from __future__ import annotations

import importlib.util
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable

WIDTH, HEIGHT = 100, 20
POINTS = (100, 1_000, 10_000, 100_000)
ROUNDS = 10


def values(count: int) -> list[float]:
    """A noisy falling curve, as losses are."""
    chance = random.Random(7)
    return [math.exp(-3 * at / count) + 0.05 * chance.random() for at in range(count)]


def cpu_ms(redraw: Callable[[], object]) -> float:
    """The least CPU of several redraws: the others were disturbed."""
    best = math.inf
    for _ in range(ROUNDS):
        before = time.process_time()
        redraw()
        best = min(best, time.process_time() - before)
    return best * 1000


def ours(count: int, kind: str = "braille", curves: int = 1) -> float:
    from mlops_tui.tui.charts.line import Plot, Series, View, draw

    ys = tuple(values(count))
    xs = tuple(map(float, range(count)))
    plot = Plot(tuple(Series(f"run {at}", xs, tuple(y + at / 10 for y in ys)) for at in range(curves)))
    return cpu_ms(lambda: draw(plot, WIDTH, HEIGHT, View(canvas=kind)))


def theirs(count: int) -> float:
    import plotext

    ys = values(count)
    xs = list(range(count))

    def redraw() -> object:
        plotext.clear_figure()
        plotext.plotsize(WIDTH, HEIGHT)
        plotext.plot(xs, ys, marker="braille")
        return plotext.build()

    return cpu_ms(redraw)


def peer() -> list[float] | None:
    """Milliseconds per count, here or in the other Python; None without plotext."""
    if importlib.util.find_spec("plotext") is not None:
        return [theirs(count) for count in POINTS]
    other = os.environ.get("MLOPS_BENCH_PYTHON")
    if not other:
        return None
    out = subprocess.run([other, __file__, "--peer"], capture_output=True, text=True, check=False)
    return [float(word) for word in out.stdout.split()] if out.returncode == 0 else None


def main() -> None:
    found = peer()
    print(f"CPU of one redraw, {WIDTH} x {HEIGHT} cells, least of {ROUNDS} (ms)")
    print(f"{'points':>8}  {'ours':>8}  {'ascii':>8}  {'4 curves':>8}  {'plotext':>8}")
    for at, count in enumerate(POINTS):
        other = f"{found[at]:8.1f}" if found else "  absent"
        print(f"{count:>8,}  {ours(count):8.2f}  {ours(count, 'ascii'):8.2f}  {ours(count, curves=4):8.2f}  {other}")
    if found is None:
        print("plotext is not installed, skipped: MLOPS_BENCH_PYTHON=PYTHON names an environment that has it")


if __name__ == "__main__":
    if "--peer" in sys.argv:
        print(*(theirs(count) for count in POINTS))
    else:
        main()
