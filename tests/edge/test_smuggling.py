"""What is in a body never becomes a request; for malformed requests see `tests/matrix/test_malformed.py`."""

from __future__ import annotations

from tests.edge.conftest import RunningEdge, Workers


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
