"""`mlops runs watch`: what its lines say, which run it takes, how often it speaks in a pipe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlops_tui.cli import watching
from mlops_tui.cli.paper import Paper
from mlops_tui.core.errors import NotFound
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.tui.lines import plain, width
from mlops_tui.workbench import Workbench

NOW = 1_760_000_000_000
PAPER = Paper(72, 8, False, False)


@pytest.fixture
def bench(workspace: Workspace) -> Iterator[Workbench]:
    """A workbench at a known time."""
    with Workbench(workspace, actor="ana", now=lambda: NOW) as found:
        yield found


def log(bench: Workbench, run: str, points: dict[str, list[float]]) -> None:
    """Points of metrics, one a second up to now."""
    writer = RunWriter(bench.workspace, run)
    for name, values in points.items():
        for step, value in enumerate(values):
            writer.metrics([(name, step, value)], at=NOW - 1000 * (len(values) - 1 - step))
    writer.close()
    bench.experiments.take_in()


def said(bench: Workbench, run: str, *keys: str, paper: Paper = PAPER) -> list[str]:
    return [plain(one) for one in watching.picture(bench, bench.experiments.run(run), keys, paper)]


def test_a_run_is_a_head_a_line_for_what_is_wrong_and_one_for_each_metric(bench: Workbench) -> None:
    run = bench.experiments.start("churn", name="first").id
    train = [1 / (1 + step) for step in range(60)]
    log(
        bench,
        run,
        {"train_loss": train, "val_loss": [value + max(0, step - 15) * 0.02 for step, value in enumerate(train)]},
    )
    head, mark, *rest = said(bench, run)
    assert head.startswith("first  churn  ◐ running")
    assert "step 59, 1 steps/s" in head
    assert mark.startswith("▲ overfitting: val_loss")
    table = [one.split() for one in rest if not one.startswith("▲")]
    assert [row[0] for row in table] == ["train_loss", "val_loss"]
    assert table[0][2][0] == "█"
    assert table[0][2][-1] == "▁"
    assert len(table[0][2]) == len(table[1][2])


def test_a_chart_is_drawn_of_what_was_asked_for_and_of_nothing_else(bench: Workbench) -> None:
    run = bench.experiments.start("churn").id
    log(bench, run, {"loss": [3.0, 2.0, 1.0], "auc": [0.5, 0.6, 0.7]})
    seen = said(bench, run, "loss")
    assert any("┤" in one for one in seen)
    assert not any("auc" in one for one in seen)


def test_many_metrics_are_cut_to_the_terminal_and_no_line_is_wider_than_it(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("COLUMNS", "40")
    run = bench.experiments.start("churn", name="a-name-that-is-longer-than-the-terminal-is-wide").id
    log(bench, run, {f"a/very/long/name/of/a/metric/{number}": [1.0, 2.0] for number in range(30)})
    found = watching.picture(bench, bench.experiments.run(run), (), Paper(40, 8, False, False))
    assert len(found) <= 10
    assert plain(found[-1]).startswith("and 24 more")
    assert max(width(one) for one in found) <= 40


def test_without_a_run_it_takes_the_newest_that_runs(bench: Workbench) -> None:
    with pytest.raises(NotFound):
        watching.newest(bench)
    first = bench.experiments.start("churn").id
    assert watching.newest(bench) == first
    bench.experiments.finish(first)
    with pytest.raises(NotFound):
        watching.newest(bench)


def test_a_pipe_gets_a_line_now_and_then_and_the_last_one(bench: Workbench, capsys: pytest.CaptureFixture[str],
                                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    run = bench.experiments.start("churn").id
    seconds = iter(range(0, 1000, 4))
    clock = [0.0]

    def sleep(_: float) -> None:
        clock[0] = float(next(seconds))
        log(bench, run, {"loss": [1.0] * (int(clock[0]) + 1)})
        if clock[0] >= 20:
            bench.experiments.finish(run)

    monkeypatch.setattr(watching.time, "sleep", sleep)
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])
    watching.watch(bench, run, (), every_s=1, ascii_only=False)
    out = capsys.readouterr().out.splitlines()
    assert [one.split()[0] for one in out] == ["state=running", "step=12", "step=20"]
    assert out[-1].split()[-1] == "state=finished"
