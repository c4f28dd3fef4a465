"""Heads cut out of what comes; and that nothing which comes breaks that, or makes two requests of one."""

from __future__ import annotations

import random
import re

import pytest

from tests.http1.malformed import MALFORMED
from tests.http1.mutating import SEEDS, mutate
from tlsrun.edge.limits import EdgeLimits
from tlsrun.edge.spool import SpooledBody
from tlsrun.http1.head import Head
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import Refused

LIMITS = EdgeLimits()

_GET = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"


def requests(data: bytes, *cuts: int) -> tuple[list[tuple[Head, bytes]], int]:
    """What the edge makes of one client's bytes, cut into reads: requests with bodies, and the status of a refusal."""
    inbox, body = Inbox(), None
    found: list[tuple[Head, bytes]] = []
    request = None
    edges = [0, *sorted(cuts), len(data)]
    try:
        for begin, end in zip(edges, edges[1:], strict=False):
            inbox.put(data[begin:end])
            while inbox.size:
                if body is not None and request is not None:
                    inbox.put(body.feed(inbox.take()))
                    if not body.done:
                        continue
                    found.append((request, body.spool.take(1 << 20)))
                    body.spool.close()
                    body = None
                    continue
                request = inbox.next_head()
                if request is None:
                    break
                if request.chunked or request.length:
                    body = SpooledBody(request.length, LIMITS)
                else:
                    found.append((request, b""))
    except Refused as refused:
        return found, refused.status
    return found, 0


def test_pipelined() -> None:
    """Several requests in one read come out one by one, empty lines between them skipped."""
    data = b"\r\n".join(_GET % number for number in range(50))
    found, status = requests(data)
    assert status == 0
    assert [request.target for request, _ in found] == [b"/%d" % number for number in range(50)]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_cut(seed: bytes) -> None:
    """How the bytes are cut into reads makes no difference."""
    whole = requests(seed * 2)
    assert len(whole[0]) == 2
    for at in range(1, len(seed) * 2):
        assert requests(seed * 2, at) == whole
    assert requests(seed * 2, *range(1, len(seed) * 2)) == whole


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    """A malformed request gives no request at all, however it is cut, and what follows it is not read."""
    data = MALFORMED[name] + _GET % 1
    for cuts in ([], range(1, min(len(data), 3000)), range(7, len(data), 61)):
        assert requests(data, *cuts) == ([], 400)


def test_take() -> None:
    """A body is taken out of what lies behind a head, and the next head is found behind it."""
    inbox = Inbox()
    inbox.put(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET")
    assert inbox.next_head()
    assert inbox.take(3) == b"abc"
    assert inbox.size == 3
    inbox.put(b" / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert inbox.next_head()
    assert not inbox.size


def test_mutations() -> None:
    """No mutation of good requests crashes, and what is found is in the bytes, message by message, by the grammar."""
    chance = random.Random(20240601)  # noqa: S311 -- the same mutations in every run
    served = 0
    for _ in range(60_000):
        data = bytearray(chance.choice(SEEDS) + chance.choice(SEEDS))
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            mutate(data, chance)
        found, status = requests(bytes(data))
        assert status in (0, 400, 405, 413, 414, 417, 431, 505)
        by_grammar = messages(bytes(data))
        assert [(request.target, body) for request, body in found] == by_grammar[: len(found)], bytes(data)
        served += len(found)
    assert served > 30_000


_TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_LINES = rb"((?:" + _TCHAR + rb"+:" + _VALUE + rb"\r\n)*)"
_HEAD = re.compile(rb"(?:\r\n){0,2}" + _TCHAR + rb"+ ([\x21-\x7e]+) HTTP/1\.[0-9]\r\n" + _LINES + rb"\r\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;" + _VALUE + rb")?\r\n")
_TRAILER = re.compile(_LINES + rb"\r\n")


def messages(data: bytes) -> list[tuple[bytes, bytes]]:
    """Targets and bodies, as the grammar of RFC 9112 has them: a second reader, that knows nothing of the first."""
    found = []
    at = 0
    while (head := _HEAD.match(data, at)) is not None:
        at = head.end()
        fields = [line.partition(b":")[::2] for line in head[2].split(b"\r\n")]
        lengths = [value.strip(b" \t") for name, value in fields if name.lower() == b"content-length"]
        codings = [value.strip(b" \t").lower() for name, value in fields if name.lower() == b"transfer-encoding"]
        if len(lengths) + len(codings) > 1:
            break
        body = b""
        if codings:
            if codings != [b"chunked"]:
                break
            while (chunk := _CHUNK.match(data, at)) is not None and int(chunk[1], 16):
                begin, at = chunk.end(), chunk.end() + int(chunk[1], 16)
                body += data[begin:at]
                if data[at : at + 2] != b"\r\n":
                    return found
                at += 2
            trailer = chunk and _TRAILER.match(data, chunk.end())
            if trailer is None:
                break
            at = trailer.end()
        elif lengths:
            if re.fullmatch(rb"[0-9]+", lengths[0]) is None or len(data) - at < int(lengths[0]):
                break
            body = data[at : at + int(lengths[0])]
            at += int(lengths[0])
        found.append((head[1], body))
    return found
