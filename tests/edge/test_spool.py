"""Bodies kept until they are whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tlsrun.edge.limits import EdgeLimits
from tlsrun.edge.spool import RequestSpool, SpooledBody, check_body
from tlsrun.http1.refusal import Refused


def drained(spool: RequestSpool, size: int = 7) -> bytes:
    """All of it, in small parts."""
    parts = []
    while part := spool.take(size):
        parts.append(part)
    spool.close()
    return b"".join(parts)


def open_files() -> int:
    """Descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("memory", [0, 1, 50, 1000])
def test_kept(memory: int) -> None:
    """What is put in comes out, from memory or from a file, and nothing stays open."""
    before = open_files()
    spool = RequestSpool(memory)
    pieces = [b"%d," % number for number in range(200)]
    for piece in pieces:
        spool.append(piece)
    assert spool.size == sum(map(len, pieces))
    assert (open_files() > before) is (spool.size > memory)
    assert drained(spool) == b"".join(pieces)
    assert open_files() == before


def test_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is nowhere to be seen, and goes with the process."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = RequestSpool(0)
    spool.append(b"hello")
    assert list(tmp_path.iterdir()) == []
    assert drained(spool) == b"hello"


def test_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A disk without room refuses the request with 507."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    spool = RequestSpool(0)
    with pytest.raises(Refused) as refusal:
        spool.append(b"hello")
    assert refusal.value.status == 507
    spool.close()


def test_body_of_known_length() -> None:
    """Content-Length bytes are the body; the rest is the next request."""
    body = SpooledBody(5, EdgeLimits())
    assert body.feed(b"he") == b""
    assert not body.done
    assert body.feed(b"lloGET") == b"GET"
    assert body.done
    assert drained(body.spool) == b"hello"


def test_chunked_body_over_the_limit() -> None:
    """A chunked body is refused at the byte that is too many."""
    body = SpooledBody(None, EdgeLimits(body=5))
    body.feed(b"5\r\nhello\r\n")
    with pytest.raises(Refused) as refusal:
        body.feed(b"1\r\n!")
    assert refusal.value.status == 413
    body.spool.close()


def test_no_limit() -> None:
    """Without a limit every size passes; a limit of 0 allows no body."""
    check_body(1 << 60, EdgeLimits())
    check_body(0, EdgeLimits(body=0))
    with pytest.raises(Refused):
        check_body(1, EdgeLimits(body=0))
