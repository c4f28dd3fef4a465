"""A request body on its way from the event loop to the application's thread."""

from __future__ import annotations

import pytest

from tlsrun.servers.hypercorn.body_queue import BodyQueue
from tlsrun.servers.store import SharedQuota


def _queue(patience: float = 60) -> tuple[BodyQueue, list[int]]:
    taken: list[int] = []
    return BodyQueue(patience, taken.append, SharedQuota(1 << 20, 1 << 28)), taken


def test_bytes_in_order() -> None:
    """Bytes come in order, whatever the sizes of parts and reads; then the end."""
    queue, taken = _queue()
    for part in (b"ab", b"c", b"defg"):
        queue.feed(part)
    queue.end()
    assert queue.whole
    assert [queue.read(size) for size in (3, 2, 100, 100)] == [b"abc", b"de", b"fg", b""]
    assert (sum(taken), queue.size) == (7, 0)


def test_more_than_memory_is_to_hold() -> None:
    """A body beyond the memory limit is read back completely from a file."""
    queue, taken = _queue()
    parts = [bytes([number]) * 400_000 for number in range(8)]
    for part in parts:
        queue.feed(part)
    queue.end()
    assert queue.read(10 << 20) == b"".join(parts)
    assert sum(taken) == 8 * 400_000


@pytest.mark.parametrize("before", [b"", b"a part"])
def test_a_client_that_goes(before: bytes) -> None:
    """A truncated body raises instead of ending, and later data is discarded."""
    queue, _ = _queue()
    queue.feed(before)
    queue.break_off("it went")
    queue.feed(b"more")
    with pytest.raises(ConnectionResetError, match="it went"):
        queue.read(1)
    assert queue.size == 0


def test_a_client_that_sends_nothing() -> None:
    """A read waits for ``patience`` seconds, then raises."""
    queue, _ = _queue(0.05)
    with pytest.raises(ConnectionResetError, match=r"nothing for 0\.05 s"):
        queue.read(1)
