"""What a card says of how the model was judged, and that damaged files are no evidence."""

from __future__ import annotations

import json

import pytest

from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.domains.registry import judgement
from mlops_tui.domains.registry.evidence import Evidence, gather

REPORT = {
    "primary": "auc",
    "rows": 1200,
    "confidence": 0.9,
    "metrics": {"auc": 0.91234, "odd": None},
    "intervals": {"auc": [0.9, 0.93]},
    "slices": [{"column": "age", "level": "old", "rows": 40, "value": 0.8, "low": 0.7, "high": 0.9}],
    "calibration": {"ece": 0.021, "brier": 0.1, "bins": [{"from": 0.0, "to": 0.1, "rows": 12}]},
}
FOUND = Evidence(
    REPORT,
    {"metric": "auc", "importance": [{"column": "temp", "mean": 0.12, "sd": 0.01}]},
    {
        "charter": {"problem": "Bikes where they are wanted", "success": ["auc >= 0.9"]},
        "fairness": {"sensitive": ["age"]},
    },
)


def test_every_part_has_its_numbers():
    assert judgement.charter(FOUND) == "Bikes where they are wanted\n\n- success: auc >= 0.9"
    assert judgement.intervals(FOUND) == (
        ("Metric", "On 1,200 test rows", "90% interval"),
        [("auc", "0.9123", "0.9 to 0.93")],
    )
    assert judgement.slices(FOUND) == (("Slice", "Rows", "auc", "Interval"), [("age = old", "40", "0.8", "0.7 to 0.9")])
    words, bins = judgement.calibration(FOUND)
    assert words == "expected calibration error 0.021, Brier score 0.1"
    assert bins == (("from", "to", "rows"), [("0", "0.1", "12")])
    assert judgement.importance(FOUND) == (("Column", "auc lost without it", "Spread"), [("`temp`", "0.12", "0.01")])
    assert "age" in judgement.fairness(FOUND)[0]


def test_limits_are_what_is_known_of_them():
    said = judgement.limits(FOUND, {"learned_until": "2025-01-01"}, True)
    assert "until 2025-01-01" in said
    assert "outside of the ranges" in said
    assert "fewer than 100 rows: age = old (40)" in said
    assert "kept no test report" in judgement.limits(Evidence(), {}, False)


def test_nothing_is_said_of_what_is_not_there():
    assert judgement.charter(Evidence()) == ""
    assert judgement.intervals(Evidence()) is None
    assert judgement.slices(Evidence()) is None
    assert judgement.calibration(Evidence()) == ("", None)
    assert judgement.importance(Evidence()) is None
    assert "No groups were declared" in judgement.fairness(Evidence())[0]


@pytest.mark.parametrize("part", ["metrics", "slices", "intervals", "calibration", "rows"])
def test_files_of_other_forms_break_nothing(part):
    strange = Evidence({**REPORT, part: 3})
    for section in (judgement.intervals, judgement.slices, judgement.calibration):
        section(strange)


def test_the_files_of_a_run_are_read_and_damaged_ones_are_not(workbench, tmp_path):
    run = workbench.experiments.start("hire")
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    (tmp_path / "explanation.json").write_text("{")
    writer = RunWriter(workbench.workspace, run.id)
    for name in ("report.json", "explanation.json"):
        sha = workbench.context.artifacts.put_file(tmp_path / name)
        writer.files([(name, sha, (tmp_path / name).stat().st_size)])
    writer.close()
    workbench.experiments.take_in()
    found = gather(workbench.experiments, run.id)
    assert found.report == REPORT
    assert (found.explanation, found.definition) == ({}, {})
    assert gather(workbench.experiments, "0" * 16) == Evidence()


def test_the_gaps_that_the_gate_measured_stand_in_the_card():
    detail = "equal opportunity of age: gap 0.2 [0.1, 0.3], wanted at most 0.1; old 0.5 (40 rows), young 0.7 (60 rows)"
    gap = {"name": "fairness equal opportunity age", "passed": False, "value": 0.2, "limit": "gap <= 0.1", "low": 0.1}
    gap |= {"high": 0.3, "rows": 100, "detail": detail}
    few = {"name": "fairness error gap town", "passed": None, "limit": "gap <= 1", "detail": "fewer than two groups"}
    verdict = {"checks": [{"name": "loads", "passed": True}, gap, few]}
    definition = {"fairness": {"sensitive": ["age", "town"], "equal_opportunity": 0.1}}
    words, table = judgement.fairness(Evidence(definition=definition, verdict=verdict))
    assert "Declared: sensitive age, town, equal_opportunity 0.1." in words
    assert [row[:6] for row in table[1]] == [
        ("equal opportunity age", "0.2", "0.1 to 0.3", "gap <= 0.1", "100", "**no**"),
        ("error gap town", "", "", "gap <= 1", "", "open"),
    ]
    assert table[1][0][6] == "old 0.5 (40 rows), young 0.7 (60 rows)"
    without = judgement.fairness(Evidence(definition=definition))
    assert without[1] is None
    assert "kept no measured gaps" in without[0]
