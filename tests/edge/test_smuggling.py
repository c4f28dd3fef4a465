"""Nothing malformed reaches a worker: the whole table over TLS, in front of real workers."""

from __future__ import annotations

import pytest

from tests.edge.conftest import RunningEdge, Workers
from tests.http1.malformed import MALFORMED, OTHERWISE_REFUSED

_NEXT = b"GET /seen?behind HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(edge: RunningEdge, workers: Workers, name: str) -> None:
    """A malformed request, and one behind it, is answered once, with 400 in words and the end of the connection."""
    before = workers.requests()
    with edge.talk() as talk:
        talk.send(MALFORMED[name] + _NEXT)
        answer = talk.answer()
        assert answer.status == 400
        assert answer.words.startswith("400 Bad Request\nMalformed request: ")
        assert answer.header("connection") == "close"
        assert talk.end() == "notified"
    assert workers.requests() == before


@pytest.mark.parametrize("name", OTHERWISE_REFUSED)
def test_refused(edge: RunningEdge, workers: Workers, name: str) -> None:
    """What is refused for another reason is answered with its status, and the connection ends too."""
    before = workers.requests()
    data, status = OTHERWISE_REFUSED[name]
    with edge.talk() as talk:
        talk.send(data)
        answer = talk.answer()
        assert answer.status == status
        assert answer.words.startswith(f"{status} ")
        assert talk.end() == "notified"
    assert workers.requests() == before


def test_good_before_bad(edge: RunningEdge, workers: Workers) -> None:
    """Good requests before a malformed one are answered, and nothing behind it."""
    before = len(workers.requests())
    with edge.talk() as talk:
        good = b"GET /hello?%d HTTP/1.1\r\nHost: x\r\n\r\n"
        talk.send(good % 1 + good % 2 + MALFORMED["two lengths"] + good % 3)
        assert talk.answer().words == "hello"
        assert talk.answer().words == "hello"
        assert talk.answer().status == 400
        assert talk.end() == "notified"
    assert workers.requests()[before:] == ["GET /hello?1", "GET /hello?2"]


def test_a_body_is_no_request(edge: RunningEdge, workers: Workers) -> None:
    """Requests in a body, of any framing, stay in it."""
    before = len(workers.requests())
    inner = b"GET /seen?inner HTTP/1.1\r\nHost: x\r\n\r\n"
    with edge.talk() as talk:
        talk.ask("/hello?1", method="GET", body=inner)
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
        talk.ask("/hello?2", "Transfer-Encoding: chunked", method="POST", body=chunked)
        talk.ask("/hello?3", "Connection: close", method="HEAD", body=inner)
        for method in ("GET", "POST", "HEAD"):
            assert talk.answer(method).status == 200
        assert talk.end() == "notified"
    assert workers.requests()[before:] == ["GET /hello?1", "POST /hello?2", "HEAD /hello?3"]
