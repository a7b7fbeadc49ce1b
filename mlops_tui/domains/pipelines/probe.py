"""Load a model package in a fresh process and ask it its golden requests: `python -m ...probe FOLDER ANSWER.json [TEST.py ...]`.

What only worked because training left it in memory fails here. Writes {"rows", "latency_p95_ms", "size_mb", "same", "answers",
"tests", "error"}; the exit code is 0 whenever the file was written.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Any

SINGLE_ROWS = 100
WARM_UP = 5


def probe(folder: Path, tests: list[Path]) -> dict[str, Any]:
    """Return what was found; `error` is empty when the model loaded and answered every row."""
    from mlops_tui.domains.registry import package

    found: dict[str, Any] = {"rows": 0, "latency_p95_ms": None, "same": False, "tests": {}, "error": ""}
    found["size_mb"] = (folder / package.MODEL).stat().st_size / 1e6
    try:
        model = package.load(folder)
        described, sample = package.signature(folder), package.sample(folder)
        answer = model.predict(package.prepare(described, sample))
        found["rows"] = len(answer)
        found["answers"] = answer.tolist()
        found["latency_p95_ms"] = _latency(model, described, sample)
        # The same rows once more, in one call: an answer that depends on chance or order cannot be reproduced.
        found["same"] = bool((answer == model.predict(package.prepare(described, sample))).all())
        found["tests"] = {str(path): _run_tests(path, model, sample) for path in tests}
    except Exception as error:
        traceback.print_exc()
        found["error"] = f"{type(error).__name__}: {error}"
    return found


def _latency(model: Any, described: dict[str, Any], sample: Any) -> float:
    """The 95th percentile in ms of answering one row."""
    import numpy as np

    from mlops_tui.domains.registry import package

    spent = []
    for place in range(WARM_UP + min(SINGLE_ROWS, len(sample))):
        row = package.prepare(described, sample.iloc[[place % len(sample)]])
        started = time.perf_counter()
        model.predict(row)
        spent.append((time.perf_counter() - started) * 1000)
    return float(np.quantile(spent[WARM_UP:], 0.95))


def _run_tests(path: Path, model: Any, sample: Any) -> list[str]:
    """Call each `test_*(model, sample)` of a file; the sentences of those that fail.

    A file that imports pytest is run by pytest, with the fixtures `model` and `sample`.
    """
    from mlops_tui.domains.pipelines.work import call_with

    if re.search(r"^\s*(import|from) pytest\b", path.read_text(encoding="utf-8"), re.MULTILINE):
        return _run_pytest(path, model, sample)
    names: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)  # noqa: S102 - the project's own test file
    failed = []
    for name, function in list(names.items()):
        if name.startswith("test_") and callable(function):
            try:
                call_with(function, model, sample.copy())
            except Exception as error:
                failed.append(f"{name}: {' '.join(str(error).split()) or type(error).__name__}")
    return failed


def _run_pytest(path: Path, model: Any, sample: Any) -> list[str]:
    try:
        import pytest
    except ImportError:
        return [f"{path.name} needs pytest, which is not installed: pip install pytest"]
    failed: list[str] = []

    class Fixtures:
        @pytest.fixture
        def model(self) -> Any:
            return model

        @pytest.fixture
        def sample(self) -> Any:
            return sample.copy()

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed:
                said = str(getattr(getattr(report.longrepr, "reprcrash", None), "message", report.longrepr))
                failed.append(f"{report.nodeid.partition('::')[2]}: {' '.join(said.split())[:200]}")

    code = pytest.main(["-q", "-p", "no:cacheprovider", "-o", "addopts=", str(path)], plugins=[Fixtures()])
    return failed or (
        [] if code == 0 else [f"pytest ended with code {int(code)}: {code.name if hasattr(code, 'name') else ''}"]
    )


def main(arguments: list[str]) -> int:
    folder, answer = Path(arguments[0]), Path(arguments[1])
    found = probe(folder, [Path(path) for path in arguments[2:]])
    staged = answer.with_name(f".{answer.name}")
    staged.write_text(json.dumps(found, default=str), encoding="utf-8")
    staged.replace(answer)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
