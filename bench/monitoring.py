"""Drift monitoring: what a check costs and how exact its figures are, and what it cries on streams with known drift.

    python bench/monitoring.py cost [--rows 1000000]             a further window of 20 columns, against scipy's exact figures
    python bench/monitoring.py streams [--seeds 9000 9001] [--quick]   false alarms and detection on river's generators

Each prints a Markdown table. Peers run by interpreters of their own, named by MLOPS_BENCH_EVIDENTLY, MLOPS_BENCH_NANNYML,
MLOPS_BENCH_WHYLOGS and MLOPS_BENCH_FROUROS (pins that work: evidently 0.7.23 with pandas<3; nannyml 0.13.1 with statsmodels;
whylogs 1.6.4 with ipython and pybars3; frouros 0.9.0 with pandas and pyarrow). Seeds below 9000 were used to develop.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from monitoring_peers import peak_mb, spent
from monitoring_streams import REFERENCE, ROWS, STREAMS, WINDOWS, Stream, Tally, streams
from scipy import stats

from mlops_tui.core.lake import Lake
from mlops_tui.domains.monitoring import concept, joint
from mlops_tui.domains.monitoring.compare import compare
from mlops_tui.domains.monitoring.counting import counted
from mlops_tui.domains.monitoring.inputs import each_alpha
from mlops_tui.domains.monitoring.monitors import Detector
from mlops_tui.domains.monitoring.records import FeatureDrift
from mlops_tui.domains.monitoring.scan import Source, scan
from mlops_tui.domains.registry.profile import build_profile, count_like

PEERS = ("evidently", "nannyml", "whylogs")
ALPHA = 0.01
SEEDS = (9000, 9001)


# -- cost --------------------------------------------------------------------------------------------------------------


def frames(folder: Path, rows: int) -> None:
    """Reference and window of 14 numeric and 6 categorical columns; half of the numeric ones moved by up to 0.65 sd."""
    for name, seed in (("reference", 1), ("window", 2)):
        random = np.random.default_rng(seed)
        makers: list[Callable[[], Any]] = [
            lambda random=random: random.normal(3, 2, rows),
            lambda random=random: random.lognormal(0, 1, rows),
            lambda random=random: random.uniform(0, 5, rows),
            lambda random=random: random.gamma(2, 2, rows),
        ]
        data: dict[str, Any] = {f"n{place}": makers[place % 4]() for place in range(14)}
        if name == "window":
            for place in range(7):
                data[f"n{place}"] += (0.05 + 0.1 * place) * data[f"n{place}"].std()
        for place, levels in enumerate((2, 3, 8, 30, 100, 200)):
            data[f"c{place}"] = np.array([f"l{level}" for level in range(levels)])[random.integers(0, levels, rows)]
        pd.DataFrame(data).to_parquet(folder / f"{name}.parquet")


def own_check(folder: Path, profile: dict[str, Any], rows: int) -> list[FeatureDrift]:
    """One further window: the scan of its file, every column's figures and limits, and the pairs."""
    settings = SimpleNamespace(threads=2, memory="1GB")
    lake = Lake(SimpleNamespace(lake=folder, tmp=folder / "tmp"), settings)  # type: ignore[arg-type]
    source = Source(
        "SELECT *, file_row_number FROM read_parquet(?, file_row_number=true)",
        (str(folder / "window.parquet"),),
        key="file_row_number",
        rows=rows,
    )
    known = profile["correlations"]
    found = scan(
        lake, source, {name: (name, one) for name, one in profile["columns"].items()}, sampled=known["columns"]
    )[None]
    alpha = each_alpha(profile, ALPHA)
    joint.compare(known, found.sample, found.sampled, alpha)
    return [compare(name, column, found.columns[name], alpha) for name, column in profile["columns"].items()]


