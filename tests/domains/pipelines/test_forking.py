from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import forking
from mlops_tui.domains.pipelines.forking import Bounds, run_step
from mlops_tui.domains.pipelines.work import Skip

# Other tests of this process may have loaded libraries with threads; the steps below use none of them.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def test_a_step_returns_its_result_and_its_lines_are_logged(tmp_path, capfd):
    def step():
        print("half way")
        print("no newline", end="")
        return {"rows": 3}

    ended = run_step("load", step, tmp_path)
    assert ended.result == {"rows": 3}
    assert (tmp_path / "load.log").read_text() == "half way\nno newline\n"
    assert "load       half way" in capfd.readouterr().out


def test_a_step_runs_in_a_process_of_its_own(tmp_path):
    seen = []

    def step():
        seen.append(1)
        return {"pid": os.getpid()}

    assert run_step("load", step, tmp_path).result["pid"] != os.getpid()
    assert seen == []


def test_an_error_of_ours_keeps_its_sentence_and_hint(tmp_path):
    def step():
        raise InvalidInput("There is no column 'x'.", hint="Did you mean 'y'?")

    assert run_step("load", step, tmp_path).error == "There is no column 'x'. Did you mean 'y'?"


def test_any_other_exception_is_named_and_its_traceback_is_in_the_log(tmp_path):
    def step():
        raise ZeroDivisionError("by\nzero")

    assert run_step("train", step, tmp_path).error == "ZeroDivisionError: by zero"
    assert "Traceback" in (tmp_path / "train.log").read_text()


def test_a_step_that_does_not_apply_says_why(tmp_path):
    def step():
        raise Skip("nothing asked for")

    ended = run_step("deploy", step, tmp_path)
    assert (ended.skipped, ended.error) == ("nothing asked for", "")


def test_a_signal_is_recorded_with_its_name(tmp_path):
    def step():
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    assert "ended by SIGKILL, as the kernel does when memory runs out" in run_step("train", step, tmp_path).error


def test_a_crash_in_native_code_is_a_failed_step_and_not_the_end(tmp_path):
    ended = run_step("train", lambda: {"never": ctypes.string_at(0)}, tmp_path)
    assert "SIGSEGV" in ended.error


def test_an_exit_without_a_word_is_no_success(tmp_path):
    assert "code 3 and without a word" in run_step("train", lambda: os._exit(3), tmp_path).error
    assert "SystemExit" in run_step("train", lambda: sys.exit(0), tmp_path).error


def test_what_a_step_returned_before_does_not_count_for_the_next_try(tmp_path):
    run_step("load", lambda: {"rows": 1}, tmp_path)
    assert run_step("load", lambda: os._exit(0), tmp_path).result == {}


def test_output_held_open_by_a_grandchild_does_not_hold_the_step(tmp_path):
    def step():
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        return {}

    started = time.monotonic()
    assert run_step("load", step, tmp_path).error == ""
    assert time.monotonic() - started < 10


def test_a_result_that_is_no_json_fails_the_step(tmp_path):
    assert "TypeError" in run_step("load", lambda: {"bad": object()}, tmp_path).error


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_step_that_hangs_is_ended_at_its_limit_with_all_it_started(tmp_path):
    def step():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:  # orphaned at once: another parent, but the same session
            if os.fork() == 0:
                (tmp_path / "stray").write_text(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        while True:
            time.sleep(600)

    ended = run_step("train", step, tmp_path, Bounds(timeout_s=0.3))
    assert ended.error == "The step took longer than its 0.3 s."
    assert not alive(int((tmp_path / "stray").read_text()))


def test_a_step_that_leaves_a_process_behind_is_over_and_so_is_that(tmp_path):
    def step():
        pid = os.fork()
        if pid == 0:
            time.sleep(600)
        return {"left": pid}

    ended = run_step("load", step, tmp_path)
    assert not alive(ended.result["left"])


def test_a_step_that_takes_too_much_memory_is_ended_with_the_numbers(tmp_path):
    def step():
        held = []
        while True:
            held.append(bytearray(b"x" * 20_000_000))
            time.sleep(0.01)

    ended = run_step("train", step, tmp_path, Bounds(memory_bytes=400_000_000))
    assert ended.error.startswith("The step used ")
    assert ended.error.endswith(" MB, more than its 400 MB.")
    assert not ended.final


def test_of_a_flood_of_output_the_beginning_and_the_end_are_kept(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(forking, "LOG_BYTES", 10_000)

    def step():
        print("first")
        sys.stdout.write("y" * 500_000)
        for number in range(20_000):
            print(number)
        return {}

    assert run_step("load", step, tmp_path).error == ""
    text = (tmp_path / "load.log").read_text()
    assert text.startswith("first\n")
    assert text.endswith("\n19998\n19999\n")
    assert " bytes are not kept; the end:\n" in text
    short = len(text) < 10_000 + 4 * forking.END_BYTES
    assert short
    capfd.readouterr()
