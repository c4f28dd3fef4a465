"""What a server's own parser lets through is refused before the application is asked."""

from __future__ import annotations

from typing import Any

import pytest

from tlsrun.proxies.peers import read_peers
from tlsrun.wsgi import application
from tlsrun.wsgi.front import NOBODY, Front
from tlsrun.wsgi.strict import is_usual, refusal

PROXY = "192.0.2.1"
TRUSTING = Front(peers=read_peers((PROXY,), "here"))


def environ_of(**more: Any) -> dict[str, Any]:
    """A request, as a server hands it over."""
    return {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/a", "QUERY_STRING": "", "HTTP_HOST": "localhost", "REMOTE_ADDR": PROXY,
        "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "wsgi.input_terminated": True, **more,
    }  # fmt: skip


def asked(front: Front = NOBODY, **more: Any) -> tuple[int, dict[str, Any]]:
    """The status of an answer, and what the application has seen."""
    seen: dict[str, Any] = {}
    statuses: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    answer = application(app, front)(environ_of(**more), lambda status, headers, *_: statuses.append(status))
    assert bool(b"".join(answer)) is (statuses[0] != "200 OK" and more.get("REQUEST_METHOD") != "HEAD")
    return int(statuses[0][:3]), seen


@pytest.mark.parametrize("front", [NOBODY, TRUSTING], ids=["nobody", "trusting"])
@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 200), ({"HTTP_HOST": "localhost:8443"}, 200), ({"HTTP_HOST": "[::1]:1"}, 200), ({"PATH_INFO": ""}, 200),
        ({"HTTP_HOST": ""}, 400), ({"HTTP_HOST": "a,a"}, 400), ({"HTTP_HOST": "a@b"}, 400), ({"HTTP_HOST": "a/b"}, 400),
        ({"HTTP_HOST": "\xe9"}, 400), ({"HTTP_HOST": "\u20ac"}, 400),
        ({"HTTP_HOST": "/", "REQUEST_METHOD": "HEAD"}, 400),
        ({"PATH_INFO": "/a\0"}, 400), ({"PATH_INFO": "*"}, 400), ({"PATH_INFO": "*", "REQUEST_METHOD": "OPTIONS"}, 200),
        ({"REQUEST_METHOD": "CONNECT"}, 405), ({"REQUEST_METHOD": "PRI"}, 400), ({"REQUEST_METHOD": "BREW"}, 200),
        ({"HTTP_EXPECT": "100-Continue"}, 200), ({"HTTP_EXPECT": "200-ok"}, 417),
        ({"HTTP_CONNECTION": "keep-alive, x-a"}, 200), ({"HTTP_CONNECTION": "a b"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "Chunked"}, 200), ({"HTTP_TRANSFER_ENCODING": "gzip, chunked"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "5"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "SERVER_PROTOCOL": "HTTP/1.0"}, 400),
        ({"gunicorn.socket": None, "RAW_URI": "/a#b"}, 400), ({"gunicorn.socket": None, "RAW_URI": "/\xe4"}, 400),
        ({"gunicorn.socket": None, "RAW_URI": "ftp://a/"}, 400), ({"RAW_URI": "/\xe4#b"}, 200),
    ],
)  # fmt: skip
def test_refused(front: Front, more: dict[str, Any], status: int) -> None:
    """The same from anybody, each time."""
    for _ in range(2):
        assert asked(front, **more)[0] == status


def test_no_host() -> None:
    """HTTP/1.0 may have none (RFC 9112, section 3.2)."""
    environ = environ_of()
    del environ["HTTP_HOST"]
    refused = refusal(environ)
    assert refused is not None
    assert refused.status == 400
    assert refusal(environ | {"SERVER_PROTOCOL": "HTTP/1.0"}) is None


@pytest.mark.parametrize(
    "more",
    [
        {"gunicorn.socket": None, "RAW_URI": "http://other:81/a", "PATH_INFO": "/a"},
        {"PATH_INFO": "http://other:81/a"},  # uWSGI's own HTTP
    ],
)
def test_a_url(more: dict[str, Any]) -> None:
    """Its host counts, and its path."""
    status, seen = asked(**more)
    assert (status, seen["HTTP_HOST"], seen["PATH_INFO"]) == (200, "other:81", "/a")


@pytest.mark.parametrize("front", [NOBODY, TRUSTING], ids=["nobody", "trusting"])
def test_never(front: Front) -> None:
    """What no application is told of, by a trusted proxy neither; chunks that are still there are said to be."""
    _, seen = asked(front, HTTP_PROXY="http://6.6.6.6", HTTP_TRANSFER_ENCODING="chunked")
    assert not {"HTTP_PROXY", "HTTP_TRANSFER_ENCODING"} & seen.keys()
    _, seen = asked(front, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": False})
    assert seen["HTTP_TRANSFER_ENCODING"] == "chunked"


def test_hosts_are_remembered_within_bounds() -> None:
    """The second request of a host is looked at no more; clients that make up hosts fill no memory."""
    environ = environ_of(HTTP_HOST="seen.example")
    assert not is_usual(environ)
    assert refusal(environ) is None
    assert is_usual(environ)
    for number in range(3000):
        assert refusal(environ_of(HTTP_HOST=f"{number}.example")) is None
    assert not is_usual(environ)
