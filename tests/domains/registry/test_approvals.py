"""Who has to agree before a version goes to production."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.registry.approvals import Approvals


@pytest.fixture
def asked(registry, make_package):
    """A model that needs one approval, and its version."""
    version = registry.register("bikes", make_package())
    registry.approvals.require("bikes", 1)
    return version


@pytest.fixture
def as_person(workbench, registry):
    """Act under another name."""

    def act(name):
        workbench.context.actor = name
        return registry.approvals

    return act


def test_nobody_is_asked_by_default(registry, make_package):
    registry.register("bikes", make_package())
    assert registry.promote("bikes/1").stage == "Production"


@pytest.mark.parametrize("way", ["promote", "alias"])
def test_production_is_refused_until_another_person_agreed(registry, asked, as_person, way):
    def move():
        return registry.promote("bikes/1") if way == "promote" else registry.set_alias("bikes", "champion", 1)

    with pytest.raises(NotAllowed, match="another person"):
        move()
    registry.approvals.ask(asked)
    with pytest.raises(NotAllowed, match="request is open, 0 of 1"):
        move()
    assert as_person("ana").approve(asked, "looks right").state == "approved"
    assert move().stage == "Production"


def test_staging_needs_no_approval(registry, asked):
    assert registry.promote("bikes/1", "staging").stage == "Staging"


def test_who_made_or_asked_for_a_version_cannot_approve_it(registry, asked, as_person):
    as_person("ben").ask(asked)
    with pytest.raises(NotAllowed, match="ben asked for it"):
        as_person("ben").approve(asked)
    with pytest.raises(NotAllowed, match="tester made it"):
        as_person("tester").approve(asked)


def test_two_approvals_are_of_two_people(registry, asked, as_person):
    registry.approvals.require("bikes", 2)
    registry.approvals.ask(asked)
    assert as_person("ana").approve(asked).state == "open"
    with pytest.raises(AlreadyExists):
        as_person("ana").approve(asked)
    assert as_person("ben").approve(asked).state == "approved"


def test_asking_for_more_later_asks_again(registry, asked, as_person):
    registry.approvals.ask(asked)
    as_person("ana").approve(asked)
    registry.approvals.require("bikes", 2)
    with pytest.raises(NotAllowed, match="1 of 2"):
        registry.promote("bikes/1")


def test_a_refusal_has_a_reason_and_ends_the_request(registry, asked, as_person):
    registry.approvals.ask(asked)
    with pytest.raises(InvalidInput):
        as_person("ana").refuse(asked, " ")
    assert as_person("ana").refuse(asked, "worse at night").state == "refused"
    with pytest.raises(NotFound):
        as_person("ben").approve(asked)
    with pytest.raises(NotAllowed):
        registry.promote("bikes/1")
    assert as_person("tester").ask(asked).state == "open"


def test_only_who_asked_withdraws(registry, asked, as_person):
    registry.approvals.ask(asked)
    with pytest.raises(NotAllowed):
        as_person("ana").withdraw(asked)
    assert as_person("tester").withdraw(asked).state == "withdrawn"
    assert registry.approvals.list("bikes", open_only=True) == []


def test_asking_twice_is_one_request(registry, asked):
    assert registry.approvals.ask(asked) == registry.approvals.ask(asked)


def test_a_rollback_needs_no_approval(registry, make_package, asked, as_person):
    registry.approvals.require("bikes", 0)
    registry.promote("bikes/1")
    registry.register("bikes", make_package(2.0, "two"))
    registry.promote("bikes/2")
    registry.approvals.require("bikes", 1)
    assert registry.rollback("bikes").version == 1


def test_every_word_is_in_the_trail(registry, asked, as_person, workbench):
    registry.approvals.ask(asked, "better")
    as_person("ana").approve(asked, "seen")
    found = [(entry.verb, entry.actor, entry.why) for entry in workbench.audit.list(name="bikes/1")]
    assert found[:2] == [("approve", "ana", "seen"), ("ask", "tester", "better")]


def test_a_request_is_there_after_opening_again(asked, registry, workbench):
    registry.approvals.ask(asked, "better")
    (found,) = Approvals(workbench.context, workbench.audit).list()
    assert (found.ref, found.why, found.needed) == ("bikes/1", "better", 1)


def test_a_newer_version_takes_the_place_of_requests_that_nobody_agreed_to(registry, make_package, asked, as_person):
    half, newest = (registry.register("bikes", make_package(name=name)) for name in ("half", "newest"))
    registry.approvals.require("bikes", 2)
    for version in (asked, half, newest):
        registry.approvals.ask(version)
    as_person("ana").approve(half)
    withdrawn = registry.approvals.supersede(newest, [asked, half])
    assert [(one.ref, one.state, one.decisions[-1].why) for one in withdrawn] == [
        ("bikes/1", "withdrawn", "bikes/3 of the same pipeline is newer")
    ]
    assert [one.ref for one in registry.approvals.list(open_only=True)] == ["bikes/3", "bikes/2"]
