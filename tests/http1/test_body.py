"""Where a body ends, however what comes is cut."""

from __future__ import annotations

import pytest

from tlsrun.http1.body import BodyReader

_CHUNKS = b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-T: u\r\n\r\n"


def _read(length: int | None, data: bytes, step: int) -> tuple[bytes, bytes, BodyReader]:
    """The body, what lies behind it, and its reader."""
    reader = BodyReader(length, ValueError)
    body = behind = b""
    for at in range(0, len(data), step):
        if reader.done:
            behind += data[at : at + step]
            continue
        pieces, rest = reader.feed(data[at : at + step])
        assert all(pieces)
        body += b"".join(pieces)
        behind += rest
    return body, behind, reader


@pytest.mark.parametrize(("length", "data"), [(11, b"hello world"), (None, _CHUNKS)])
def test_every_cut(length: int | None, data: bytes) -> None:
    """What is behind the end is handed back, and nothing of the body is."""
    for step in range(1, len(data) + 5):
        body, behind, reader = _read(length, data + b"GET", step)
        assert (body, behind, reader.done, reader.left) == (b"hello world", b"GET", True, 0)


def test_what_is_left() -> None:
    """It is known of a length, and not of chunks; a body of no bytes is whole before anything comes."""
    assert _read(11, b"hello", 5)[2].left == 6
    assert _read(None, b"5\r\nhe", 5)[2].left is None
    assert BodyReader(0, ValueError).done
    with pytest.raises(ValueError, match="hexadecimal"):
        BodyReader(None, ValueError).feed(b"x\r\n")
