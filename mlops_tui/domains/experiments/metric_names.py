"""What the name of a metric says: which way is better, and which training metric a validation metric belongs to."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

MACHINE = "system/"
"""Names of what is measured of the machine begin so."""
_TRAINING = {"train", "training", "tr"}
_VALIDATION = {"val": 0, "valid": 0, "validation": 0, "eval": 1, "dev": 1, "holdout": 1, "test": 2}
_LOWER = {"loss", "error", "err", "mse", "rmse", "mae", "mape", "logloss", "nll", "perplexity", "ppl", "deviance", "brier", "wer",
          "cer", "msle", "rmsle", "hinge", "crossentropy", "entropy", "cost", "regret", "fid", "objective"}  # fmt: skip
_HIGHER = {"acc", "accuracy", "auc", "auroc", "roc", "f1", "precision", "recall", "r2", "score", "map", "iou", "dice", "bleu",
           "ndcg", "mcc", "kappa", "ap", "top1", "top5", "hit", "reward", "return", "sensitivity", "specificity", "psnr"}  # fmt: skip


def says_which_way(name: str) -> bool:
    """Whether a word of the name tells which way is better."""
    return bool(set(words(name)) & (_LOWER | _HIGHER))


def lower_is_better(name: str, values: Sequence[float] = ()) -> bool:
    """By the words of the name (a loss, an accuracy); by which way the values go where no word says it; else True."""
    said = words(name)
    for word in reversed(said):
        if word in _LOWER:
            return True
        if word in _HIGHER:
            return False
    if any(word.endswith(("loss", "error")) for word in said):
        return True
    quarter = max(1, len(values) // 4)
    return not values or statistics.fmean(values[-quarter:]) <= statistics.fmean(values[:quarter])


def pair_names(names: Sequence[str]) -> list[tuple[str, str]]:
    """Training and validation metrics that belong together: train_x and val_x, x and val_x, training/x and eval/x, ...

    A training metric is named so, or is the bare name where there is none; `test` is taken where nothing else validates.
    """
    training: dict[tuple[str, ...], str] = {}
    bare: dict[tuple[str, ...], str] = {}
    validation: dict[tuple[str, ...], tuple[int, str]] = {}
    for name in names:
        base, role = _role(words(name))
        if role in _TRAINING:
            training.setdefault(base, name)
        elif role:
            rank = _VALIDATION[role]
            if base not in validation or rank < validation[base][0]:
                validation[base] = (rank, name)
        else:
            bare.setdefault(base, name)
    return [
        (found, name)
        for base, (_, name) in validation.items()
        if (found := training.get(base) or (bare.get(base) if base else None))
    ]


def _role(words: list[str]) -> tuple[tuple[str, ...], str]:
    """What is measured, and on which data: the word for it stands first or last."""
    for place in (0, -1):
        if words and (words[place] in _TRAINING or words[place] in _VALIDATION):
            rest = words[1:] if place == 0 else words[:-1]
            if place == 0 and len(rest) > 1 and rest[0].isdigit():  # validation_0-rmse: the number of a set
                rest = rest[1:]
            return tuple(rest), words[place]
    return tuple(words), ""


def words(name: str) -> list[str]:
    """Words of a name in lower case: valLoss and val/loss are val and loss."""
    return [word for word in re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]