def own_cost(folder: Path, rows: int) -> None:
    """Prints one line of JSON: CPU of the first window and of a further one, memory, figures. Runs in a process of its own."""
    profile = json.loads((folder / "profile.json").read_text())
    first = spent()
    own_check(folder, profile, rows)
    before, wall = spent(), time.perf_counter()
    found = own_check(folder, profile, rows)
    out = {
        "cpu": spent() - before,
        "wall": time.perf_counter() - wall,
        "mb": peak_mb(),
        "first": before - first,
        "all_cpu": spent(),
    }
    values = {one.name: {"ks": one.ks, "wasserstein": one.wasserstein} for one in found}
    sys.stdout.write(json.dumps(out | {"values": values}) + "\n")


def cost(rows: int) -> None:
    """The table of costs, and how far KS and Wasserstein lie from scipy's exact ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames(folder, rows)
        reference, window = (pd.read_parquet(folder / f"{one}.parquet") for one in ("reference", "window"))
        before = spent()
        (folder / "profile.json").write_text(json.dumps(build_profile(reference)))
        profiled = spent() - before
        child = [sys.executable, __file__, "own", "--rows", str(rows), "--folder", name]
        mine = json.loads(subprocess.run(child, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        found: dict[str, dict[str, Any]] = {"this": mine}
        for peer in PEERS:
            other = run_peer("cost", peer, folder)
            if other is not None:
                found[peer] = other
        say(
            f"A further window of {rows:,} rows x 20 columns; the profile of the reference took {profiled:.1f} CPU s once.\n"
        )
        say("| | CPU s | wall s | memory MB | CPU against this |\n|---|---|---|---|---|")
        for peer, one in found.items():
            say(
                f"| {peer} | {one['cpu']:.2f} | {one['wall']:.2f} | {one['mb']:.0f} | {one['cpu'] / mine['cpu']:.0f} x |"
            )
        agreement(reference, window, mine["values"], found.get("evidently", {}).get("values", {}))


def agreement(
    reference: pd.DataFrame, window: pd.DataFrame, values: dict[str, Any], evidently: dict[str, float]
) -> None:
    """The largest differences from the exact statistics."""
    ks, moved, still, theirs = [], [], [], []
    for name in (one for one in reference.columns if one.startswith("n")):
        old, new = reference[name].to_numpy(), window[name].to_numpy()
        ks.append(abs(values[name]["ks"] - stats.ks_2samp(old, new, method="asymp").statistic))
        exact = stats.wasserstein_distance(old, new) / old.std()
        (moved if exact > 0.02 else still).append(
            abs(values[name]["wasserstein"] - exact) / (exact if exact > 0.02 else 1)
        )
        if name in evidently:
            theirs.append(abs(values[name]["wasserstein"] - evidently[name]) / max(evidently[name], 0.02))
    say(f"\nKS within {max(ks):.5f} of scipy's; Wasserstein within {max(moved):.2%} on columns that moved, "
        f"{max(still):.5f} sd on those that did not" + (f"; within {max(theirs):.2%} of Evidently's." if theirs else "."))  # fmt: skip


def run_peer(what: str, peer: str, folder: Path) -> dict[str, Any] | None:
    """What another library's interpreter prints, None where it is not named or fails."""
    python = os.environ.get(f"MLOPS_BENCH_{peer.upper()}")
    if not python:
        return None
    command = [python, str(Path(__file__).with_name("monitoring_peers.py")), what, peer, str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"NML_DISABLE_USAGE_LOGGING": "1"}
    )
    if done.returncode:
        say(f"{peer} failed: {done.stderr.strip().splitlines()[-1]}")
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# -- streams -----------------------------------------------------------------------------------------------------------


def own(stream: Stream) -> list[bool]:
    """Windows with anything past its limit, as a report says."""
    profile = build_profile(stream.reference())
    alpha, known = each_alpha(profile, ALPHA), profile["correlations"]
    alarms = []
    for window in stream.windows():
        moved = any(
            compare(name, column, counted(window[name], column), alpha).drifted
            for name, column in profile["columns"].items()
        )
        together = joint.compare(known, window[known["columns"]].to_numpy(dtype=float), known["columns"], alpha)
        alarms.append(moved or bool(together and together.drifted))
    return alarms


