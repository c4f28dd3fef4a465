"""WSGI's variables from Hypercorn's description of a request."""

from __future__ import annotations

from typing import Any

import pytest

from tlsrun.http1.refusal import Refused
from tlsrun.servers.hypercorn.environ import Line, variables

_LINE = Line(tls=None, peer=("::ffff:192.0.2.1", 50000), here=("::ffff:192.0.2.2", 443))


def _scope(**more: Any) -> dict[str, Any]:
    return {
        "method": "GET", "raw_path": b"/", "query_string": b"", "http_version": "2", "headers": [], **more,
    }  # fmt: skip


def test_addresses() -> None:
    """Ports are text, and an IPv4 address that came by IPv6 is one of IPv4."""
    found = variables(_scope(), _LINE)
    wanted = {"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "50000", "SERVER_NAME": "192.0.2.2", "SERVER_PORT": "443"}
    assert {name: found[name] for name in wanted} == wanted


def test_path_and_query() -> None:
    """The path is decoded to octets, the query is as it came."""
    found = variables(_scope(raw_path=b"/%C3%A4%2Fb", query_string=b"a=%20&b"), _LINE)
    assert found["PATH_INFO"] == "/ä/b".encode().decode("latin-1")
    assert found["QUERY_STRING"] == "a=%20&b"


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [(b"/a", None, "/a"), (b"https://x/a", "x", "/a"), (b"HTTP://x:8", "x:8", "/"), (b"*", None, "*")],
)
def test_targets(target: bytes, host: str | None, path: str) -> None:
    """Of a URL the path is told, and its host instead of the header's (RFC 9112, section 3.2.2)."""
    method = "OPTIONS" if target == b"*" else "GET"
    found = variables(_scope(raw_path=target, method=method, headers=[(b"host", b"header")]), _LINE)
    assert (found["HTTP_HOST"], found["PATH_INFO"]) == (host or "header", path)


def test_no_target() -> None:
    """What no server of ours takes is refused."""
    with pytest.raises(Refused):
        variables(_scope(raw_path=b"ftp://x/a"), _LINE)


@pytest.mark.parametrize(("fields", "told"), [([(b"transfer-encoding", b"chunked")], "chunked"), ([], None)])
def test_chunks(fields: list[tuple[bytes, bytes]], told: str | None) -> None:
    """A body that came in chunks is said to, for what stands between the server and the middleware."""
    assert variables(_scope(headers=fields), _LINE).get("HTTP_TRANSFER_ENCODING") == told
