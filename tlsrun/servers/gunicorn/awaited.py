"""How much of a request's body to wait for before a thread is taken, from its head alone.

gunicorn reads the same bytes later, and it alone decides what they mean. A mistake here could only hand it the
request too early or too late.
"""

from __future__ import annotations

import re

from tlsrun.http1.body import BodyReader

# Two of them may follow one another: the end of the line is not taken.
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*(?=\r\n)")
_CODING = re.compile(rb"\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n")
_EXPECTS = re.compile(rb"\nexpect:[ \t]*100-continue[ \t]*\r\n")


class RemainingBody:
    """What is still missing of a body.

    Arguments:
        left: its bytes; None for one in chunks.
        expects: its client waits for ``100 Continue``.
    """

    __slots__ = ("_reader", "expects")

    def __init__(self, left: int | None, *, expects: bool) -> None:
        self._reader = BodyReader(left, ValueError)
        self.expects = expects

    def feed(self, data: bytes) -> bool:
        """Take more data; returns whether there is nothing left to wait for."""
        try:
            self._reader.feed(data)
        except ValueError:  # gunicorn refuses it
            return True
        return self._reader.done


def awaited(data: bytes, most: int) -> RemainingBody | None:
    """Determine what to wait for.

    Arguments:
        data: a whole head, and what has come behind it.
        most: bytes of a body; a longer one is not waited for, as there would be no room for it.

    Returns:
        None for nothing.
    """
    end = data.find(b"\r\n\r\n") + 4
    head = data[:end].lower()
    if end < 4 or b"\ncontent-length:" not in head and b"\ntransfer-encoding:" not in head:
        return None
    length, chunked = _LENGTH.findall(head), _CODING.search(head)
    if len(length) + (chunked is not None) != 1 or (length and int(length[0]) > most):
        return None
    begun = len(data) > end
    expects = not begun and b" http/1.1\r\n" in head and _EXPECTS.search(head) is not None
    rest = RemainingBody(None if chunked else int(length[0]), expects=expects)
    return None if (begun or length == [b"0"]) and rest.feed(data[end:]) else rest