def told(windows: list[bool]) -> list[bool]:
    """Two of the last three, as somebody is told."""
    return [alarm and sum(windows[max(0, place - 2) : place + 1]) >= 2 for place, alarm in enumerate(windows)]


def adwin(stream: Stream) -> list[bool]:
    """river's ADWIN on each numeric column; the window in which any of them alarms."""
    from river.drift import ADWIN

    columns = [name for name in stream.frame.columns if stream.frame[name].dtype.kind in "fi"]
    detectors = {name: ADWIN() for name in columns}
    for value in stream.reference()[columns].to_dict("records"):
        for name, each in value.items():
            detectors[name].update(0.0 if math.isnan(each) else each)
    alarms = []
    for window in stream.windows():
        alarm = False
        for value in window[columns].to_dict("records"):
            for name, each in value.items():
                detectors[name].update(0.0 if math.isnan(each) else each)
                alarm = alarm or detectors[name].drift_detected
        alarms.append(alarm)
    return alarms


def ks_bonferroni(stream: Stream) -> list[bool]:
    """scipy's KS per numeric column and chi-squared per other, corrected for their number."""
    reference = stream.reference()

    def p(window: pd.DataFrame, name: str) -> float:
        old, new = reference[name].dropna(), window[name].dropna()
        if old.dtype.kind in "fi":
            return float(stats.ks_2samp(old, new).pvalue)
        table = pd.DataFrame({"old": old.value_counts(), "new": new.value_counts()}).fillna(0)
        return float(stats.chi2_contingency(table.to_numpy()).pvalue)

    columns = list(reference.columns)
    return [min(p(window, name) for name in columns) < ALPHA / len(columns) for window in stream.windows()]


def psi_fixed(stream: Stream) -> list[bool]:
    """PSI over ten deciles past 0.2 in any column, as is usual."""
    profile = build_profile(stream.reference())

    def psi(window: pd.DataFrame, name: str, column: dict[str, Any]) -> float:
        counts, nulls = count_like(window[name], column)
        old = [*column["counts"], *([column["other"]] if "other" in column else []), column["nulls"]]
        cut = (
            np.array_split(np.arange(len(old)), 10)
            if column["kind"] == "numeric"
            else [[one] for one in range(len(old))]
        )
        first, second = (
            np.array([np.sum(np.take(each, part)) for part in cut], float) for each in (old, [*counts, nulls])
        )
        p, q = (np.maximum(each / each.sum(), 1e-4) for each in (first, second))
        return float(((p - q) * np.log(p / q)).sum())

    return [any(psi(window, *item) > 0.2 for item in profile["columns"].items()) for window in stream.windows()]


def errors(stream: Stream) -> tuple[list[float], list[list[float]]]:
    """0/1 errors of a model trained on the first half of the reference: on the second half, and window by window."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y = stream.frame.to_numpy(dtype=float), np.asarray(stream.target).astype(int)
    half, whole = REFERENCE * ROWS // 2, REFERENCE * ROWS
    model = HistGradientBoostingClassifier(max_iter=40).fit(x[:half], y[:half])
    wrong = (model.predict(x[half:]) != y[half:]).astype(float).tolist()
    later = wrong[whole - half :]
    return wrong[: whole - half], [later[place * ROWS : (place + 1) * ROWS] for place in range(WINDOWS)]


def own_concept(stream: Stream) -> list[bool]:
    """Alarms of the monitor's detectors: ADWIN, and bets for few labels; it begins anew after each."""
    reference, windows = errors(stream)
    detector = Detector(1, concept.watch(Detector(1), reference[-1000:], [0] * len(reference[-1000:])).errors)
    alarms = []
    for window in windows:
        detector = concept.watch(detector, window, list(range(len(window))), reference=reference)
        alarms.append(detector.concept_at is not None)
        detector = Detector(1, detector.errors, few=detector.few)
    return alarms


def page_hinkley(stream: Stream) -> list[bool]:
    """river's Page-Hinkley on the error stream."""
    from river.drift import PageHinkley

    reference, windows = errors(stream)
    detector, alarms = PageHinkley(mode="up"), []
    for window in [reference, *windows]:
        alarm = False
        for error in window:
            detector.update(error)
            alarm = alarm or detector.drift_detected
        alarms.append(alarm)
    return alarms[1:]


