"""How a thread that waits for descriptors is woken."""

from __future__ import annotations

import contextlib
import select

from tlsrun.polling.waker import Waker


def _rings(waker: Waker) -> bool:
    return bool(select.select([waker], [], [], 0)[0])


def test_it_rings_until_it_was_heard() -> None:
    """However often it was called."""
    with contextlib.closing(Waker()) as waker:
        assert not _rings(waker)
        for _ in range(3):
            waker.wake()
        assert _rings(waker)
        waker.clear()
        assert not _rings(waker)
        waker.clear()


def test_nobody_waits_to_wake() -> None:
    """A thread that does not listen for long keeps none of those that call."""
    with contextlib.closing(Waker()) as waker:
        for _ in range(100_000):
            waker.wake()
        assert _rings(waker)
        waker.clear()
        assert not _rings(waker)


def test_after_the_end() -> None:
    """A late call does no harm."""
    waker = Waker()
    waker.close()
    waker.wake()
    waker.clear()
