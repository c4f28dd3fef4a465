"""How an answer's body ends, and whether the connection goes on."""

from __future__ import annotations

import pytest

from tlsrun.http1.framing import AnswerFraming, Unfinished, content_length
from tlsrun.http1.head import parse_head


def _framing(
    status: int, length: int | None, *, method: str = "GET", version: str = "1.1", keeps: bool = True
) -> AnswerFraming:
    request = parse_head(f"{method} / HTTP/{version}\r\nHost: x".encode())
    return AnswerFraming(request, status, length, keeps=keeps)


_LENGTH, _CHUNKED = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"
_CLOSE, _KEEP = b"Connection: close\r\n", b"Connection: keep-alive\r\n"


@pytest.mark.parametrize(
    ("framing", "lines", "sent"),
    [
        (_framing(200, 5), _LENGTH, b"hello"),
        (_framing(200, None), _CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"),
        (_framing(200, 5, keeps=False), _LENGTH + _CLOSE, b"hello"),
        (_framing(200, None, version="1.0"), _CLOSE, b"hello"),
        (_framing(200, 5, version="1.0"), _LENGTH + _KEEP, b"hello"),
        (_framing(200, 5, method="HEAD"), _LENGTH, b""),
        (_framing(200, None, method="HEAD"), b"", b""),
        (_framing(304, 5), _LENGTH, b""),
        (_framing(304, None), b"", b""),
        (_framing(204, 5), b"", b""),
        (_framing(204, None, version="1.0"), _KEEP, b""),
    ],
)
def test_framing(framing: AnswerFraming, lines: bytes, sent: bytes) -> None:
    """RFC 9112, sections 6.3 and 9.3."""
    assert framing.lines == lines
    assert framing.frame(b"hello") + framing.frame(b"") + framing.end() == sent
    assert framing.keeps == (_CLOSE not in lines)
    assert framing.size == (5 if sent else 0)


def test_an_answer_of_another_length() -> None:
    """What is too much is left out, and the connection ends; too little is no end."""
    longer = _framing(200, 5)
    assert longer.frame(b"hel") + longer.frame(b"lo world") + longer.frame(b"!") + longer.end() == b"hello"
    assert not longer.keeps
    shorter = _framing(200, 5)
    shorter.frame(b"hell")
    with pytest.raises(Unfinished, match="Content-Length was 5, and 4 bytes came"):
        shorter.end()


def test_content_length() -> None:
    """One number, however often it is said."""
    assert content_length([]) is None
    assert content_length([b"5", b"5"]) == 5
    for values in ([b"5", b"6"], [b""], [b"+5"], [b"5, 5"], [b"1" * 19], [b"\xb2"]):
        with pytest.raises(ValueError, match="no Content-Length"):
            content_length(values)
