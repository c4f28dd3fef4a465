"""What a supervisor does next: a function of how its workers are.

A worker that is to be replaced serves on until the one in its place does; then it leaves, and sees its clients off. So
a number of the workers may be several processes for a while, each in a slot of its own::

    START ──► ready ──► unwanted ──► REPLACE: another one starts ──ready──► DISMISS ──► leaving ──► BURY
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

#: Seconds that a worker has to start.
START_TIMEOUT = 30.0
#: Seconds after its birth before a worker is replaced: what fails at once is not to fail all the time.
PAUSE = 1.0


class Stage(Enum):
    """Of a supervisor."""

    STARTING = auto()  # not every worker has served yet
    SERVING = auto()
    STOPPING = auto()  # requests have some time to finish
    ENDING = auto()  # they had


class Do(Enum):
    """What is to be done, with the worker in a slot."""

    START = auto()  # the first one of its number, or in the place of one that has died
    REPLACE = auto()  # start one beside another, which it is to replace
    DISMISS = auto()  # another serves in its place: it leaves, and sees its clients off
    HURRY = auto()  # it has left, and its slot is needed
    KILL_UNREADY = auto()
    KILL_LATE = auto()
    BURY = auto()  # it has ended, as it should
    BURY_DEAD = auto()  # it has ended, as it should not
    GIVE_UP_REPLACING = auto()  # the one that was to replace another has ended before it served
    FAIL = auto()  # it did not start, or is not to be replaced: the server ends


class Action(NamedTuple):
    """Something to be done with the worker in a slot."""

    do: Do
    slot: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A worker, as a look has found it.

    Arguments:
        slot: its place among all processes; its number (from 0) is that modulo the number of workers.
        age: seconds since its birth.
        alive: it runs.
        ready: it has said that it serves.
        unwanted: it has asked to be replaced, or its server has.
        leaving: it was dismissed.
        late: the time that it had to leave is over.
    """

    slot: int
    age: float
    alive: bool = True
    ready: bool = True
    unwanted: bool = False
    leaving: bool = False
    late: bool = False


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What holds for all workers of a server.

    Arguments:
        workers: how many there are to be.
        slots: processes that may be one worker at a time.
        respawns: whether one that dies is replaced.
    """

    workers: int
    slots: int
    respawns: bool = True


def decide(stage: Stage, seen: Sequence[Seen], rules: Rules, *, may_replace: bool = True) -> list[Action]:
    """What is to be done, in this order.

    Arguments:
        seen: the workers that have not been buried, the oldest first.
        may_replace: whether workers that could not be replaced may be again.
    """
    leaving = [one for one in seen if one.leaving]
    actions = [Action(Do.BURY, one.slot) for one in leaving if not one.alive]
    if stage in (Stage.STOPPING, Stage.ENDING):
        staying = [one for one in seen if not one.leaving]
        actions += [Action(Do.BURY, one.slot) for one in staying if not one.alive]
        if stage is Stage.ENDING:
            actions += [Action(Do.KILL_LATE, one.slot) for one in seen if one.alive]
        return actions
    actions += [Action(Do.KILL_LATE, one.slot) for one in leaving if one.alive and one.late]
    actions += _starting(seen, rules) if stage is Stage.STARTING else _serving(seen, rules, may_replace)
    return actions


def _is_unready(one: Seen) -> bool:
    return one.alive and not one.ready and one.age > START_TIMEOUT


def _starting(seen: Sequence[Seen], rules: Rules) -> Iterator[Action]:
    """One after the other: what keeps one from its start, keeps all, and is to be told once."""
    for one in seen:
        if one.ready and not one.alive:
            yield from _of_a_dead(one, None, rules)
        elif not one.alive:
            yield Action(Do.FAIL, one.slot)
        elif _is_unready(one):
            yield from (Action(Do.KILL_UNREADY, one.slot), Action(Do.FAIL, one.slot))
    if len(seen) < rules.workers and all(one.ready for one in seen):
        yield Action(Do.START, len(seen))


def _serving(seen: Sequence[Seen], rules: Rules, may_replace: bool) -> Iterator[Action]:
    replacing = False
    unwanted = []
    for number in range(rules.workers):
        staying = [one for one in seen if one.slot % rules.workers == number and not one.leaving]
        holder, heir = (*staying, None, None)[:2]
        replacing = replacing or heir is not None
        if holder is None:  # there could be no more processes
            yield from _begin(Do.START, number, seen, rules)
        elif not holder.alive:
            yield from _of_a_dead(holder, heir, rules)
        elif _is_unready(holder):
            yield Action(Do.KILL_UNREADY, holder.slot)
        elif heir is not None:
            yield from _of_a_pair(holder, heir)
        elif holder.unwanted and holder.age >= PAUSE:
            unwanted.append(holder)
    # One at a time: what a worker needs to start is there once, and a start that fails is tried in one place. The
    # oldest first: where the new ones are soon unwanted too, each has its turn.
    if unwanted and may_replace and not replacing:
        oldest = max(unwanted, key=lambda one: one.age)
        yield from _begin(Do.REPLACE, oldest.slot % rules.workers, seen, rules)


def _of_a_dead(holder: Seen, heir: Seen | None, rules: Rules) -> Iterator[Action]:
    if not rules.respawns:
        yield Action(Do.FAIL, holder.slot)
    elif holder.age >= PAUSE:
        yield Action(Do.BURY_DEAD, holder.slot)
        if heir is None:
            yield Action(Do.START, holder.slot)


def _of_a_pair(holder: Seen, heir: Seen) -> Iterator[Action]:
    if not heir.alive:
        yield Action(Do.GIVE_UP_REPLACING, heir.slot)
    elif heir.ready:
        yield Action(Do.DISMISS, holder.slot)
    elif _is_unready(heir):
        yield Action(Do.KILL_UNREADY, heir.slot)


def _begin(do: Do, number: int, seen: Sequence[Seen], rules: Rules) -> Iterator[Action]:
    taken = {one.slot for one in seen}
    slots = range(number, rules.slots * rules.workers, rules.workers)
    free = next((slot for slot in slots if slot not in taken), None)
    if free is not None:
        yield Action(do, free)
        return
    # Those before it still have clients.
    yield from (Action(Do.HURRY, one.slot) for one in seen if one.leaving and one.alive and one.slot in slots)
