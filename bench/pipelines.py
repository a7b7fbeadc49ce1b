"""What a run and a step of a pipeline cost, here and in other pipeline tools, all in one go.

    python bench/pipelines.py                                                  this one and bare Python
    python bench/pipelines.py --peer metaflow=/venvs/metaflow/bin/python ...   and metaflow, kedro, kedro-frames, prefect, zenml

Every tool runs a chain of trivial steps by its own command, in turn, one after another in each round, so that whatever else the
machine does hits all alike; medians of --rounds. Wall is what somebody at the terminal waits, CPU what all processes took for it,
those of a daemon too.

run     a chain of 5, from the command to its prompt, above `python -c pass`. Peers: in a fresh process with their defaults, caches
        off, handing on a number in memory; kedro-frames hands on what ours does, a table of 500 rows as Parquet (kedro-datasets).
        Ours: a run always joins, splits, trains and passes a gate as well; what these steps took, from start to end, is taken off.
        "less imports": taken off too is what importing the libraries takes bare Python, for who counts that as work.
step    each further step: of peers from chains of 5 and 15, of ours as the run recorded it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FEW, MANY = 5, 15
ROWS = 500
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
KEDRO = (
    "from kedro.io import DataCatalog, MemoryDataset\nfrom kedro.pipeline import node, pipeline\n"
    "from kedro.runner import SequentialRunner\n"
    "def same(x):\n    return x\n"
    "chain = pipeline([node(same, f'd{{i}}', f'd{{i + 1}}', name=f's{{i}}') for i in range({count})])\n"
)
METAFLOW = (
    "from metaflow import FlowSpec, step\nclass Chain(FlowSpec):\n{steps}\nif __name__ == '__main__':\n    Chain()\n"
)
PREFECT = (
    "from prefect import flow, task\n@task\ndef same(x):\n    return x\n"
    "@flow\ndef chain():\n    x = 1\n    for _ in range({count}):\n        x = same(x)\n    return x\nchain()\n"
)
ZENML = (
    "from zenml import pipeline, step\n@step(enable_cache=False)\ndef same(x: int) -> int:\n    return x\n"
    "@pipeline(enable_cache=False)\ndef chain():\n    x = 1\n    for _ in range({count}):\n        x = same(x)\nchain()\n"
)
FRAMES = (
    "import pandas as pd\nfrom kedro_datasets.pandas import ParquetDataset\n"
    "sets = {{f'd{{i}}': ParquetDataset(filepath=f'd{{i}}.parquet') for i in range({count} + 1)}}\n"
    "sets['d0'].save(pd.DataFrame({{'id': range({rows}), 'x': range({rows}), 'y': range({rows})}}))\n"
    "SequentialRunner().run(chain, DataCatalog(sets))\n"
)
PEERS = {
    "metaflow": (METAFLOW, ["run"]),
    "kedro": (KEDRO + "SequentialRunner().run(chain, DataCatalog({{'d0': MemoryDataset(1)}}))\n", []),
    "kedro-frames": (KEDRO + FRAMES, []),
    "prefect": (PREFECT, []),
    "zenml": (ZENML, []),
}


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall, and of processors."""

    wall: float
    cpu: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.cpu - other.cpu)

    def __truediv__(self, parts: float) -> Cost:
        return Cost(self.wall / parts, self.cpu / parts)