INPUT: dict[str, Callable[[Stream], list[bool]]] = {
    "KS with Bonferroni, 0.01": ks_bonferroni,
    "PSI > 0.2, any column": psi_fixed,
    "river ADWIN per column": adwin,
}
LABELLED: dict[str, Callable[[Stream], list[bool]]] = {
    "this: ADWIN and bets on the errors": own_concept,
    "river Page-Hinkley on the errors": page_hinkley,
}


def run_streams(seeds: Iterable[int], quick: bool) -> None:
    """Both tables."""
    inputs: dict[str, Tally] = {}
    labelled: dict[str, Tally] = {}
    wandering: dict[str, Tally] = {}
    began = spent()
    with tempfile.TemporaryDirectory() as name:
        by_name: dict[str, tuple[Stream, int]] = {}
        for seed in seeds:
            for place, stream in enumerate(streams(seed)):
                if stream.concept or place < 4:
                    for detector, judge in LABELLED.items():
                        labelled.setdefault(detector, Tally()).add(stream, judge(stream), seed)
                if stream.concept:
                    continue
                stream.frame.to_parquet(Path(name) / f"{seed}-{place:02}.parquet", index=False)
                by_name[f"{seed}-{place:02}"] = (stream, seed)
                alone = own(stream)
                found = {"this, told after two of three windows": told(alone), "this, each window": alone}
                found |= {} if quick else {other: judge(stream) for other, judge in INPUT.items()}
                for detector, alarms in found.items():
                    inputs.setdefault(detector, Tally()).add(stream, alarms, seed)
                    if stream.name == "wandering":
                        wandering.setdefault(detector, Tally()).add(stream, alarms, seed)
        for peer in () if quick else ("evidently", "frouros"):
            for detector, alarms_of in ((run_peer("streams", peer, Path(name)) or {}).get("alarms") or {}).items():
                for key, alarms in alarms_of.items():
                    inputs.setdefault(detector, Tally()).add(by_name[key][0], alarms, by_name[key][1])
                    if by_name[key][0].name == "wandering":
                        wandering.setdefault(detector, Tally()).add(by_name[key][0], alarms, by_name[key][1])
    table("inputs", inputs, wandering)
    table("errors, with labels", labelled, {})
    say(
        f"\n{spent() - began:.0f} CPU s without peers; {len(STREAMS)} streams a seed; stated false-alarm rate {ALPHA:.0%} of windows."
    )


def table(title: str, tallies: dict[str, Tally], wandering: dict[str, Tally]) -> None:
    """One Markdown table: passes, false alarms with their 95 % interval (Wilson), detection."""
    say(
        f"\n| {title} | passed | false alarms per window (95 %) | without `wandering` | changes found in time | median delay |"
    )
    say("|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        apart = wandering.get(name, Tally())
        rest = share(tally.false - apart.false, tally.calm - apart.calm)
        delay = f"{np.median(tally.delays):.0f}" if tally.delays else "-"
        cells = [
            f"{tally.passed}/{tally.runs}",
            share(tally.false, tally.calm),
            rest,
            f"{tally.found}/{tally.changed}",
            delay,
        ]
        say(f"| {name} | {' | '.join(cells)} |")
    for name, tally in tallies.items():
        if name.startswith("this") and tally.failed:
            say(f"\n{name} did not pass: {', '.join(tally.failed)}.")


def share(count: int, of: int) -> str:
    """A share with Wilson's interval."""
    if not of:
        return "-"
    z, p = 1.96, count / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{p:.4f} ({max(low, 0):.4f} to {high:.4f})"


def say(text: str) -> None:
    """To standard output at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """One of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "streams", "own"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--quick", action="store_true", help="only this project's detectors")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.what == "own":
        own_cost(given.folder, given.rows)
    elif given.what == "cost":
        cost(given.rows)
    else:
        run_streams(given.seeds, given.quick)


if __name__ == "__main__":
    main()
