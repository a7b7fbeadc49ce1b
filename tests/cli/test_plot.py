"""`--plot` and `runs watch`, as typed."""

from __future__ import annotations

import json
import threading

import pytest

from mlops_tui.cli import plotting
from mlops_tui.cli.app import main
from mlops_tui.cli.paper import Paper, paper
from mlops_tui.cli.watching import Repaint
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.domains.hardware.records import Driver, Limits, Reading
from mlops_tui.domains.monitoring.records import FeatureDrift, Report, Verdict
from mlops_tui.workbench import Workbench


@pytest.fixture
def mlops(workspace, capsys, monkeypatch):
    """Run a command on paper of 60 cells; (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "24")

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["--workspace", str(workspace.root), *arguments])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


@pytest.fixture
def run(workspace):
    """A finished run with a curve and a single value; its id."""
    with Workbench(workspace, actor="ana") as bench:
        found = bench.experiments.start("churn", name="try")
        writer = RunWriter(workspace, found.id)
        writer.metrics([("loss", step, 1 / (1 + step)) for step in range(20)])
        writer.metrics([("auc", 0, 0.75)])
        writer.close()
        bench.experiments.take_in()
        bench.experiments.finish(found.id)
    return found.id


def test_a_metric_is_drawn_as_wide_as_the_terminal_and_without_colour_in_a_pipe(mlops, run) -> None:
    code, out, _ = mlops("runs", "metrics", run, "--key", "loss", "--plot")
    assert code == 0
    rows = out.splitlines()
    assert rows[-1].startswith("● loss 0.05  min 0.05 max 1")
    assert max(map(len, rows)) == 60
    assert any("⠀" < glyph <= "⣿" for glyph in out)
    assert "\x1b" not in out


def test_with_ascii_nothing_else_is_printed(mlops, run) -> None:
    code, out, _ = mlops("runs", "metrics", run, "--plot", "--ascii")
    assert code == 0
    assert out.isascii()
    assert "auc  0.75 at step 0" in out
    assert "o loss 0.05" in out


def test_a_picture_and_json_exclude_each_other(mlops, run) -> None:
    code, _, err = mlops("runs", "metrics", run, "--plot", "--json")
    assert code == 2
    assert "choose one" in err


def test_runs_are_drawn_over_each_other(mlops, run, workspace) -> None:
    with Workbench(workspace, actor="ana") as bench:
        other = bench.experiments.start("churn", name="again")
        writer = RunWriter(workspace, other.id)
        writer.metrics([("loss", step, 2 / (1 + step)) for step in range(20)])
        writer.close()
        bench.experiments.take_in()
    code, out, _ = mlops("runs", "compare", run, other.id, "--plot")
    assert code == 0
    assert out.splitlines()[0] == "loss"
    assert "● try 0.05" in out
    assert "▲ again 0.1" in out


def test_a_locale_without_unicode_gets_ascii(monkeypatch) -> None:
    class Latin:
        encoding = "latin-1"

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdout", Latin())
    assert paper().ascii
    assert not paper().colour


def test_a_terminal_gets_colour_unless_it_is_asked_not_to_be(monkeypatch) -> None:
    class Terminal:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert paper().colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not paper().colour


def test_the_history_of_the_machine_is_one_chart_in_percent(mlops, workspace) -> None:
    with Workbench(workspace, actor="ana") as bench:
        now = bench.context.now()
        for age in range(60, 0, -1):
            bench.hardware.record(
                Reading(at=now - age * 1000, cpu=age, per_cpu=(1.0,), load=(1.0, 1.0, 1.0), memory_used=1, memory_total=4,
                        swap_used=0, swap_total=0, disk_used=1, disk_total=2, disk_read=0.0, disk_write=0.0, net_in=0.0,
                        net_out=0.0, limits=Limits(1, 1), driver=Driver.NO_DRIVER)
            )  # fmt: skip
        bench.hardware.flush()
    code, out, _ = mlops("hardware", "history", "--plot", "--since", "2m")
    assert code == 0
    assert out.splitlines()[0].startswith("  100┤")
    assert "● cpu 1  min 1 max 60" in out
    assert "▲ memory 25" in out


def test_without_history_it_says_how_to_get_one(mlops) -> None:
    code, out, err = mlops("hardware", "history", "--plot")
    assert (code, out) == (0, "")
    assert "mlops daemon start" in err


def test_distributions_lie_over_those_at_training(monkeypatch) -> None:
    column = FeatureDrift("temp", "numeric", psi=0.4, psi_threshold=0.1, drifted=True, bins=["<= 1", "> 1", "(missing)"],
                          reference=[0.9, 0.1, 0.0], current=[0.1, 0.9, 0.0])  # fmt: skip
    reports = [
        Report(number, "bikes", "hire", 1, 1_760_000_000_000 + number * 60_000, None, None, 100, 100, Verdict.DRIFT,
               features=[column]) for number in (2, 1)
    ]  # fmt: skip
    lines = plotting.pictures().drift(reports[0], reports, Paper(60, 10, False, False))
    text = plotting.text_of(lines, Paper(60, 10, False, False))
    assert text.startswith("temp  DRIFT  PSI 0.4 of 0.1\n 90%┤")
    assert "<= 1" in text
    assert "(missing)" not in text
    assert "PSI over time" in text
    assert "● temp 0.4" in text


def test_status_with_a_plot_ends_with_a_line_for_each_thing(mlops) -> None:
    code, out, _ = mlops("status", "--plot")
    assert code == 0
    assert [one.split()[0] for one in out.splitlines()[-3:]] == ["cpu", "memory", "disk"]


def test_watching_in_a_pipe_prints_a_line_a_change_and_ends_with_the_run(mlops, workspace) -> None:
    with Workbench(workspace, actor="ana") as bench:
        started = bench.experiments.start("churn")
    writer = RunWriter(workspace, started.id)
    writer.metrics([("loss", 0, 0.5)])

    def go_on() -> None:
        writer.metrics([("loss", 1, 0.25)])
        writer.close()
        with Workbench(workspace, actor="ana") as bench:
            bench.experiments.take_in()
            bench.experiments.finish(started.id)

    timer = threading.Timer(0.5, go_on)
    timer.start()
    code, out, _ = mlops("runs", "watch", started.id, "--every", "0.1")
    timer.join()
    assert code == 0
    assert out.splitlines()[0] == "step=0 loss=0.5 state=running"
    assert out.splitlines()[-1] == "step=1 loss=0.25 state=finished"


def test_watching_a_failed_run_exits_with_1(mlops, workspace) -> None:
    with Workbench(workspace, actor="ana") as bench:
        found = bench.experiments.start("churn")
        bench.experiments.finish(found.id, "failed", "Traceback\nValueError: no rows")
    code, _, err = mlops("runs", "watch", found.id)
    assert code == 1
    assert "ValueError: no rows" in err


def test_only_lines_that_changed_are_sent() -> None:
    sent: list[str] = []
    screen = Repaint(sent.append)
    screen.draw(["a", "b"])
    screen.draw(["a", "c"])
    screen.draw(["a", "c"])
    screen.draw(["a"])
    assert sent == ["\r\x1b[2Ka\n\r\x1b[2Kb\n", "\x1b[2A\n\r\x1b[2Kc\n", "\x1b[2A\n\r\x1b[2K\n"]


def test_no_list_command_loads_the_charts(workspace) -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom mlops_tui.cli.app import main\n"
        f"try: main(['-w', {str(workspace.root)!r}, 'runs', 'list', '--json'])\nexcept SystemExit: pass\n"
        "import json; print(json.dumps([n for n in sys.modules if n.startswith(('rich', 'mlops_tui.tui'))]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(out.splitlines()[-1]) == []
