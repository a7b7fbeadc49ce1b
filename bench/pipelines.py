"""What a run and a step of a pipeline cost above bare Python, here and in other pipeline tools, all in one go.

    python bench/pipelines.py                                                  this one and bare Python
    python bench/pipelines.py --peer metaflow=/venvs/metaflow/bin/python ...   and metaflow, kedro, prefect, zenml

Each peer runs a chain of trivial steps in its own environment with its defaults, in a fresh process, caches off; a peer that does
not start is left out with its reason. Wall seconds, the median of --repeats. "run": 5 trivial steps above the same without the tool;
"step": each further one, of peers from chains of 5 and 15, of ours as the run recorded it. Of our own run, what its real steps
(join, training, gate ...) took is taken off, and so are the imports it shares with bare Python.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FEW, MANY = 5, 15
BARE = "import duckdb, pandas, pyarrow.parquet, sklearn.compose, sklearn.ensemble, sklearn.model_selection\n"
DEFINITION = """
[pipeline]
name = "{name}"
[data]
spine = "rows"
target = "y"
checks = "off"
[model]
task = "regression"
estimator = "sklearn.linear_model.LinearRegression"
[evaluate]
resamples = 100
"""
STEP = '\n[[steps]]\nname = "s{at}"\nuses = "steps.py:same"\n'
PEERS = {
    "metaflow": (
        (
            "from metaflow import FlowSpec, step\n"
            "class Chain(FlowSpec):\n{steps}\n"
            "if __name__ == '__main__':\n    Chain()\n"
        ),
        ["run"],
    ),
    "kedro": (
        (
            "from kedro.io import DataCatalog, MemoryDataset\nfrom kedro.pipeline import node, pipeline\n"
            "from kedro.runner import SequentialRunner\n"
            "def same(x):\n    return x\n"
            "chain = pipeline([node(same, f'd{{i}}', f'd{{i + 1}}', name=f's{{i}}') for i in range({count})])\n"
            "SequentialRunner().run(chain, DataCatalog({{'d0': MemoryDataset(1)}}))\n"
        ),
        [],
    ),
    "prefect": (
        (
            "from prefect import flow, task\n@task\ndef same(x):\n    return x\n"
            "@flow\ndef chain():\n    x = 1\n    for _ in range({count}):\n        x = same(x)\n    return x\nchain()\n"
        ),
        [],
    ),
    "zenml": (
        (
            "from zenml import pipeline, step\n@step(enable_cache=False)\ndef same(x: int) -> int:\n    return x\n"
            "@pipeline(enable_cache=False)\ndef chain():\n    x = 1\n    for _ in range({count}):\n        x = same(x)\nchain()\n"
        ),
        [],
    ),
}


def timed(command: list[str], folder: Path, **environment: str) -> float:
    """Wall seconds of a command; RuntimeError with its last line when it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(lines[-1][:160] if lines else f"code {done.returncode}")
    return time.perf_counter() - started


def median(measure: object, repeats: int) -> float:
    return statistics.median(measure() for _ in range(repeats))  # type: ignore[operator]


def peer(name: str, python: str, folder: Path, repeats: int) -> tuple[float, float]:
    """Seconds of a run of FEW trivial steps above bare Python, and of each further step."""
    text, arguments = PEERS[name]
    home = {
        "HOME": str(folder),
        "USERNAME": "bench",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "ZENML_CONFIG_PATH": str(folder / "zenml"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "KEDRO_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }
    spent = {}
    for count in (FEW, MANY):
        names = ["start", *(f"s{at}" for at in range(count - 2)), "end"]
        steps = "".join(
            f"    @step\n    def {one}(self):\n        {f'self.next(self.{after})' if after else 'pass'}\n"
            for one, after in zip(names, [*names[1:], ""], strict=True)
        )
        path = folder / f"chain{count}.py"
        path.write_text(text.format(count=count, steps=steps))
        command = [python, str(path), *arguments]
        timed(command, folder, **home)  # databases and caches are made
        spent[count] = median(lambda command=command: timed(command, folder, **home), repeats)
    bare = median(lambda: timed([python, "-c", "pass"], folder), repeats)
    return spent[FEW] - bare, (spent[MANY] - spent[FEW]) / (MANY - FEW)


def own(folder: Path, repeats: int) -> list[tuple[str, float, float]]:
    """Rows of the table: steps done anew, and taken from the cache."""
    import pandas as pd

    from mlops_tui.core.workspace import Workspace
    from mlops_tui.workbench import Workbench

    workspace = Workspace.create(folder / "shop")
    (workspace.project / "steps.py").write_text("def same(frame):\n    return frame\n")
    workspace.pipelines.mkdir(exist_ok=True)
    with Workbench(workspace, actor="bench") as bench:
        bench.features.create("rows", ["id"])
        bench.features.ingest("rows", pd.DataFrame({"id": range(500), "x": range(500), "y": range(500)}))
    for count in (FEW, MANY):
        text = DEFINITION.format(name=f"chain{count}") + "".join(STEP.format(at=at) for at in range(count))
        (workspace.pipelines / f"chain{count}.toml").write_text(text)
    rows = []
    for label, options in (("mlops-tui", ["--no-cache"]), ("mlops-tui, cached", [])):
        few = []
        for _ in range(repeats + 1):  # side by side in time, so that whatever else the machine does hits both
            bare = timed([sys.executable, "-c", BARE], folder)
            wall, real, _ = _run(workspace, f"chain{FEW}", options)
            few.append(wall - real - bare)
        many = [_run(workspace, f"chain{MANY}", options) for _ in range(repeats + 1)][1:]
        run = statistics.median(few[1:])
        rows.append((label, run, statistics.median(span / MANY for _, _, span in many)))
    return rows


def _run(workspace: object, name: str, options: list[str]) -> tuple[float, float, float]:
    """Wall seconds of the command, seconds in steps that do real work, and from the first trivial step to the last one's end."""
    from mlops_tui.workbench import Workbench

    root = str(workspace.root)  # type: ignore[attr-defined]
    command = [
        sys.executable,
        "-m",
        "mlops_tui.cli.app",
        "--workspace",
        root,
        "pipelines",
        "run",
        name,
        "--wait",
        *options,
    ]
    wall = timed(command, Path.cwd())
    with Workbench(workspace) as bench:  # type: ignore[arg-type]
        run = bench.pipelines.runs(name, 1)[0]
    trivial = [step for step in run.steps if step.name[1:].isdigit()]
    real = sum(
        (step.ended_at or 0) - (step.started_at or 0) for step in run.steps if step not in trivial and step.started_at
    )
    return wall, real / 1000, ((trivial[-1].ended_at or 0) - (trivial[0].started_at or 0)) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"{'':<20}{'run, s':>10}{'step, ms':>10}")
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "bare").mkdir()
        processes = median(
            lambda: sum(timed([sys.executable, "-c", "pass"], Path(made)) for _ in range(FEW)), arguments.repeats
        )
        print(f"{'a process a step':<20}{processes:>10.2f}{processes / FEW * 1000:>10.0f}")
        for label, run, step in own(Path(made), arguments.repeats):
            print(f"{label:<20}{run:>10.2f}{step * 1000:>10.0f}", flush=True)
        for given in arguments.peer:
            name, _, python = given.partition("=")
            folder = Path(made) / name
            folder.mkdir()
            try:
                run, step = peer(name, python, folder, arguments.repeats)
                print(f"{name:<20}{run:>10.2f}{step * 1000:>10.0f}", flush=True)
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
                print(f"{name:<20}{'':>10}{'':>10}  {error}", flush=True)


if __name__ == "__main__":
    main()
