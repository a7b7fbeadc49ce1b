from __future__ import annotations

from dataclasses import dataclass

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import flow as flows
from mlops_tui.domains.pipelines.definition import parse
from mlops_tui.domains.pipelines.flow import Flow
from mlops_tui.domains.pipelines.forking import Bounds, Ended

RECIPE = """
[pipeline]
name = "churn"
[data]
spine = "labels"
target = "left"
[model]
task = "classification"
estimator = "sklearn.linear_model.LogisticRegression"
[resources]
cpu = 2
[resources.steps.load]
retries = 2
backoff = "0s"
timeout = "2m"
memory = "1.5GB"
[resources.steps.gate]
cpu = 2
"""
OK = Ended({"done": True})


@dataclass
class Child:
    """A step that ends when it is looked at."""

    name: str
    how: Ended
    over: bool = False
    closed: bool = False

    def close(self):
        self.closed = True

    def ended(self):
        return self.how


@pytest.fixture
def world(monkeypatch):
    """Steps end one at a time, in the order they were started; what happened is in `said`."""

    class World:
        def __init__(self):
            self.said, self.ways, self.children = [], {}, []

        def start(self, name, bounds):
            self.said.append(("start", name))
            self.bounds = bounds
            self.children.append(Child(name, self.ways.get(name, [OK]).pop(0) if self.ways.get(name) else OK))
            return self.children[-1]

        def ended(self, name, how):
            self.said.append(("end", name))
            return not how.error

        def again(self, name, how, pause, attempt):
            self.said.append(("again", name, attempt))

        def flow(self, needs):
            return Flow(needs, parse(RECIPE, "churn.toml"), self.start, self.ended, self.again)

    world = World()

    def wait(children, timeout_s):
        next(child for child in children if not child.over).over = True

    monkeypatch.setattr(flows.forking, "wait", wait)
    return world


def test_steps_that_do_not_need_each_other_run_side_by_side(world):
    assert world.flow({"load": (), "a": ("load",), "b": ("load",), "collect": ("a", "b")}).run()
    assert world.said[2:4] == [("start", "a"), ("start", "b")]
    assert world.said[4:] == [("end", "a"), ("end", "b"), ("start", "collect"), ("end", "collect")]


def test_a_step_that_does_not_fit_beside_the_others_waits_and_one_too_big_runs_alone(world):
    assert world.flow({"a": (), "b": (), "c": (), "gate": ()}).run()
    assert world.said[:3] == [("start", "a"), ("start", "b"), ("end", "a")]
    assert world.said[-2:] == [("start", "gate"), ("end", "gate")]


def test_a_bad_moment_is_tried_again_and_the_limits_go_to_the_step(world):
    world.ways["load"] = [Ended({}, "it died"), Ended({}, "it died"), OK]
    assert world.flow({"load": ()}).run()
    assert [one for one in world.said if one[0] != "start"] == [
        ("again", "load", 1),
        ("again", "load", 2),
        ("end", "load"),
    ]
    assert world.bounds == Bounds(120.0, 1_500_000_000)


def test_after_the_last_try_the_failure_counts(world):
    world.ways["load"] = [Ended({}, "it died")] * 3
    assert not world.flow({"load": ()}).run()
    assert [one[0] for one in world.said].count("start") == 3


def test_what_the_data_are_to_blame_for_is_not_tried_again(world):
    world.ways["load"] = [Ended({}, "no such column", final=True), OK]
    assert not world.flow({"load": ()}).run()
    assert world.said == [("start", "load"), ("end", "load")]


def test_when_one_fails_the_others_are_ended_and_nothing_is_started(world):
    world.ways["a"] = [Ended({}, "no")]
    assert not world.flow({"a": (), "b": (), "c": ("a",)}).run()
    assert all(child.closed for child in world.children)
    assert [child.name for child in world.children] == ["a", "b"]


def test_steps_share_what_their_run_holds_and_others_go_beside(world):
    own = "[resources.steps.a]\nneeds = { licence = 1 }\n[resources.steps.b]\nneeds = { licence = 1 }\n"
    steps = "".join(f'[[steps]]\nname = "{name}"\nuses = "steps.py:run"\nneeds = ["load"]\n' for name in "abc")
    recipe = parse(RECIPE + own + steps, "churn.toml")
    assert recipe.resources.taken == {"licence": 1, "cpu": 2}
    flow = world.flow({"a": (), "b": (), "c": ()})
    flow.recipe = recipe
    assert flow.run()
    assert world.said[:4] == [("start", "a"), ("start", "c"), ("end", "a"), ("start", "b")]


def test_steps_share_more_where_the_run_takes_more_and_never_more_than_that():
    two = RECIPE.replace("cpu = 2\n[resources.steps.load]", "cpu = 2\nneeds = { licence = 2 }\n[resources.steps.load]")
    recipe = parse(two + "needs = { licence = 1 }\n", "churn.toml")
    assert recipe.resources.taken == {"licence": 2, "cpu": 2}
    with pytest.raises(InvalidInput, match="it takes 3 licence, and the run only 2"):
        parse(two + "needs = { licence = 3 }\n", "churn.toml")


def test_what_is_kept_is_done_without_starting_anything_and_one_that_failed_is_not_looked_for(world):
    flow = world.flow({"load": (), "a": ("load",), "b": ("a",)})
    flow.kept = lambda name: OK if name in ("load", "a") else None
    world.ways["b"] = [Ended({}, "it died")]
    assert not flow.run()
    assert world.said == [("end", "load"), ("end", "a"), ("start", "b"), ("end", "b")]
    world.said.clear()
    flow = world.flow({"load": ()})
    world.ways["load"] = [Ended({}, "it died")]
    flow.kept = lambda name: OK if world.said else None  # the same step, found the second time
    assert flow.run()
    assert world.said[-2] == ("start", "load")


def test_nobody_waits_before_everybody_was_told(world):
    flow = world.flow({"load": (), "a": ("load",)})
    flow.waits = lambda: world.said.append(("wait", ""))
    assert flow.run()
    assert [one[0] for one in world.said] == ["start", "wait", "end", "start", "wait", "end"]