def timed(command: list[str], folder: Path, **environment: str) -> Cost:
    """The cost of a command with all it waited for; RuntimeError with its last line when it fails."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(lines[-1][:160] if lines else f"code {done.returncode}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


@dataclass
class Tool:
    """One row of the table: what each round measured."""

    name: str
    runs: list[Cost] = field(default_factory=list)
    steps: list[Cost] = field(default_factory=list)
    trouble: str = ""

    def prepare(self) -> None:
        """What is done once and not measured: databases and caches are made."""

    def measure(self) -> None:
        """One round."""

    def round(self, *, measured: bool) -> None:
        if self.trouble:
            return
        try:
            if measured:
                self.measure()
            else:
                self.prepare()
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            self.trouble = str(error)


@dataclass
class Bare(Tool):
    """A fresh interpreter for each step, which does nothing."""

    folder: Path = Path()

    def measure(self) -> None:
        spent = [timed([sys.executable, "-c", "pass"], self.folder) for _ in range(FEW + 1)]
        self.runs.append(Cost(sum(one.wall for one in spent[1:]), sum(one.cpu for one in spent[1:])))
        self.steps.append(spent[0])


@dataclass
class Peer(Tool):
    python: str = ""
    folder: Path = Path()

    def __post_init__(self) -> None:
        self.folder.mkdir()
        text, self.arguments = PEERS[self.name]
        for count in (FEW, MANY):
            names = ["start", *(f"s{at}" for at in range(count - 2)), "end"]
            steps = "".join(
                f"    @step\n    def {one}(self):\n        {f'self.next(self.{after})' if after else 'pass'}\n"
                for one, after in zip(names, [*names[1:], ""], strict=True)
            )
            (self.folder / f"chain{count}.py").write_text(text.format(count=count, steps=steps, rows=ROWS))

    def once(self, count: int) -> Cost:
        home = {
            "HOME": str(self.folder),
            "USERNAME": "bench",
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "ZENML_CONFIG_PATH": str(self.folder / "zenml"),
            "ZENML_ANALYTICS_OPT_IN": "false",
            "KEDRO_DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
        }
        return timed([self.python, str(self.folder / f"chain{count}.py"), *self.arguments], self.folder, **home)

    def prepare(self) -> None:
        self.once(FEW)

    def measure(self) -> None:
        bare = timed([self.python, "-c", "pass"], self.folder)
        few, many = self.once(FEW), self.once(MANY)
        self.runs.append(few - bare)
        self.steps.append((many - few) / (MANY - FEW))


@dataclass
class Own(Tool):
    """Our own command, with a daemon or without; `less` is the row of the same runs less the imports of their libraries."""

    shop: Shop | None = None
    options: tuple[str, ...] = ()
    less: Tool | None = None

    def prepare(self) -> None:
        assert self.shop is not None
        for count in (FEW, MANY):
            self.shop.run(count, self.options)

    def measure(self) -> None:
        assert self.shop is not None
        bare = timed([sys.executable, "-c", "pass"], self.shop.folder)
        whole, real, _ = self.shop.run(FEW, self.options)
        self.runs.append(whole - real - bare)
        _, _, trivial = self.shop.run(MANY, self.options)
        self.steps.append(trivial / MANY)
        if self.less is not None:
            self.less.runs.append(whole - real - timed([sys.executable, "-c", BARE], self.shop.folder))
            self.less.steps.append(trivial / MANY)


class Shop:
    """A workspace with a table of ROWS rows, and pipelines with FEW and MANY trivial steps."""

    def __init__(self, folder: Path) -> None:
        import pandas as pd

        from mlops_tui.core.workspace import Workspace
        from mlops_tui.workbench import Workbench

        self.folder = folder
        folder.mkdir()
        self.workspace = Workspace.create(folder / "shop")
        self.workspace.settings_file.write_text("[daemon]\nwarm_s = 3600\n[serving]\nenabled = false\n")
        (self.workspace.project / "steps.py").write_text("def same(frame):\n    return frame\n")
        self.workspace.pipelines.mkdir(exist_ok=True)
        with Workbench(self.workspace, actor="bench") as bench:
            bench.features.create("rows", ["id"])
            bench.features.ingest("rows", pd.DataFrame({"id": range(ROWS), "x": range(ROWS), "y": range(ROWS)}))
        for count in (FEW, MANY):
            text = DEFINITION.format(name=f"chain{count}") + "".join(STEP.format(at=at) for at in range(count))
            (self.workspace.pipelines / f"chain{count}.toml").write_text(text)

    def start(self) -> None:
        from mlops_tui.daemon import control

        control.start(self.workspace, 120)

    def close(self) -> None:
        from mlops_tui.daemon import control

        if control.status(self.workspace).running:
            control.stop(self.workspace)

    def run(self, count: int, options: tuple[str, ...]) -> tuple[Cost, Cost, Cost]:
        """The whole command, the steps that do real work, and the trivial ones from the first one's start to the last one's end."""
        from mlops_tui.core import processes
        from mlops_tui.workbench import Workbench

        before = self._standing()
        place = ["--workspace", str(self.workspace.root)]
        command = [sys.executable, "-m", "mlops_tui.cli.app", *place, "pipelines", "run", f"chain{count}", "--wait"]
        whole = timed([*command, *options], self.folder)
        with Workbench(self.workspace) as bench:
            run = bench.pipelines.runs(f"chain{count}", 1)[0]
            job = bench.jobs.get(run.job_id or 0)
            ended = processes.wait_for_exit(bench.jobs.folder(job), 30)
            folder = bench.pipelines.folder(run.id)
        trivial = [step for step in run.steps if step.name[1:].isdigit()]
        real = [step for step in run.steps if step not in trivial and step.started_at]
        took = sum((step.ended_at or 0) - (step.started_at or 0) for step in real) / 1000
        span = ((trivial[-1].ended_at or 0) - (trivial[0].started_at or 0)) / 1000
        cpu = whole.cpu + (ended.cpu_s if ended else 0.0) + self._standing() - before
        return Cost(whole.wall, cpu), Cost(took, _cpu(folder, real)), Cost(span, _cpu(folder, trivial))

    def _standing(self) -> float:
        """Seconds of processors that the daemon and what it started and waited for have taken so far."""
        found, hertz = 0, os.sysconf("SC_CLK_TCK")
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_text().split("\0")
                root = str((place / "cwd").readlink())
                fields = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if str(self.workspace.root) == root and {"mlops_tui.daemon", "mlops_tui.warm"} & set(words):
                standing = "mlops_tui.daemon" in words or words[-2].startswith("--")
                found += sum(map(int, fields[11:15])) if standing else 0
        return found / hertz


def _cpu(folder: Path, steps: list[Any]) -> float:
    """What steps took of processors, as each wrote down at its end; one that was taken over from the cache took none of its own."""
    found = 0.0
    for step in steps:
        path = folder / f"{step.name}.json"
        if not step.detail.startswith("as before") and path.exists():
            found += json.loads(path.read_text()).get("cpu_s", 0.0)
    return found


def table(tools: list[Tool]) -> str:
    """All rows, with how many times the first row of ours each is."""
    lines = [f"{'':<30}{'run: wall, s':>14}{'CPU, s':>10}{'step: wall, ms':>16}{'CPU, ms':>10}{'run, times ours':>18}"]
    first = next(tool for tool in tools if isinstance(tool, Own))
    ours = statistics.median(cost.wall for cost in first.runs)
    for tool in tools:
        if tool.trouble or not tool.runs:
            lines.append(f"{tool.name:<30}  {tool.trouble}")
            continue
        run, run_cpu, step, step_cpu = (
            statistics.median(getattr(cost, what) for cost in costs)
            for costs in (tool.runs, tool.steps)
            for what in ("wall", "cpu")
        )
        lines.append(
            f"{tool.name:<30}{run:>14.2f}{run_cpu:>10.2f}{step * 1000:>16.0f}{step_cpu * 1000:>10.0f}{run / ours:>18.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as made:
        shop, other = Shop(Path(made) / "with"), Shop(Path(made) / "without")
        less = Tool("  less imports")
        tools: list[Tool] = [
            Bare("a process a step", folder=Path(made)),
            Own("mlops-tui", shop=shop, options=("--no-cache",)),
            Own("mlops-tui, cached", shop=shop),
            Own("mlops-tui, no daemon", shop=other, options=("--no-cache",), less=less),
            less,
        ]
        for given in arguments.peer:
            name, _, python = given.partition("=")
            tools.append(Peer(name, python=python, folder=Path(made) / name))
        try:
            shop.start()
            for number in range(arguments.rounds + 1):
                for tool in tools:
                    tool.round(measured=number > 0)
                load = os.getloadavg()[0]
                print(f"round {number} of {arguments.rounds}, load {load:.1f}", file=sys.stderr, flush=True)
            print(table(tools), flush=True)
        finally:
            shop.close()


if __name__ == "__main__":
    main()
