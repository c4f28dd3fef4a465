"""What a supervisor does next, as a function of the state of its workers.

A worker that is to be replaced goes on serving until its replacement does; then it stops accepting, and finishes its
requests. So for a while several processes may have the same worker number, each in a slot of its own::

    START ──► ready ──► unwanted ──► REPLACE: another one starts ──ready──► DISMISS ──► leaving ──► BURY
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

#: Seconds that a worker may take to start.
START_TIMEOUT = 30.0
#: Minimum age in seconds at which a worker is replaced: limits the rate at which workers that fail at once restart.
PAUSE = 1.0


class Stage(Enum):
    """The stage of a supervisor."""

    STARTING = auto()  # some workers are not ready yet
    SERVING = auto()
    STOPPING = auto()  # waiting for requests to finish
    ENDING = auto()  # time is up: workers are killed


class Do(Enum):
    """What to do with the worker in a slot."""

    START = auto()  # start a worker: the first of its number, or one in place of one that has died
    REPLACE = auto()  # start the replacement of a worker that still serves
    DISMISS = auto()  # its replacement serves: it is to stop accepting, and finish its requests
    HURRY = auto()  # it was dismissed, but its slot is needed now: SIGTERM
    KILL_UNREADY = auto()  # it was not ready in time
    KILL_LATE = auto()  # it did not finish in time
    BURY = auto()  # it has ended as expected
    BURY_DEAD = auto()  # it has ended unexpectedly
    GIVE_UP_REPLACING = auto()  # the replacement has ended before it was ready
    FAIL = auto()  # it did not start, or died and must not be restarted: the server stops


class Action(NamedTuple):
    """Something to do with the worker in a slot."""

    do: Do
    slot: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A snapshot of a worker.

    Arguments:
        slot: its index among all processes; its worker number (from 0) is the slot modulo the number of workers.
        age: seconds since it was started.
        alive: its process runs.
        ready: it has reported that it serves.
        unwanted: it, or its server, has asked for it to be replaced.
        leaving: it was dismissed.
        late: it has not ended within the time that it was given when it was dismissed.
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
    """What applies to all workers of a server.

    Arguments:
        workers: number of workers.
        slots: maximum number of processes per worker number at a time.
        respawns: whether a worker that dies is restarted; if not, the server stops.
    """

    workers: int
    slots: int
    respawns: bool = True


def decide(stage: Stage, seen: Sequence[Seen], rules: Rules, *, may_replace: bool = True) -> list[Action]:
    """Return what to do, in order.

    Arguments:
        seen: all workers not yet buried, oldest first.
        may_replace: False for a while after a replacement has failed.
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
    """Start one worker after the other: an error that prevents one start prevents all, and is to be reported once."""
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
        if holder is None:  # no process could be forked, or no slot was free
            yield from _begin(Do.START, number, seen, rules)
        elif not holder.alive:
            yield from _of_a_dead(holder, heir, rules)
        elif _is_unready(holder):
            yield Action(Do.KILL_UNREADY, holder.slot)
        elif heir is not None:
            yield from _of_a_pair(holder, heir)
        elif holder.unwanted and holder.age >= PAUSE:
            unwanted.append(holder)
    # One at a time: only one extra process needs resources, and a start that fails is tried with one worker only. The
    # oldest first, so that each has its turn even if new workers soon have to be replaced too.
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
    # All slots are taken by former workers that still have clients.
    yield from (Action(Do.HURRY, one.slot) for one in seen if one.leaving and one.alive and one.slot in slots)
