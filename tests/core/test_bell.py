from __future__ import annotations

import threading
from pathlib import Path

from mlops_tui.core import bell
from mlops_tui.core.bell import Bell


def test_who_waits_is_woken_by_anyone_and_sleeps_again(tmp_path: Path) -> None:
    ours = Bell(tmp_path / "run" / "bell")
    try:
        assert not ours.wait(0.0)
        bell.ring(tmp_path / "run" / "bell")
        assert ours.wait(60.0)
        assert not ours.wait(0.0)
        thread = threading.Timer(0.01, ours.ring)
        thread.start()
        assert ours.wait(60.0)
        thread.join()
        for _ in range(66_000):  # more than a pipe holds: nobody is held up
            ours.ring()
        assert ours.wait(60.0)
    finally:
        ours.close()


def test_ringing_where_nobody_listens_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bell"
    bell.ring(path)
    assert not path.exists()
    Bell(path).close()
    bell.ring(path)
    path.unlink()
    path.write_text("somebody's file")
    bell.ring(path)
    assert path.read_text() == "somebody's file"
    Bell(path).close()
    assert path.is_fifo()


def test_where_no_pipe_can_be_made_the_daemon_still_hears_itself(tmp_path: Path) -> None:
    (tmp_path / "bell").mkdir()
    ours = Bell(tmp_path / "bell")
    bell.ring(tmp_path / "bell")
    assert not ours.wait(0.0)
    ours.ring()
    assert ours.wait(60.0)
    ours.close()
