"""Bytes and processor time of the terminal application, from a pseudo-terminal. Run by hand: python bench/tui.py

Beside it, for the same work: Textual's own driver, textual-plotext (with MLOPS_BENCH_PYTHON, the python of an environment
that has it) and btop. What is not installed is skipped and said. 120x40, truecolour, xterm-256color.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.terminal.pty_session import Session, environment
from bench.terminal.subjects import RUSH, answer

ROOT = Path(__file__).resolve().parents[1]
SUBJECTS = str(ROOT / "bench" / "terminal" / "subjects.py")
LINE = 32 * 1024
KIB = 1024


@dataclasses.dataclass(frozen=True)
class Cost:
    """What something cost: bytes to the terminal and processor seconds."""

    written: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.written / KIB:8.2f} KiB   CPU {self.cpu * 1000:7.1f} ms"


def subject(
    kind: str, driver: str, *, line: int | None = None, python: str = sys.executable, still: bool = False
) -> Session:
    """One of the small applications in a terminal; MLOPS_BENCH_PYTHON brings the peers."""
    env = environment(TEXTUAL_ANIMATIONS="none", PYTHONPATH=str(ROOT))
    return Session([python, SUBJECTS, kind, driver, *(["still"] if still else [])], env=env, line=line)


def application(project: Path, where: str, **env: str) -> Session:
    """Ours, on a workspace."""
    own = {"XDG_STATE_HOME": str(project / "state"), "XDG_CONFIG_HOME": str(project / "config")}
    command = [sys.executable, "-m", "mlops_tui.cli.app", "-w", str(project), "tui", where]
    return Session(command, env=environment(PYTHONPATH=str(ROOT), **own, **env))


def workspace(folder: Path, runs: int = 100) -> Path:
    """A project with some life in it."""
    from mlops_tui.core.workspace import Workspace
    from mlops_tui.workbench import Workbench

    made = Workspace.create(folder / "bench")
    with Workbench(made, actor="bench") as bench:
        for name in ("hours", "stations", "weather"):
            bench.features.create(name, ["station"])
        for number in range(runs):
            run = bench.experiments.start("hire", name=f"boost-{number}", tags={"team": "city"})
            bench.experiments.finish(run.id, "finished")
    return made.project


def idle(project: Path, seconds: float = 5.0) -> float:
    """Bytes a second of a desk that nothing happens on."""
    with application(project, "features") as session:
        assert session.until(b"hours"), session.seen
        session.quiet(2.0)
        before = session.written
        time.sleep(seconds)
        return (session.written - before) / seconds


@dataclasses.dataclass(frozen=True)
class Start(Cost):
    """`cpu` until the first picture with what was looked for in it; `settled` once nothing more comes."""

    settled: float = 0.0


def first_paint(session: Session, found: bytes, pause: float = 0.8) -> Start:
    """From the start of the program until its first picture stands; the bytes are those of all that follows at once."""
    with session:
        assert session.until(found), session.seen
        cpu = session.cpu()
        session.quiet(pause)
        return Start(session.written, cpu, session.cpu())


def page_down(driver: str, pages: int = 20) -> Cost:
    """One page further in a table of a million rows: the mean of `pages`."""
    with subject("table", driver) as session:
        assert session.until(b"column 3"), session.seen
        session.quiet(0.8)
        session.type("\x1b[6~")
        session.quiet(0.5)
        before, cpu = session.written, session.cpu()
        for _ in range(pages):
            seen = session.written
            session.type("\x1b[6~")
            session.until(lambda data: len(data) > 200, after=seen)
            session.quiet(0.15)
        return Cost((session.written - before) / pages, (session.cpu() - cpu) / pages)


def live(session: Session, seconds: float = 12.0, found: bytes = b"AAAAAAAAAAAA") -> Cost:
    """A second of something live."""
    with session:
        assert session.until(found), session.seen
        time.sleep(4.0)
        before, cpu, since = session.written, session.cpu(), session.now
        time.sleep(seconds)
        took = session.now - since
        return Cost((session.written - before) / took, (session.cpu() - cpu) / took)


def rushed(kind: str) -> float:
    """Bytes that a second of eight live charts costs, from 20 seconds of them in a hurry: any machine sends the same."""
    with subject(kind, "thin", still=True) as session:
        assert session.until(answer(0).encode()), session.seen
        session.quiet(0.3)
        before = session.written
        session.type("t")
        assert session.until(answer(1).encode(), after=before), session.seen
        session.quiet(0.1)
        return (session.written - before) / RUSH


def before_an_answer(kind: str, presses: int = 4) -> list[int]:
    """Bytes that reach the far end of a line of 32 KiB/s between a key and its answer while charts want three times as much."""
    out = []
    with subject(kind, "thin", line=LINE, still=True) as session:
        assert session.until(answer(0).encode()), session.seen
        session.quiet(0.3)
        for number in range(1, 2 * presses, 2):
            begun = session.written
            session.type("t")
            assert session.until(lambda seen: len(seen) > 8 * KIB, after=begun), session.seen
            before = session.written
            session.type("k")
            found = answer(number).encode()
            assert session.until(found, after=before), session.seen
            out.append(session.seen[before:].index(found))
            assert session.until(answer(number + 1).encode(), after=before), session.seen
            session.quiet(0.2)
    return out


def key_to_paint(kind: str, driver: str, presses: int = 9, python: str = sys.executable) -> list[float]:
    """Seconds from a key to its answer at the far end of a line of 32 KiB/s, under live charts; at most 20 each."""
    out = []
    with subject(kind, driver, line=LINE, python=python) as session:
        session.until(answer(0).encode(), limit=30)
        time.sleep(5.0)
        for number in range(1, presses + 1):
            before, pressed = session.written, session.now
            session.type("k")
            answered = session.until(answer(number).encode(), after=before)
            out.append((answered or session.now) - pressed)
            if answered is None:
                break
            time.sleep(0.37)
    return out


def best(make: Callable[[], Any], times: int = 3) -> Any:
    """Of several tries the one with the least processor time: this is how others on the machine are kept out."""
    return min((make() for _ in range(times)), key=lambda cost: cost.cpu)


def has_plotext() -> str | None:
    """A Python that has textual-plotext."""
    python = os.environ.get("MLOPS_BENCH_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", "import textual_plotext"], check=False, capture_output=True)
    return python if done.returncode == 0 else None


def show(name: str, figure: object, note: str = "") -> None:
    print(f"{name:<44}{figure}  {note}", flush=True)


def starting(project: Path) -> None:
    print("-- start and idle")
    show("idle, our driver", f"{idle(project):8.2f} B/s")
    empty = best(lambda: first_paint(subject("empty", "stock"), b"empty"))
    show("first paint, empty Textual app", empty)
    for name, desk, found, plain in (
        ("100 runs, stock driver", "experiments", b"boost", "1"),
        ("100 runs, our driver", "experiments", b"boost", ""),
        ("overview, our driver", "overview", b"Next fires", ""),
    ):
        paint = best(
            lambda desk=desk, found=found, plain=plain: first_paint(
                application(project, desk, MLOPS_PLAIN_DRIVER=plain), found
            ),
            times=5,
        )
        over, settled = (paint.cpu - empty.cpu) * 1000, paint.settled * 1000
        show(f"first paint, {name}", paint, f"{over:+.0f} ms over empty; {settled:.0f} ms when all panes stand")


def moving() -> None:
    print("-- page-down in a million rows, each")
    for name, driver in (("stock driver", "stock"), ("our driver", "thin")):
        show(f"page-down, {name}", page_down(driver))


def charts() -> None:
    print("-- eight live charts at 1 Hz, a second")
    python = has_plotext()
    for kind in ("bucketed", "scrolling"):
        for name, driver in (("stock driver", "stock"), ("our driver", "thin")):
            show(f"our charts, {kind}, {name}", live(subject(kind, driver)))
    if python is None:
        show("textual-plotext", "not installed, skipped", "(MLOPS_BENCH_PYTHON=PYTHON that has it)")
    else:
        for name, driver in (("stock driver", "stock"), ("our driver", "thin")):
            show(f"textual-plotext, scrolling, {name}", live(subject("plotext", driver, python=python)))
    if shutil.which("btop") is None:
        show("btop", "not installed, skipped")
    else:
        env = environment(LANG="C.UTF-8", HOME=tempfile.gettempdir())
        show(
            "btop, as it comes (a picture in 2 s)",
            live(Session(["btop", "--utf-force"], env=env), found=b"\x1b[?1049h"),
        )


def slow_line() -> None:
    print("-- key to paint on a line of 32 KiB/s under eight scrolling charts, seconds: median, worst")
    python = has_plotext()
    cases = [
        ("our charts, our driver", "scrolling", "thin", sys.executable),
        ("our charts, stock driver", "scrolling", "stock", sys.executable),
    ]
    if python is not None:
        cases.append(("textual-plotext, stock driver", "plotext", "stock", python))
    for name, kind, driver, runs in cases:
        took = key_to_paint(kind, driver, python=runs)
        show(name, f"{statistics.median(took):8.3f} {max(took):8.3f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        starting(workspace(Path(temporary)))
    moving()
    charts()
    slow_line()
