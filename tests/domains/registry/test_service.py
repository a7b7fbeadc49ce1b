from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound


@pytest.fixture
def three(registry, make_package):
    for number in (1, 2, 3):
        registry.register("bikes", make_package(float(number), f"package{number}"), metrics={"mae": 1 / number})
    return registry


def verbs(workbench):
    return [(entry.verb, entry.name) for entry in workbench.audit.list()]


def test_a_registered_version_keeps_everything_it_was_given(registry, make_package, clock):
    version = registry.register(
        "bikes",
        make_package(),
        run_id="aaaa",
        snapshots=["hours@1"],
        git_commit="c0ffee",
        metrics={"mae": 2.0, "bad": float("nan")},
    )
    assert version == registry.version("bikes/1")
    assert (version.version, version.task, version.run_id, version.snapshots) == (1, "regression", "aaaa", ["hours@1"])
    assert version.metrics == {"mae": 2.0}
    assert [item["name"] for item in version.signature["inputs"]] == ["temp", "city"]
    assert version.created_at == clock.now
    assert version.created_by == "tester"
    assert version.size > 500


def test_registering_is_audited_in_the_same_write(registry, make_package, workbench, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("disk")

    monkeypatch.setattr(workbench.audit, "note", fail)
    with pytest.raises(RuntimeError):
        registry.register("bikes", make_package())
    assert registry.models() == []


def test_a_pipeline_run_registers_once(registry, make_package):
    first = registry.register("bikes", make_package(1.0, "one"), pipeline="p", pipeline_run="r1")
    again = registry.register("bikes", make_package(2.0, "two"), pipeline="p", pipeline_run="r1")
    assert again == first
    assert len(registry.versions("bikes")) == 1


def test_references_name_the_newest_a_number_or_an_alias(three):
    three.set_alias("bikes", "mine", 2)
    assert [three.version(ref).version for ref in ("bikes", "bikes/1", "bikes@mine", "bikes@3")] == [3, 1, 2, 3]


@pytest.mark.parametrize(
    ("ref", "kind", "hint"),
    [
        ("bike", NotFound, "Did you mean 'bikes'?"),
        ("bikes/9", NotFound, "bikes/3"),
        ("bikes@champoin", NotFound, "Did you mean 'champion'?"),
        ("bikes/x", InvalidInput, "model/3"),
        ("bikes@", InvalidInput, "model@champion"),
    ],
)
def test_a_wrong_reference_says_which_one_was_meant(three, ref, kind, hint):
    three.promote("bikes/1")
    with pytest.raises(kind) as caught:
        three.version(ref)
    assert hint in caught.value.hint


def test_promoting_moves_the_champion_and_archives_the_one_before(three, workbench):
    three.promote("bikes/1")
    promoted = three.promote("bikes/2", why="better on summer")
    assert promoted.stage == "Production"
    assert promoted.aliases == ["champion"]
    assert three.version("bikes/1").stage == "Archived"
    assert three.version("bikes/1").aliases == []
    assert three.model("bikes").production == 2
    assert ("promote", "bikes@champion") in verbs(workbench)


def test_rollback_returns_to_the_previous_production_version_and_further_back(three):
    for number in (1, 2, 3):
        three.promote(f"bikes/{number}")
    assert three.rollback("bikes", why="errors up").version == 2
    assert three.version("bikes/3").stage == "Archived"
    assert three.rollback("bikes").version == 1
    with pytest.raises(NotAllowed, match="no earlier version"):
        three.rollback("bikes")


def test_rollback_after_a_new_promotion_skips_what_was_rolled_back(three):
    three.promote("bikes/1")
    three.promote("bikes/2")
    three.rollback("bikes")
    three.promote("bikes/3")
    assert three.rollback("bikes").version == 1


def test_promoting_the_champion_again_adds_no_step_to_roll_back_over(three):
    three.promote("bikes/1")
    three.promote("bikes/2")
    three.promote("bikes/2")
    assert three.rollback("bikes").version == 1


def test_staging_and_archiving_change_the_stage_only(three):
    three.promote("bikes/1")
    assert three.promote("bikes/2", "staging").stage == "Staging"
    assert three.promote("bikes/3", "archived").stage == "Archived"
    assert three.version("bikes@champion").version == 1
    with pytest.raises(NotAllowed, match="in production"):
        three.promote("bikes/1", "archived")


def test_an_alias_of_your_own_moves_and_rolls_back(three):
    three.promote("bikes/1", "blue")
    three.set_alias("bikes", "blue", 3)
    assert three.rollback("bikes", "blue").version == 1
    assert three.version("bikes/1").stage == "None"
    three.remove_alias("bikes", "blue")
    assert three.alias("bikes", "blue") is None


@pytest.mark.parametrize("alias", ["12", "a b", ""])
def test_an_alias_must_be_a_word(three, alias):
    with pytest.raises(InvalidInput):
        three.set_alias("bikes", alias, 1)


def test_a_version_loads_and_answers(three):
    assert three.load("bikes/2").predict([0]).tolist() == [2.0]


def test_a_version_altered_on_disk_is_not_loaded(three, workbench):
    version = three.version("bikes/1")
    sha = workbench.context.artifacts.manifest(version.sha)["model.joblib"]
    path = workbench.context.artifacts.path(sha)
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(InvalidInput, match="altered"):
        three.load("bikes/1")
    assert not list(workbench.workspace.tmp.glob("load-*"))


def test_checkout_replaces_what_lay_there_whole(three, tmp_path):
    dest = tmp_path / "served"
    three.checkout("bikes/1", dest)
    (dest / "debris").write_text("old")
    three.checkout("bikes/2", dest)
    assert sorted(path.name for path in dest.iterdir()) == [
        "engine.json",
        "environment.json",
        "model.joblib",
        "profile.json",
        "sample.parquet",
        "signature.json",
    ]


def test_the_profile_is_read_without_loading_the_model(three):
    profile = three.profile("bikes@3")
    assert profile["columns"]["temp"]["count"] == 3
    assert profile["baseline"]["mae"] == pytest.approx(1.0)


def test_lineage_names_what_a_version_came_from_and_what_is_gone(registry, make_package):
    registry.register(
        "bikes",
        make_package(),
        run_id="aaaa",
        snapshots=["hours@1", "gone@4"],
        pipeline="p",
        pipeline_run="r1",
        git_commit="c0ffee",
    )
    items = [(item.kind, item.name, item.found) for item in registry.lineage("bikes/1")]
    assert items == [
        ("run", "aaaa", True),
        ("snapshot", "hours@1", True),
        ("snapshot", "gone@4", False),
        ("pipeline_run", "r1", True),
        ("commit", "c0ffee", True),
    ]
    assert registry.by_run("aaaa")[0].ref == "bikes/1"


def test_two_versions_are_compared_by_what_differs(three):
    items = {(item.section, item.key): item for item in three.diff("bikes/1", "bikes/2").items}
    assert items["metric", "mae"].delta == pytest.approx(-0.5)
    assert ("input", "temp") not in items


def test_metrics_of_different_data_are_compared_with_a_caution(registry, make_package):
    for day, mae in ((1, 2.0), (2, 3.0), (2, 4.0)):
        package = make_package(mae, f"package-{mae}")
        registry.register("bikes", package, snapshots=[f"hours@{day}"], metrics={"mae": mae})
    assert registry.diff("bikes/1", "bikes/2").caution.startswith("Each metric is of its version's own test rows")
    assert registry.diff("bikes/2", "bikes/3").caution == ""


def test_a_folder_that_is_no_package_is_refused(registry, tmp_path):
    (tmp_path / "model.joblib").write_bytes(b"x")
    with pytest.raises(NotFound, match=r"signature\.json is missing"):
        registry.register("bikes", tmp_path)
    assert registry.models() == []


@pytest.fixture
def second_lost(three, workbench):
    """The second version, whose model file somebody deleted."""
    version = three.version("bikes/2")
    sha = workbench.context.artifacts.manifest(version.sha)["model.joblib"]
    workbench.context.artifacts.path(sha).unlink()
    return three


def test_a_version_whose_files_are_gone_becomes_no_champion_again(second_lost, workbench):
    second_lost.promote("bikes/1")
    for move in (lambda: second_lost.promote("bikes/2"), lambda: second_lost.set_alias("bikes", "mine", 2)):
        with pytest.raises(NotAllowed, match=r"The package of bikes/2 has lost model.joblib") as refused:
            move()
        assert "mlops restore" in refused.value.hint
    assert second_lost.alias("bikes", "champion") == 1


def test_a_rollback_to_files_that_are_gone_changes_nothing(three, workbench):
    three.promote("bikes/2")
    three.promote("bikes/1")
    sha = workbench.context.artifacts.manifest(three.version("bikes/2").sha)["model.joblib"]
    workbench.context.artifacts.path(sha).unlink()
    with pytest.raises(NotAllowed, match="has lost"):
        three.rollback("bikes")
    assert three.alias("bikes", "champion") == 1


def test_what_is_left_of_a_version_is_still_told(second_lost, workbench):
    version = second_lost.version("bikes/2")
    workbench.context.artifacts._find(version.sha).unlink()
    assert "bikes/2 is gone" in second_lost.lost(version)
    assert second_lost.lost(second_lost.version("bikes/3")) == ""


def test_a_version_that_somebody_promotes_meanwhile_is_not_archived(three, workbench, monkeypatch):
    """Ana promotes in the moment between the other's look and his change."""
    write = workbench.context.catalog.write

    def ana_is_faster():
        monkeypatch.setattr(workbench.context.catalog, "write", write)
        three.promote("bikes/1")
        return write()

    monkeypatch.setattr(workbench.context.catalog, "write", ana_is_faster)
    with pytest.raises(NotAllowed, match="bikes/1 is in production"):
        three.promote("bikes/1", "archived")
    assert (three.version("bikes/1").stage, three.alias("bikes", "champion")) == ("Production", 1)
