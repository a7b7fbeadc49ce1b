"""What a model does to the process that loads it is told, and happens to no other."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.registry import aside, package
from mlops_tui.workbench import Workbench

CODE = """
import ctypes, os, resource, subprocess, sys, time
from mlops_tui.core.errors import NotFound

def leave(folder, order):
    print("no licence")
    os._exit(3)

def fault(folder, order):
    ctypes.string_at(0)

def exit(folder, order):
    sys.exit("done with this")

def hang(folder, order):
    time.sleep(600)

def eat(folder, order):
    return {"bytes": len(bytearray(1 << 60))}

def refuse(folder, order):
    raise NotFound("not here", hint="there")

def chatter(folder, order):
    os.write(1, b"{}\\n" * 100_000)
    child = subprocess.Popen(["sleep", "600"])  # holds the output open
    bounded = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return {"order": order, "threads": os.environ["OMP_NUM_THREADS"], "bounded": bounded, "child": child.pid}
"""


@pytest.fixture
def asked(tmp_path: Path) -> Any:
    """Calls a function of code that lies in the project."""
    (tmp_path / "project").mkdir(exist_ok=True)
    (tmp_path / "room").mkdir()
    path = tmp_path / "project" / "code_of_a_model.py"
    path.write_text(CODE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def ask(name: str, order: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        folder = tmp_path / "room" / "package"
        return aside.ask(getattr(module, name), folder, order or {}, project=path.parent, **more)

    return ask


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("leave", "ended with code 3 and no answer, after it said: no licence"),
        ("fault", "was ended by SIGSEGV"),
        ("exit", "SystemExit: done with this"),
        ("eat", "more memory than is free"),
    ],
)
def test_what_became_of_the_process_is_said(asked: Any, name: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        asked(name)


def test_one_that_never_answers_is_ended(asked: Any) -> None:
    with pytest.raises(InvalidInput, match=r"gave no answer within 0\.2 s"):
        asked("hang", timeout_s=0.2)


def test_one_that_wants_to_leave_waits_for_no_model(asked: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(asked, "hang")
        while not waiting.done():  # it may not have been started yet
            aside.end_all()
            time.sleep(0.001)
    with pytest.raises(InvalidInput, match="was ended by SIGKILL"):
        waiting.result()


def test_errors_of_ours_keep_their_kind(asked: Any) -> None:
    with pytest.raises(NotFound, match="not here") as caught:
        asked("refuse")
    assert caught.value.hint == "there"


def test_what_it_prints_and_starts_does_not_touch_the_answer(asked: Any) -> None:
    found = asked("chatter", {"deep": {"list": [1.5, None]}})
    assert found["order"] == {"deep": {"list": [1.5, None]}}
    assert (found["threads"], found["bounded"]) == ("1", True)
    with contextlib.suppress(ProcessLookupError):  # gone already
        assert select.select([os.pidfd_open(found["child"])], [], [], 60)[0]


def test_frames_travel_with_their_types(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": [1, 2], "b": ["x", None], "at": pd.to_datetime(["2025-01-01", None], utc=True)})
    aside.write(tmp_path, "order", {"rows": rows, "n": 1}, {"of": "test"})
    values, about = aside.read(tmp_path, "order")
    pd.testing.assert_frame_equal(values["rows"], rows)
    assert (values["n"], about) == (1, {"of": "test"})
    with pytest.raises(InvalidInput, match="cannot be handed to the model"):
        aside.write(tmp_path, "order", {"rows": pd.DataFrame({"a": [1, "x"]})}, {})


class Leaves:
    """Answers where it was made and ends any other process."""

    def __init__(self) -> None:
        self.home = os.getpid()

    def predict(self, rows: Any) -> Any:
        if os.getpid() != self.home:
            os._exit(7)
        return pd.Series([1.0] * len(rows)).to_numpy()


def test_a_model_that_ends_its_process_is_not_healthy(workbench: Workbench, tmp_path: Path) -> None:
    package.save(
        tmp_path / "p",
        Leaves(),
        sample=pd.DataFrame({"a": [1.0]}),
        task="regression",
        target="y",
        modules=[sys.modules[__name__]],
        graph=False,
    )
    workbench.registry.register("m", tmp_path / "p")
    found = {one.check: one for one in workbench.registry.health("m/1")}
    assert (found["package"].ok, found["answers"].ok) == (True, False)
    assert "ended with code 7" in found["answers"].detail
    assert list(workbench.workspace.tmp.iterdir()) == []
