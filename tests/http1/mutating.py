"""Good requests, and what makes others of them."""

from __future__ import annotations

import random

SEEDS = [
    b"GET /a HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b"POST /b?c=d HTTP/1.1\r\nHost: x:1\r\nContent-Length: 37\r\nContent-Type: a/b\r\n\r\n"
    b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n12345",
    b"POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"25;x=y\r\nGET /inner HTTP/1.1\r\nHost: x\r\n\r\n12345\r\n0\r\nX-T: u\r\n\r\n",
    b"PUT http://h/f HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, x-g\r\nX-G: h\r\nContent-Length: 0\r\n\r\n",
    b"OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
]  # fmt: skip

INSERTED = [
    b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b",", b"0", b"5", b"x", b"\x00", b"\xff", b";", b"\r\n\r\n", b"HTTP/1.1",
    b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"\x0b", b"-", b"+",
]  # fmt: skip


def mutate(data: bytearray, chance: random.Random) -> None:
    """Insert, delete, overwrite or repeat a little."""
    at = chance.randrange(len(data) + 1)
    kind = chance.randrange(4)
    if kind == 0:
        data[at:at] = chance.choice(INSERTED)
    elif kind == 1:
        del data[at : at + chance.randrange(1, 4)]
    elif kind == 2:
        data[at : at + 1] = chance.choice(INSERTED)
    else:
        data[at:at] = data[chance.randrange(len(data)) :][: chance.randrange(40)]
