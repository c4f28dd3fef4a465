"""Requests over HTTP/2 and HTTP/3: what is refused is what would be over HTTP/1.1."""

from __future__ import annotations

import pytest

from tlsrun.http1.refusal import Refused
from tlsrun.servers.hypercorn.heads import judge

GOOD = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": "/a?b"}


def status_of(*more: tuple[str, str], **pseudo: str | None) -> int:
    """The status of a refusal, 0 without one."""
    first = GOOD | {f":{name}": value for name, value in pseudo.items()}
    lines = [(name, value) for name, value in first.items() if value is not None]
    try:
        judge([(name.encode("latin-1"), value.encode("latin-1")) for name, value in (*lines, *more)])
    except Refused as refused:
        return refused.status
    return 0


def test_taken() -> None:
    """Usual requests, extension methods, a Host that says the same again, cookies in parts, OPTIONS of the server."""
    assert status_of() == 0
    assert status_of(("accept", "*/*"), ("cookie", "a=1"), ("cookie", "b=2"), method="m-search") == 0
    assert status_of(("host", "localhost")) == 0
    assert status_of(("host", "localhost"), authority=None) == 0
    assert status_of(method="OPTIONS", path="*") == 0
    assert status_of(("content-length", "5"), ("expect", "100-Continue"), ("x-high", "\xe9"), method="POST") == 0
    assert status_of(authority="[::1]:443") == 0


@pytest.mark.parametrize(
    ("pseudo", "status"),
    [
        ({"method": "CONNECT"}, 405), ({"method": "PRI"}, 400), ({"method": "GE T"}, 400), ({"method": ""}, 400),
        ({"path": ""}, 400), ({"path": "a"}, 400), ({"path": "*"}, 400), ({"path": "/a#b"}, 400),
        ({"path": "/\xe4"}, 400), ({"path": "/a b"}, 400), ({"path": "/%00"}, 400), ({"path": "https://x/"}, 400),
        ({"path": "/" + "a" * 16384}, 414), ({"scheme": "ftp"}, 400), ({"scheme": None}, 400),
        ({"authority": "a b"}, 400), ({"authority": "a@b"}, 400), ({"authority": "a/b"}, 400), ({"authority": ""}, 400),
        ({"authority": None}, 400),
    ],
)  # fmt: skip
def test_refused(pseudo: dict[str, str | None], status: int) -> None:
    """Methods, paths, schemes and authorities that no server of ours takes."""
    assert status_of(**pseudo) == status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([("host", "other")], 400), ([("host", "localhost"), ("host", "localhost")], 400),
        ([("transfer-encoding", "chunked")], 400), ([("connection", "close")], 400), ([("upgrade", "x")], 400),
        ([("content-length", "+5")], 400), ([("content-length", "1_0")], 400),
        ([("content-length", "5"), ("content-length", "5")], 400),
        ([("content-type", "a/b"), ("content-type", "c/d")], 400), ([("expect", "200-ok")], 417),
        ([("X-A", "b")], 400), ([("x a", "b")], 400), ([("x\xe4", "b")], 400),
        ([("x-a", "b\0c")], 400), ([("x-a", "b\x1bc")], 400), ([("x-a", "b\nc")], 400), ([("x-a", "b")] * 201, 431),
    ],
)  # fmt: skip
def test_refused_lines(lines: list[tuple[str, str]], status: int) -> None:
    """Header lines that no server of ours takes."""
    assert status_of(*lines) == status
