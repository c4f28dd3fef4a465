"""What waits for whoever is slower: in memory while there is some, in a file, and in memory when the disk is full."""

from __future__ import annotations

import errno
import random
import tempfile
from typing import Any

import pytest

from tlsrun.servers.store import SharedQuota, SpillBuffer

_OWN = 65536


def _taken(store: SpillBuffer, most: int = 1000) -> bytes:
    return b"".join(iter(lambda: store.take(most), b""))


@pytest.mark.parametrize("memory", [1 << 24, 100_000, 0])
def test_bytes_in_order(memory: int) -> None:
    """Whatever their sizes, wherever they are; all that was used is given back."""
    chance = random.Random(memory)  # noqa: S311 -- no secret
    stock = SharedQuota(memory, 1 << 28)
    store, put, got = SpillBuffer(stock), b"", b""
    for size in (1, 3, 5000, 200_000, 70_000, 2, 2, 65536, 1, 300_000) * 3:
        part = chance.randbytes(size)
        put += part
        store.append(part)
        assert store.held == len(put) - len(got)
        got += store.take(chance.randrange(1, 100_000))
    assert store.in_file == (memory < len(put))
    assert got + _taken(store) == put
    assert not store.in_file
    assert (stock.memory._left, stock.total._left) == (memory, 1 << 28)


def test_many_small_parts_are_few_objects() -> None:
    """A client that sends a body byte by byte costs no more than its bytes."""
    store = SpillBuffer(SharedQuota(1 << 20, 1 << 20))
    for _ in range(100_000):
        store.append(b"x")
    assert len(store._parts) < 30
    assert _taken(store) == b"x" * 100_000


def test_each_has_some_memory_of_its_own() -> None:
    """When the others have used up what there is for all, a small one still needs no file; a larger one does."""
    stock = SharedQuota(100, 1 << 28)
    hungry, small, large = SpillBuffer(stock), SpillBuffer(stock), SpillBuffer(stock)
    hungry.append(bytes(60_000))
    small.append(bytes(_OWN))
    large.append(bytes(_OWN + 1))
    assert [store.in_file for store in (hungry, small, large)] == [False, False, True]
    hungry.clear()
    small.clear()
    large.clear()
    large.append(bytes(_OWN + 1))
    assert not large.in_file
    assert (stock.memory._left, stock.total._left) == (99 - _OWN, (1 << 28) - _OWN - 1)


def test_too_much_in_all() -> None:
    """Every one is full as long as all together have more than there is for them."""
    stock = SharedQuota(0, 1000)
    one, other = SpillBuffer(stock), SpillBuffer(stock)
    one.append(bytes(600))
    assert not one.full
    other.append(bytes(400))
    assert one.full
    assert other.full
    other.take(1)
    assert not one.full


def test_a_file_that_has_grown() -> None:
    """It is full until the file is gone: reading from it does not make it smaller."""
    store = SpillBuffer(SharedQuota(0, 1 << 28), 100_000)
    store.append(bytes(100_000))
    assert store.full
    store.take(99_999)
    assert store.full
    store.take(1)
    assert not store.full


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No temporary file can be had."""

    def fail(**_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)


@pytest.mark.usefixtures("full_disk")
def test_no_room_on_the_disk() -> None:
    """Who can refuse more is told; what cannot be refused is held in memory, and nothing is lost."""
    store = SpillBuffer(SharedQuota(0, 1 << 28))
    store.append(b"a" * _OWN)
    with pytest.raises(OSError, match="No space"):
        store.append(b"b" * 10)
    assert (store.held, store.full) == (_OWN, False)
    store.keep(b"c" * 200_000)
    assert store.full
    assert _taken(store) == b"a" * _OWN + b"c" * 200_000
    assert not store.full
