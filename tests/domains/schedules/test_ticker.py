from __future__ import annotations

import threading

from mlops_tui.core.clock import now_ms
from mlops_tui.domains.schedules.ticker import Ticker


def test_it_wakes_at_the_time_it_was_set_to_and_at_no_other() -> None:
    woken = threading.Event()
    ticker = Ticker(woken.set)
    ticker.start()
    try:
        ticker.set(now_ms() + 3_600_000)
        assert not woken.wait(0.1)
        ticker.set(now_ms() + 150)
        assert woken.wait(5)
        woken.clear()
        ticker.set(now_ms() - 60_000)
        assert woken.wait(5)
        woken.clear()
        ticker.set(now_ms() + 200)
        ticker.set(None)
        assert not woken.wait(0.4)
    finally:
        ticker.stop()
