"""What is taken here, h11 takes too, and reads the same in it: a second parser that shares no code with the first."""

from __future__ import annotations

import random

import h11

from tests.http1.mutating import INSERTED, SEEDS, mutate
from tlsrun.http1.head import Head
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import Refused

_MUTATIONS = 30_000


def _ours(data: bytes) -> Head | None:
    inbox = Inbox()
    inbox.put(data)
    try:
        return inbox.next_head()
    except Refused:
        return None


def _theirs(data: bytes) -> h11.Request:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 17)
    connection.receive_data(data.removeprefix(b"\r\n"))  # h11 passes over none
    event = connection.next_event()
    assert isinstance(event, h11.Request), data
    return event


def test_mutations() -> None:
    """Method, target, and every header of each request that is taken; and where its body ends."""
    chance = random.Random(20261130)  # noqa: S311 -- the same mutations in every run
    taken = 0
    for _ in range(_MUTATIONS):
        data = bytearray(chance.choice(SEEDS))
        for _ in range(chance.choice((1, 1, 2, 3))):
            mutate(data, chance)
        ours = _ours(bytes(data))
        if ours is None:
            continue
        taken += 1
        theirs = _theirs(bytes(data))
        assert (ours.method, ours.target) == (theirs.method, theirs.target), bytes(data)
        lines = [(name.lower(), value) for name, value in ours.fields.lines]
        # h11 spells the coding in lower case.
        lines = [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in lines]
        assert lines == list(theirs.headers), bytes(data)
    assert taken > _MUTATIONS // 10


def test_the_insertions_matter() -> None:
    """Each of what is inserted makes some request one that is refused: none is there in vain."""
    for inserted in INSERTED:
        spoiled = [seed[:at] + inserted + seed[at:] for seed in SEEDS for at in range(seed.index(b"\r\n\r\n"))]
        assert any(_ours(data) is None for data in spoiled), inserted
