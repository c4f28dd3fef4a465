"""WSGI's variables from Hypercorn's description of a request."""

from __future__ import annotations

from typing import Any

import pytest

from tlsrun.servers.hypercorn.environ import Line, headers, path_of, variables

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
    ("target", "path"), [(b"/a", b"/a"), (b"https://x/a", b"/a"), (b"HTTP://x", b"/"), (b"ftp://x/a", b"ftp://x/a")]
)
def test_absolute_targets(target: bytes, path: bytes) -> None:
    """The path is the one behind the authority (RFC 9112, section 3.2.2)."""
    assert path_of(target) == path


def test_headers() -> None:
    """Repeated ones are joined, cookies by semicolons; names with an underscore are left out."""
    fields = [
        (b"accept", b"a"), (b"accept", b"b"), (b"cookie", b"c=1"), (b"cookie", b"d=2"), (b"x_real_ip", b"6.6.6.6"),
        (b"content-type", b"text/plain"), (b"content-length", b"3"),
    ]  # fmt: skip
    assert headers(fields) == {
        "HTTP_ACCEPT": "a,b", "HTTP_COOKIE": "c=1; d=2", "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "3",
    }  # fmt: skip
