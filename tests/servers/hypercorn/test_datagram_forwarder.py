"""Connection IDs that name a worker, datagrams forwarded between workers, marked Retry tokens."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("aioquic")


from tlsrun.servers.hypercorn.datagram_forwarder import LENGTH, DatagramForwarder, name_in  # noqa: E402
from tlsrun.servers.hypercorn.retry_tokens import RetryTokens  # noqa: E402

_HERE = ("127.0.0.1", 4433)


@pytest.fixture
def post() -> Iterator[DatagramForwarder]:
    """Of three workers."""
    made = DatagramForwarder(3)
    yield made
    made.close()


def test_a_name_tells_its_seat_to_its_server_alone(post: DatagramForwarder) -> None:
    """Whoever else looks sees no two that have anything in common."""
    names = [post.name(seat) for seat in (0, 1, 2) * 100]
    assert [post.seat_of(name) for name in names] == [0, 1, 2] * 100
    assert {len(name) for name in names} == {LENGTH}
    assert len({name[:2] for name in names}) > 250
    other = DatagramForwarder(3)
    assert sum(other.seat_of(name) is not None for name in names) < 3
    other.close()


@pytest.mark.parametrize("length", [0, 1, 8, LENGTH, 20])
def test_names_that_clients_choose(post: DatagramForwarder, length: int) -> None:
    """They are nobody's: the worker that gets them begins a connection."""
    assert sum(post.seat_of(os.urandom(length)) is not None for _ in range(300)) < 3


@pytest.mark.parametrize("address", [_HERE, ("2001:db8::1", 4433, 0, 0), ("fe80::1%eth0", 4433, 0, 2)])
def test_letters(post: DatagramForwarder, address: tuple[object, ...]) -> None:
    """A datagram arrives with its sender's address, whatever its bytes are."""
    for data in (b"", b"\n\t\0", bytes(range(256)), bytes(1500)):
        post.send(1, data, address)
        assert list(post.letters(1)) == [(data, address)]
    assert list(post.letters(0)) == []


def test_a_box_that_nobody_empties(post: DatagramForwarder) -> None:
    """What has no room is lost, as datagrams may be; who takes the seat finds it empty."""
    for _ in range(5000):
        post.send(2, bytes(1200), _HERE)
    assert 0 < len(list(post.letters(2))) <= 64
    assert post.box(2).fileno() >= 0
    assert list(post.letters(2)) == []


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\xc0\0\0\0\1", b"\xc0\0\0\0\1\x08", b"\x40", b"\0" * 5])
def test_datagrams_of_few_bytes(post: DatagramForwarder, data: bytes) -> None:
    """They name nobody."""
    assert post.seat_of(name_in(data)) is None


def test_the_name_in_a_datagram() -> None:
    """Behind its length in a long header, of our length in a short one."""
    assert name_in(b"\xc0\0\0\0\1\x03abcdef") == b"abc"
    assert name_in(b"\x40" + b"n" * LENGTH + b"rest") == b"n" * LENGTH


def test_marked_tokens() -> None:
    """Ours are known; those of others, and none, are not."""
    ours, others = RetryTokens(), RetryTokens()
    token = _token(ours)
    assert ours.made(token)
    assert not others.made(token)
    assert not ours.made(b"")
    assert not ours.made(token[:-1])


def _token(proof: RetryTokens) -> bytes:
    try:
        return proof.create_token(
            address=_HERE, original_destination_connection_id=b"a", retry_source_connection_id=b"b", now=0.0
        )
    except TypeError:  # aioquic before 1.7
        return proof.create_token(_HERE, b"a", b"b")
