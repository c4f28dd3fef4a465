"""The plain-HTTP answers take and refuse what the servers do; for those, see `tests/matrix`."""

from __future__ import annotations

import pytest

from tests.http1.malformed import CHUNKED_HEAD, MALFORMED, OTHERWISE_REFUSED
from tlsrun.http1.head import Head
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import Refused
from tlsrun.redirect import plain
from tlsrun.redirect.answer import Redirect, refused, respond
from tlsrun.redirect.request import LIMITS

_REDIRECT = Redirect(https_port=443, allowed=lambda host: True)

#: Those whose fault is in the head; who answers plain HTTP reads no body.
_IN_HEAD = {name: data for name, data in MALFORMED.items() if not data.startswith(CHUNKED_HEAD)}


def _redirected(data: bytes) -> int:
    """The status of the redirect port; 0 as long as it waits for more."""
    inbox = Inbox(LIMITS)
    inbox.put(data)
    try:
        head = inbox.next_head()
        return respond(head, _REDIRECT).status if head is not None else 0
    except Refused as refusal:
        return refused(refusal, head_only=False).status


def _in_plain(data: bytes) -> int:
    """The status of the TLS port's answer to plain HTTP; 0 for none."""
    answer = plain.answer(data, lambda host: True)
    return int(answer.split(b" ")[1]) if answer is not None else 0


@pytest.mark.parametrize("name", _IN_HEAD)
def test_malformed(name: str) -> None:
    """Nobody is redirected by a request that no server of ours would serve."""
    assert _redirected(_IN_HEAD[name]) == 400
    assert _in_plain(_IN_HEAD[name]) in (400, 0)


@pytest.mark.parametrize("name", OTHERWISE_REFUSED)
def test_refused(name: str) -> None:
    """Nor by one that is refused for another reason."""
    data, status = OTHERWISE_REFUSED[name]
    # A header of any length belongs to a head that is too large here before it is too large there.
    assert _redirected(data) == status
    assert _in_plain(data) in (400, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a?b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\r\nGET /a?b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"BREW /a?b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://localhost/a?b HTTP/1.1\r\nHost: other\r\n\r\n",
        b"GET /a?b HTTP/1.0\r\nHost: localhost:80\r\n\r\n",
        b"POST /a?b HTTP/1.1\r\nHost: LOCALHOST\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_taken(data: bytes) -> None:
    """What a server of ours serves is redirected."""
    assert _redirected(data) == 308
    if not data.startswith((b"\r\n", b"BREW")):  # by their first bytes these are no HTTP to a port that expects TLS
        assert _in_plain(data) in (301, 308)


def test_an_empty_line_may_be_cut() -> None:
    """One is passed over before each request (RFC 9112, section 2.2), in one piece or in two; more are refused."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for pieces in ([b"\r\n" + request], [b"\r", b"\n" + request], [b"\r\n", request], [b"\r", b"\n", request]):
        inbox = Inbox()
        found: list[Head | None] = []
        for piece in pieces * 2:
            inbox.put(piece)
            found.append(inbox.next_head())
        assert [head.path for head in found if head is not None] == [b"/", b"/"]
        inbox.put(b"\r\n" + b"".join(pieces))
        with pytest.raises(Refused):
            inbox.next_head()
