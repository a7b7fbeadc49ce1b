"""The process that loads a model to explain or repeat an answer: `python -m ...reasons.child`, an order in, the answer out."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import WorkbenchError


def main() -> int:
    """Read an order from standard input, say one line of JSON."""
    order = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr  # what a model prints is none of our answer
    if order["project"] not in sys.path:
        sys.path.append(order["project"])  # code of the project's own steps
    try:
        said = _reasons(order) if order["do"] == "explain" else _answer(order)
    except WorkbenchError as error:
        said = {"error": error.message}
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    print(json.dumps(said, default=str), file=out)
    return 0


def _reasons(order: dict[str, Any]) -> dict[str, Any]:
    from mlops_tui.domains.registry import package, proof
    from mlops_tui.domains.registry.engines.reference import FrameEngine, one_thread
    from mlops_tui.domains.serving.reasons import contributions, neighbours

    folder = Path(order["package"])
    estimator, described, sample = package.load(folder), package.signature(folder), package.sample(folder)
    one_thread(estimator)
    inputs = [item["name"] for item in described["inputs"]]
    row = FrameEngine(estimator, described, sample).frame({name: [order["inputs"].get(name)] for name in inputs})
    of, method, base, answer, parts = contributions.explain(estimator, described, row, sample)
    target, source = described["target"], order["source"]
    rows = neighbours.read([Path(file) for file in order["files"]], inputs, target) if order["files"] else None
    if rows is None:
        kept = proof.stored(folder)
        rows = kept[0].assign(**{target or proof.TRUTH: kept[1]}) if kept is not None else sample
        source = f"{len(rows):,} {'test rows' if kept is not None else 'rows'} kept with the version"
    found, typical = neighbours.nearest(row, rows, order["count"])
    near = neighbours.records(found, rows, inputs, target)
    return {
        "of": of, "method": method, "base": base, "answer": answer, "parts": parts,
        "nearest": [dataclasses.asdict(one) for one in near], "source": source, "typical": typical,
    }  # fmt: skip


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    from mlops_tui.domains.serving.wire import Ask
    from mlops_tui.domains.serving.worker import predictor_of

    predictor, note = predictor_of(Path(order["package"]), order["engine"])
    said = predictor.answer([Ask(0, 1, {name: [value] for name, value in order["inputs"].items()})])[0]
    if said.error:
        return {"error": said.error}
    wide = said.probabilities[0] if said.probabilities else None
    return {"answer": said.prediction[0], "probabilities": wide, "note": note}


if __name__ == "__main__":
    sys.exit(main())
