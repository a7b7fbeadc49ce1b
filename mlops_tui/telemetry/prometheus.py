"""Prometheus' text format, version 0.0.4: families of samples with a name, a kind and one line of help.

https://prometheus.io/docs/instrumenting/exposition_formats/: all lines of a family stand together, after its HELP and TYPE; no sample
comes twice; the name of a counter ends in `_total`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclasses.dataclass(slots=True)
class Family:
    """One metric: kind is counter, gauge or histogram; samples are (suffix, labels, value)."""

    name: str
    kind: str
    help: str
    samples: list[tuple[str, Mapping[str, object], float]] = dataclasses.field(default_factory=list)

    def add(self, value: float | None, suffix: str = "", /, **labels: object) -> None:
        """Add a sample; None is none."""
        if value is not None:
            self.samples.append((suffix, labels, float(value)))


def gauge(name: str, text: str) -> Family:
    """A figure that goes up and down."""
    return Family(name, "gauge", text)


def counter(name: str, text: str) -> Family:
    """A figure that only grows, until its process begins anew."""
    return Family(name, "counter", text)


def exposition(families: Iterable[Family]) -> str:
    """The text, families without a sample left out."""
    lines: list[str] = []
    for one in families:
        if one.samples:
            lines += [f"# HELP {one.name} {_help(one.help)}", f"# TYPE {one.name} {one.kind}"]
            lines += [f"{one.name}{suffix}{_labels(labels)} {_number(value)}" for suffix, labels, value in one.samples]
    return "\n".join(lines) + "\n" if lines else ""


def _labels(labels: Mapping[str, object]) -> str:
    return "{" + ",".join(f'{name}="{_value(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _value(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
