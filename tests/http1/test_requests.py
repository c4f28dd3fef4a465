"""What a client sends over HTTP/1.1, however its bytes are cut."""

from __future__ import annotations

import pytest

from tests.http1.malformed import MALFORMED, OTHERWISE_REFUSED
from tests.http1.mutating import SEEDS
from tlsrun.http1.head import Head
from tlsrun.http1.refusal import Refused
from tlsrun.http1.requests import Requests

_REFUSED = {name: (data, 400) for name, data in MALFORMED.items()} | OTHERWISE_REFUSED


Found = list[tuple[bytes, bytes, bool]]


def _events(data: bytes, step: int) -> tuple[Found, int]:
    """The requests among one client's bytes: path, body, and whether that is whole; and the status of a refusal."""
    requests = Requests()
    found: Found = []
    try:
        for at in range(0, len(data), step):
            requests.put(data[at : at + step])
            while (event := requests.next()) is not None:
                path, body = (event.path, b"") if isinstance(event, Head) else (found[-1][0], found.pop()[1] + event)
                found.append((path, body, requests.whole))
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
        assert b"/behind" not in [path for path, *_ in found]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_cut(seed: bytes) -> None:
    """Good requests come out the same however they are cut, with their bodies."""
    whole = _events(seed * 2, len(seed) * 2)
    assert whole[1] == 0
    for step in range(1, len(seed)):
        assert _events(seed * 2, step) == whole


def test_an_unfinished_request() -> None:
    """Whose client has gone is no good one; between requests, and in a head, the end is just the end."""
    requests = Requests()
    requests.put(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    requests.put(b"")
    assert isinstance(requests.next(), Head)
    assert (requests.next(), requests.whole) == (b"ab", False)
    with pytest.raises(Refused, match="breaks off"):
        requests.next()
    requests = Requests()
    requests.put(b"GET / HT")
    requests.put(b"")
    assert requests.next() is None
