"""The limit on HTTP/2 frames without a request or a body."""

from __future__ import annotations

from tlsrun.servers.hypercorn.flood import TokenBucket


def test_it_is_spent() -> None:
    """A burst up to the capacity, and no more."""
    bucket = TokenBucket(3, per_second=1)
    assert [bucket.spend(10.0) for _ in range(5)] == [True, True, True, False, False]


def test_it_comes_back() -> None:
    """Tokens are added at the given rate."""
    bucket = TokenBucket(2, per_second=2)
    assert [bucket.spend(now) for now in (0.0, 0.0, 0.25, 0.5, 0.5)] == [True, True, False, True, False]


def test_it_does_not_grow_beyond_its_most() -> None:
    """A long pause does not permit a longer burst."""
    bucket = TokenBucket(2, per_second=100)
    assert bucket.spend(0.0)
    assert [bucket.spend(1000.0) for _ in range(3)] == [True, True, False]
