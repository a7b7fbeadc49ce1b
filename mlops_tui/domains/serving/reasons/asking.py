"""Answers explained and repeated: what is asked of a process of its own, since models are loaded in workers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.domains.serving.reasons import child
from mlops_tui.domains.serving.reasons.records import Near, Part, Reasons, Replayed

if TYPE_CHECKING:
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.records import Prediction

NEAREST = 5


class Asking:
    """Asks versions about predictions of the log."""

    def __init__(self, registry: Registry, features: Features) -> None:
        self._registry = registry
        self._features = features

    def explain(self, one: Prediction, count: int = NEAREST) -> Reasons:
        """What each input added to a logged answer, and the rows of training nearest to it (seconds: a model is loaded).

        Raises NotFound (the version is gone), InvalidInput (it was not answered, or the model cannot answer it any more).
        """
        if one.error:
            raise InvalidInput(f"{one.id} was not answered: {one.error}.", hint="Only an answer has reasons.")
        version = self._registry.version(f"{one.model}/{one.version}")
        columns = self._columns(version)
        inputs = [item["name"] for item in version.signature["inputs"]]
        whole = next((ref for ref, names in columns.items() if names.issuperset(inputs)), None)
        order = {
            "inputs": one.inputs,
            "count": count,
            "source": f"the rows of {whole}",
            "files": [str(path) for path in self._features.files(whole)] if whole is not None else [],
        }
        said = self._registry.ask(version.ref, child.explain, order)
        parts = tuple(
            Part(
                name,
                one.inputs.get(name),
                _rounded(added, said["answer"]),
                next((ref for ref in columns if name in columns[ref]), ""),
            )
            for name, added in sorted(said["parts"].items(), key=lambda item: -abs(item[1]))
        )
        base, answer = float(said["base"]), float(said["answer"])
        rest = answer - base - sum(part.added for part in parts)
        near = tuple(Near(**row) for row in said["nearest"])
        rest = 0.0 if abs(rest) < 1e-6 * max(1.0, abs(answer)) else rest
        return Reasons(said["of"], said["method"], base, answer, rest, parts, near, said["source"], said["typical"])

    def replay(self, one: Prediction, ref: str) -> Replayed:
        """Have another version answer a logged row again, whether it has traffic or not (seconds). It is in no log.

        `ref`: a number, an alias (`@champion`) or MODEL/VERSION. Raises NotFound, InvalidInput (another model).
        """
        given = f"{one.model}/{ref}" if ref.isdigit() else f"{one.model}{ref}" if ref.startswith("@") else ref
        version = self._registry.version(given)
        if version.model != one.model:
            raise InvalidInput(
                f"{one.id} was answered by {one.model}, not by {version.model}.", hint=f"Name a version of {one.model}."
            )
        engine = self._registry.forced_engine(version)
        head = (one.id, f"{one.model}/{one.version}", one.prediction, one.score, version.ref)
        try:
            said = self._registry.ask(version.ref, child.answer, {"inputs": one.inputs, "engine": engine})
        except InvalidInput as error:  # it refuses the row: that is its answer
            return Replayed(*head, None, None, same=False, difference=None, error=error.message)
        answer, score = said["answer"], _score(said, version, one)
        pair = (one.score, score) if score is not None else (one.prediction, answer)
        numbers = [value for value in pair if isinstance(value, int | float) and not isinstance(value, bool)]
        classes = bool(version.signature.get("labels"))
        gap = (
            float(numbers[1]) - float(numbers[0]) if len(numbers) == 2 and (score is not None or not classes) else None
        )
        same = answer == one.prediction if classes or gap is None else abs(gap) <= 1e-9 * max(1.0, abs(numbers[0]))
        return Replayed(*head, answer, score, same=same, difference=gap)

    def _columns(self, version: Version) -> dict[str, set[str]]:
        """The columns of each snapshot the version was trained on, as far as it is still known."""
        found = {}
        for ref in version.snapshots:
            try:
                snapshot = self._features.snapshot(ref)
                if snapshot.expired_at is None:
                    found[ref] = set(snapshot.columns)
            except WorkbenchError:  # removed since
                continue
        return found


def _rounded(added: float, answer: float) -> float:
    """Without what is left of sums that cancel out."""
    return 0.0 if abs(added) < 1e-12 * max(1.0, abs(answer)) else float(added)


def _score(said: dict[str, Any], version: Version, one: Prediction) -> float | None:
    """The probability the other version gives to what `Prediction.score` is of: the second of two labels, else the one said."""
    labels, wide = version.signature.get("labels") or [], said["probabilities"]
    if wide is None or len(wide) != len(labels):
        return None
    if len(labels) == 2:
        return float(wide[1])
    return float(wide[labels.index(one.prediction)]) if one.prediction in labels else None
