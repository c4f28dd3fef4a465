"""What h11 is shown of a client, however its bytes are cut."""

from __future__ import annotations

from typing import Any

import h11
import pytest

from tests.http1.malformed import MALFORMED, OTHERWISE_REFUSED
from tests.http1.mutating import SEEDS
from tlsrun.http1.refusal import Refused
from tlsrun.servers.hypercorn.http1 import StrictH11

_REFUSED = {name: (data, 400) for name, data in MALFORMED.items()} | OTHERWISE_REFUSED


def _events(data: bytes, step: int) -> tuple[list[Any], int]:
    """What h11 makes of one client's bytes, each answered at once; and the status of a refusal."""
    strict = StrictH11(16384)
    found: list[Any] = []
    try:
        for at in range(0, len(data), step):
            strict.receive_data(data[at : at + step])
            while (event := strict.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Request):
                    found.append((strict.head.path, bytearray()))
                elif isinstance(event, h11.Data):
                    found[-1][1].extend(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    strict.send(h11.Response(status_code=204, headers=[]))
                    strict.send(h11.EndOfMessage())
                    if strict.our_state is h11.DONE:
                        strict.start_next_cycle()
                else:
                    break
    except Refused as refused:
        return found, refused.status
    return found, 0


@pytest.mark.parametrize("name", _REFUSED)
def test_refused(name: str) -> None:
    """What is refused is refused in one piece and byte by byte, and no request behind it is found."""
    data, status = _REFUSED[name]
    for step in (len(data), 1 if len(data) < 20_000 else 997):
        found, answered = _events(data + b"GET /behind HTTP/1.1\r\nHost: x\r\n\r\n", step)
        assert answered == status
        assert b"/behind" not in [path for path, _ in found]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_cut(seed: bytes) -> None:
    """Good requests come out the same however they are cut, with their bodies."""
    whole = _events(seed * 2, len(seed) * 2)
    assert whole[1] == 0
    for step in range(1, len(seed)):
        assert _events(seed * 2, step) == whole


def test_an_unfinished_request() -> None:
    """Whose client has gone is no request; between requests, the end is just the end."""
    strict = StrictH11(16384)
    strict.receive_data(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    strict.receive_data(b"")
    assert isinstance(strict.next_event(), h11.Request)
    assert isinstance(strict.next_event(), h11.Data)
    with pytest.raises(h11.RemoteProtocolError):
        strict.next_event()
    strict = StrictH11(16384)
    strict.receive_data(b"GET / HT")
    strict.receive_data(b"")
    assert isinstance(strict.next_event(), h11.ConnectionClosed)
