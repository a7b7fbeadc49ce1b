"""Back, forward and last, as lists of places."""

from __future__ import annotations

from mlops_tui.tui.history import LONGEST, History, Place

A, B, C = Place("features", "tables"), Place("serving", "deployments"), Place("system", "jobs")


def test_back_and_forward_walk_the_same_way() -> None:
    history = History()
    history.leave(A)
    history.leave(B)
    assert history.back(C) == B
    assert history.back(B) == A
    assert history.back(A) is None
    assert history.forward(A) == B
    assert history.forward(B) == C
    assert history.forward(C) is None


def test_going_somewhere_new_forgets_what_was_ahead() -> None:
    history = History()
    history.leave(A)
    assert history.back(B) == A
    history.leave(A)
    assert history.forward(C) is None
    assert history.back(C) == A


def test_last_swaps_two_views() -> None:
    history = History()
    assert history.last(A) is None
    history.leave(A)
    assert history.last(B) == A
    assert history.last(A) == B


def test_a_moved_cursor_is_not_a_view_of_its_own_and_the_list_has_an_end() -> None:
    history = History()
    for number in range(LONGEST + 50):
        history.leave(Place("features", "tables", str(number)))
    assert history.back(A) is None
    for number in range(LONGEST + 50):
        history.leave(Place("features", str(number)))
    steps, here = 0, A
    while (found := history.back(here)) is not None:
        steps, here = steps + 1, found
    assert steps == LONGEST
