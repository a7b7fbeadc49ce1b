"""Which step waits for which: the built-in ones in their order, a project's own as their `needs` say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tui.domains.pipelines.operating import Extra

LOAD, COLLECT = "load", "collect"
Needs = dict[str, tuple[str, ...]]


def own_needs(steps: Sequence[Extra]) -> Needs:
    """What each own step waits for: what it says, else the one listed before it, the first one for the joined rows."""
    before = (LOAD,)
    needs: Needs = {}
    for step in steps:
        needs[step.name] = before if step.needs is None else tuple(step.needs) or (LOAD,)
        before = (step.name,)
    return needs


def ordered(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """The steps so that each comes after what it needs, else as they are listed; those in a cycle are left out."""
    done: list[str] = []
    waiting = list(needs)
    while True:
        ready = next((name for name in waiting if all(need in done or need == LOAD for need in needs[name])), None)
        if ready is None:
            return done
        waiting.remove(ready)
        done.append(ready)


def cycle(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """One cycle as its steps in turn, the first again at the end; empty when there is none. Unknown needs count for nothing."""
    known = {name: [need for need in wanted if need in needs] for name, wanted in needs.items()}
    left = [name for name in known if name not in ordered(known)]
    if not left:
        return []
    path = [left[0]]
    while True:
        path.append(next(need for need in known[path[-1]] if need in left))
        if path[-1] in path[:-1]:
            return path[path.index(path[-1]) :]


def leaves(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """The steps that no other needs, in their order."""
    wanted = {need for names in needs.values() for need in names}
    return [name for name in ordered(needs) if name not in wanted]


def whole(plan: Sequence[str], own: Mapping[str, Sequence[str]]) -> Needs:
    """What each step of a plan waits for."""
    found: Needs = {}
    before: tuple[str, ...] = ()
    for name in plan:
        if name in own:
            found[name] = tuple(own[name])
            continue
        found[name] = tuple(leaves(own)) if name == COLLECT else before
        before = (name,)
    return found
