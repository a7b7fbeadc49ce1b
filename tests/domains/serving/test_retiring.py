"""Taking a version out of use: what is refused, and what the plan says."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput, NotAllowed


@pytest.fixture
def bench(workbench, register):
    for _ in range(3):
        register("churn")
    workbench.serving.deploy("live", "churn/1")
    return workbench


def test_a_version_with_traffic_is_refused_with_the_way_out(bench):
    with pytest.raises(NotAllowed, match="traffic on live") as refused:
        bench.serving.retire("churn/1", "churn/2")
    assert refused.value.hint == "Move it first: mlops deployments create live churn/2"
    assert bench.registry.version("churn/1").stage == "None"


def test_a_retired_version_is_archived_and_both_tell_the_plan(bench):
    bench.serving.deploy("live", "churn/2")
    done = bench.serving.retire("churn/1", "churn/2", "too old")
    assert bench.registry.version("churn/1").stage == "Archived"
    assert "Callers change nothing" in done.plan
    assert "A rollback of live would bring it back." in done.plan
    assert [note.text for ref in ("churn/1", "churn/2") for note in bench.registry.notes(ref)] == [done.plan] * 2


def test_callers_are_told_which_inputs_change(bench, register):
    register("churn", inputs=[{"name": "age", "type": "float64"}])
    done = bench.serving.retire("churn/3", "churn/4")
    assert "Callers have to change: input plan: string to none; input visits: int64 to none." in done.plan


@pytest.mark.parametrize(("other", "said"), [("churn/2", "replace itself"), ("churn/3", "archived itself")])
def test_the_replacement_must_be_another_that_can_be_used(bench, other, said):
    bench.registry.promote("churn/3", "archived")
    with pytest.raises(InvalidInput, match=said):
        bench.serving.retire("churn/2", other)


def test_the_champion_is_not_retired_and_nothing_is_noted(bench):
    bench.registry.promote("churn/2")
    with pytest.raises(NotAllowed):
        bench.serving.retire("churn/2", "churn/3")
    assert bench.registry.notes("churn/2") == []
