"""ids, clock, errors and locks: the small words everything else is said in."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_tui.core import clock, ids, locks
from mlops_tui.core.errors import InvalidInput, NotFound, WorkbenchError
from mlops_tui.core.identity import Identity, identity, is_alive


@pytest.mark.parametrize("name", ["churn", "a", "x-1_2.b", "A" * 100])
def test_good_names_pass(name: str) -> None:
    assert ids.check_name("model", name) == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a/b", "a b", "a..b", "é", "A" * 101, "a\n", "a@1", "a:1"])
def test_bad_names_are_refused_with_the_alphabet(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ids.check_name("model", name)
    assert "letters" in caught.value.hint


def test_ids_are_of_their_form_and_differ() -> None:
    assert len({ids.new_id() for _ in range(1000)}) == 1000
    prediction = ids.new_prediction_id(1_760_000_000_123)
    assert ids.prediction_time(prediction) == 1_760_000_000_123
    assert ids.prediction_time("client-made") is None


def test_a_reference_is_split_and_a_typo_is_met_with_the_nearest_name() -> None:
    assert ids.split_reference("table@12") == ("table", "12")
    assert ids.split_reference("table") == ("table", "")
    assert "customers" in ids.did_you_mean("custmers", ["orders", "customers"])
    assert ids.did_you_mean("zzz", ["orders"], "List them.") == "List them."


def test_times_read_and_write() -> None:
    assert clock.iso(1_760_000_000_250) == "2025-10-09T08:53:20.250Z"
    assert clock.parse_time("2025-10-09T08:53:20.250Z") == 1_760_000_000_250
    assert clock.parse_time("2025-10-09T10:53:20+02:00") == 1_760_000_000_000
    assert clock.parse_time("2h", now=10_000_000) == 10_000_000 - 7_200_000
    with pytest.raises(InvalidInput):
        clock.parse_time("yesterday-ish")
    assert clock.parse_time("-2h", now=10_000_000) == 10_000_000 - 7_200_000
    with pytest.raises(InvalidInput):
        clock.parse_span("-2h")  # a length has no direction


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (12, "12 ms"),
        (600_000, "10 min"),
        (1500, "1.5 s"),
        (125_000, "2 min 5 s"),
        (11_520_000, "3 h 12 min"),
        (367_200_000, "4 d 6 h"),
    ],
)
def test_lengths_of_time_are_short(ms: int, text: str) -> None:
    assert clock.duration(ms) == text


def test_ago_looks_both_ways() -> None:
    assert clock.ago(0, 180_000) == "3 min ago"
    assert clock.ago(180_000, 0) == "in 3 min"
    assert clock.ago(None, 0) == "-"


def test_an_error_keeps_its_hint_across_processes() -> None:
    error = pickle.loads(pickle.dumps(NotFound("no x", hint="make one")))
    assert isinstance(error, NotFound)
    assert isinstance(error, WorkbenchError)
    assert (error.message, error.hint) == ("no x", "make one")


def test_a_process_is_known_by_pid_start_and_boot() -> None:
    me = identity()
    assert is_alive(me)
    assert not is_alive(Identity(me.pid, me.started + 1, me.boot))
    assert not is_alive(Identity(me.pid, me.started, "another boot"))


def test_a_held_lock_is_seen_and_freed_by_death(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    assert not locks.held(path)
    code = f"""
import time
from pathlib import Path
from mlops_tui.core import locks
locks.hold(Path({str(path)!r}))
print("held", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert locks.held(path)
        assert locks.hold(path, wait_s=0.05) is None
        holder.kill()
    assert not locks.held(path)
    handle = locks.hold(path)
    assert handle is not None
    os.close(handle)
