"""What is done with a model to explain or repeat an answer, in the process of `registry/aside.py`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput


def explain(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """What each of `inputs` added to the answer, and the `count` rows nearest to them: of `files`, else of the package."""
    from mlops_tui.domains.registry import package, proof
    from mlops_tui.domains.registry.engines.reference import FrameEngine, one_thread
    from mlops_tui.domains.serving.reasons import contributions, neighbours

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


def answer(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """The answer to `inputs`, by the engine named or that of the package. Raises InvalidInput where the row is refused."""
    from mlops_tui.domains.serving.wire import Ask
    from mlops_tui.domains.serving.worker import predictor_of

    predictor, note = predictor_of(folder, order["engine"])
    said = predictor.answer([Ask(0, 1, {name: [value] for name, value in order["inputs"].items()})])[0]
    if said.error:
        raise InvalidInput(said.error)
    wide = said.probabilities[0] if said.probabilities else None
    return {"answer": said.prediction[0], "probabilities": wide, "note": note}
