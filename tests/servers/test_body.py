"""``wsgi.input`` as a file, over a source that only knows ``read(size)``."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest

from tlsrun.servers.body import InputStream

TEXT = b"one\ntwo\n\nfour" + b"x" * 20000 + b"\nlast"


class _Source:
    """A server's: ``read(0)`` and negative sizes are not for it."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        assert size > 0
        return self._data.read(size)


def _body(data: bytes = TEXT, length: int | None = None) -> InputStream:
    return InputStream(_Source(data), len(data) if length is None else length, contextlib.nullcontext())


def test_it_reads_like_a_file() -> None:
    """Whatever mixture of calls: the same bytes as from BytesIO."""
    calls = [
        ("read", 2), ("readline", -1), ("readline", 2), ("read", 0), ("readline", None), ("readline", -1),
        ("read", 5), ("readline", 10), ("readline", 0), ("readline", -1), ("read", -1), ("read", -1), ("readline", -1),
    ]  # fmt: skip
    body, file = _body(), io.BytesIO(TEXT)
    for name, size in calls:
        assert getattr(body, name)(size) == getattr(file, name)(size), (name, size)


def test_iteration() -> None:
    """By lines; readlines() stops at its hint."""
    assert list(_body()) == io.BytesIO(TEXT).readlines()
    assert _body().readlines() == io.BytesIO(TEXT).readlines()
    assert _body().readlines(5) == io.BytesIO(TEXT).readlines(5)
    assert _body().read(None) == TEXT
    assert list(_body(b"")) == []


@pytest.mark.parametrize("read", [InputStream.read, list, lambda body: [body.read(9), body.read(9)]])
def test_a_body_that_breaks_off(read: Callable[[InputStream], object]) -> None:
    """Fewer bytes than were announced are an error, not the end."""
    body = _body(b"half", length=10)
    with pytest.raises(ConnectionResetError, match="6 bytes of its request unsent"):
        read(body)


def test_without_a_length_the_end_is_the_end() -> None:
    """A body whose length nobody said ends where it ends."""
    assert InputStream(_Source(b"all"), None, contextlib.nullcontext()).read() == b"all"
