"""HTTP/1.1 with one client, in front of real workers."""

from __future__ import annotations

import hashlib
import json
import ssl

import pytest

from tests.applications import behind_edge as application
from tests.edge.conftest import EdgeMaker, RunningEdge, Workers
from tests.edge.speaking import Talk
from tests.support.clients import client_context, select_readable
from tests.support.process import eventually

_CHUNKED = "Transfer-Encoding: chunked"


def chunks(*parts: bytes) -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def summary(body: bytes, length: object = None) -> str:
    """What the application says of a body that it has read."""
    return f"{len(body)} {hashlib.sha256(body).hexdigest()} {len(body) if length is None else length}"


def send_until_stopped(talk: Talk, part: bytes, error: type[Exception] | tuple[type[Exception], ...]) -> int:
    """Send ``part`` again and again; how often that went well before the error."""
    for sent in range(10000):
        try:
            talk.send(part)
        except error:
            return sent
    raise AssertionError("it takes everything")


def test_keep_alive(edge: RunningEdge) -> None:
    """Many requests go over one connection."""
    with edge.talk() as talk:
        for _ in range(20):
            answer = talk.get()
            assert (answer.status, answer.words) == (200, "hello")
            assert answer.header("connection") is None
            assert answer.header("date")


def test_close_is_obeyed(edge: RunningEdge) -> None:
    """Connection: close ends the connection, with close_notify."""
    with edge.talk() as talk:
        assert talk.get("/", "Connection: close").header("connection") == "close"
        assert talk.end() == "notified"


def test_pipelining(edge: RunningEdge) -> None:
    """Requests that come in one read are answered one by one, in order, bodies and all."""
    with edge.talk() as talk:
        talk.send(
            b"".join(
                b"POST /digest?%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b\r\n"
                b"GET /status?%d HTTP/1.1\r\nHost: x\r\n\r\n" % (number, number, b"x" * number, 400 + number)
                for number in range(30)
            )
        )
        for number in range(30):
            assert talk.answer().words == summary(b"x" * number)
            assert talk.answer().status == 400 + number


def test_pipelining_is_bounded(edge: RunningEdge) -> None:
    """A client that sends far ahead is made to wait, and gets all answers in the end."""
    with edge.talk() as talk:
        talk.ask("/slow?2")
        talk.tls.settimeout(0.5)
        request = b"GET / HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"x" * 8000 + b"\r\n\r\n"
        sent = send_until_stopped(talk, request, TimeoutError)
        assert sent < 4000
        talk.tls.settimeout(60)
        assert talk.answer().words == "slept"
        for _ in range(sent):
            assert talk.answer().words == "hello"


def test_byte_by_byte(edge: RunningEdge) -> None:
    """How a request is cut into records makes no difference."""
    data = b"POST /digest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"hello", b" world")
    with edge.talk() as talk:
        talk.send(*[data[at : at + 1] for at in range(len(data))])
        assert talk.answer().words == summary(b"hello world")
        talk.send(*[data[at : at + 7] for at in range(0, len(data), 7)])
        assert talk.answer().words == summary(b"hello world")


@pytest.mark.parametrize("size", [0, 1, 16384, 131072, 131073, 1 << 20, 9 << 20])
def test_bodies(edge: RunningEdge, size: int) -> None:
    """A body comes whole to the application, of known length and in chunks, kept in memory, in a file or streamed."""
    body = b"0123456789abcdef" * (size // 16) + b"x" * (size % 16)
    with edge.talk() as talk:
        talk.ask("/digest", f"Content-Length: {size}", method="POST", body=body)
        assert talk.answer().words == summary(body)
        cut = [body[at : at + 100000] for at in range(0, size, 100000)]
        talk.ask("/digest", _CHUNKED, method="POST", body=chunks(*cut))
        assert talk.answer().words == summary(body)
        assert talk.get().words == "hello"


@pytest.mark.parametrize("framework", ["flask", "bottle"])
def test_frameworks(edge: RunningEdge, framework: str) -> None:
    """Flask and Bottle read forms, files and raw bodies, of known length and in chunks."""
    boundary = "----x"
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n{'x' * 200000}\r\n--{boundary}--\r\n"
    ).encode()
    typed = f"Content-Type: multipart/form-data; boundary={boundary}"
    with edge.talk() as talk:
        for lines, body in (((typed,), form), ((typed, _CHUNKED), chunks(form[:100], form[100:]))):
            talk.ask(f"/{framework}/form", *lines, method="POST", body=body)
            told = json.loads(talk.answer().words)
            assert told["form"] == {"a": "b"}
            assert told["files"] == {"f": 200000}
            assert told["url"] == f"https://localhost/{framework}/form"
            assert told["secure"]
        for lines, body in (((), b"x" * 1000), ((_CHUNKED,), chunks(b"x" * 1000))):
            talk.ask(f"/{framework}/raw", *lines, method="POST", body=body)
            assert json.loads(talk.answer().words) == {"size": 1000, "length": 1000}


def test_streams(edge: RunningEdge) -> None:
    """A body of unknown length comes in chunks, and the connection goes on."""
    with edge.talk() as talk:
        talk.ask("/stream?1000000")
        answer = talk.answer()
        assert answer.header("content-length") is None
        assert len(answer.body) == 1000000
        assert talk.get("/stream?0").body == b""
        assert talk.get("/size?1000000").header("content-length") == "1000000"


def test_parts_come_as_they_are_made(edge: RunningEdge) -> None:
    """What an application yields is not held back until the next part."""
    with edge.talk(timeout=2.5) as talk:
        talk.ask("/tick?1")
        for number in range(4):
            while b"\r\n1\r\n%d\r\n" % number not in b"\r\n" + talk._left:
                talk._more()


@pytest.mark.parametrize("path", ["/hello", "/size?5", "/stream?5", "/status?204", "/status?304", "/file"])
def test_head(edge: RunningEdge, path: str) -> None:
    """HEAD, 204 and 304 have no body, and the connection goes on behind them."""
    with edge.talk() as talk:
        for method in ("HEAD", "GET", "HEAD"):
            answer = talk.get(path, method=method)
            assert answer.header("transfer-encoding") is None or method == "GET"
            if "status" in path:
                assert answer.header("content-length") is None
        assert talk.get().words == "hello"


def test_http10(edge: RunningEdge) -> None:
    """HTTP/1.0 ends the connection after an answer, or keeps it when asked to and the length is known."""
    with edge.talk() as talk:
        answer = talk.get("/", version="1.0")
        assert (answer.words, answer.header("connection")) == ("hello", "close")
        assert talk.end() == "notified"
    with edge.talk() as talk:
        for _ in range(3):
            answer = talk.get("/", "Connection: keep-alive", version="1.0")
            assert (answer.words, answer.header("connection")) == ("hello", "keep-alive")
        answer = talk.get("/stream?3000000", "Connection: keep-alive", version="1.0")
        assert answer.header("transfer-encoding") is None
        assert len(answer.body) == 3000000
        assert talk.end() == "notified"


def test_targets(edge: RunningEdge) -> None:
    """OPTIONS * and URLs as targets are served."""
    with edge.talk() as talk:
        assert talk.get("*", method="OPTIONS").words == "hello"
        told = json.loads(talk.get("http://elsewhere:1/env?a=b").words)
        assert (told["HTTP_HOST"], told["REQUEST_URI"]) == ("elsewhere:1", "/env?a=b")


def test_expect_small(edge: RunningEdge) -> None:
    """A client that waits for 100 gets it before a body that is wanted, and only when it has sent none."""
    with edge.talk() as talk:
        for framing, body in (("Content-Length: 5", b"hello"), (_CHUNKED, chunks(b"hello"))):
            talk.ask("/digest", framing, "Expect: 100-continue", method="POST")
            assert talk.answer().status == 100
            talk.send(body)
            assert talk.answer().words == summary(b"hello")
            talk.ask("/digest", framing, "Expect: 100-continue", method="POST", body=body)
            assert talk.answer().words == summary(b"hello")


def test_expect_large(edge: RunningEdge) -> None:
    """So does one that waits with a body that is streamed."""
    body = b"x" * (9 << 20)
    with edge.talk() as talk:
        talk.ask("/digest", f"Content-Length: {len(body)}", "Expect: 100-continue", method="POST")
        assert talk.answer().status == 100
        talk.send(body)
        assert talk.answer().words == summary(body)


def test_expect_unwanted(edge_with: EdgeMaker) -> None:
    """A body over the limit is refused before it is sent."""
    with edge_with(limits={"body": 100}) as edge:
        with edge.talk() as talk:
            talk.ask("/digest", "Content-Length: 101", "Expect: 100-continue", method="POST")
            answer = talk.answer()
            assert answer.status == 413
            assert "100 bytes" in answer.words
            assert talk.end() == "notified"
        with edge.talk() as talk:
            talk.ask("/digest", _CHUNKED, method="POST", body=chunks(b"x" * 60, b"x" * 60))
            assert talk.answer().status == 413
            assert talk.end() == "notified"
        with edge.talk() as talk:
            talk.ask("/digest", method="POST", body=b"x" * 100)
            assert talk.answer().words == summary(b"x" * 100)


def test_trailers_are_ignored(edge: RunningEdge) -> None:
    """Trailers end a body, and no application hears of them."""
    with edge.talk() as talk:
        talk.ask("/digest", _CHUNKED, method="POST", body=b"5\r\nhello\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
        assert talk.answer().words == summary(b"hello")
        assert talk.get().words == "hello"


@pytest.mark.parametrize("how", ["notify", "end_tcp"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_half_close(edge: RunningEdge, how: str, version: str) -> None:
    """A client that ends its side after its requests still gets all the answers."""
    context = client_context(edge.ca)
    context.maximum_version = context.minimum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
    with edge.talk(context=context) as talk:
        talk.ask("/slow?0.3")
        talk.ask("/digest", method="POST", body=b"x" * 100000)
        getattr(talk, how)()
        assert talk.final_answer().words == "slept"
        assert talk.final_answer().words == summary(b"x" * 100000)
        assert talk.end() == "notified"


def test_half_close_within_a_request(edge: RunningEdge, workers: Workers) -> None:
    """A client that ends its side within a head or a body gets no answer, and no worker is asked."""
    before = len(workers.requests())
    for data in (b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel"):
        with edge.talk() as talk:
            talk.send(data)
            talk.notify()
            assert talk.end() in ("notified", "cut off")
    assert len(workers.requests()) == before


def test_early_answer(edge: RunningEdge) -> None:
    """An application that answers without reading a long body is heard, then the connection ends."""
    with edge.talk() as talk:
        talk.ask("/refuse", f"Content-Length: {50 << 20}", method="POST", body=b"x" * 300000)
        answer = talk.answer()
        assert (answer.status, answer.words, answer.header("connection")) == (413, "too large for me", "close")
        assert talk.end() == "notified"


def test_early_answer_is_not_reset_away(edge: RunningEdge) -> None:
    """What a client goes on sending, before it has read the answer, does not cost it the answer."""
    with edge.talk() as talk:
        talk.ask("/refuse", f"Content-Length: {50 << 20}", method="POST", body=b"x" * 100000)
        assert select_readable(talk.tls, 60)
        for _ in range(5):
            talk.send(b"x" * 100000)
        assert talk.answer().words == "too large for me"
        assert talk.end() == "notified"


def test_early_answer_while_sending(edge: RunningEdge) -> None:
    """A client that goes on sending what nobody wants still gets the answer, and is then cut off."""
    with edge.talk() as talk:
        talk.ask("/refuse", f"Content-Length: {50 << 20}", method="POST", body=b"x" * 300000)
        assert send_until_stopped(talk, b"x" * 65536, (ConnectionError, ssl.SSLError)) < 400


def test_unread_small_body(edge: RunningEdge) -> None:
    """A body that the application leaves unread does not disturb the next request."""
    with edge.talk() as talk:
        for _ in range(5):
            talk.ask("/refuse", method="POST", body=b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
            assert talk.answer().words == "too large for me"
        assert talk.get().words == "hello"


def test_the_applications_headers(edge: RunningEdge) -> None:
    """Headers of the application reach the client, but those about connections are the edge's."""
    with edge.talk() as talk:
        answer = talk.get("/talkative")
        assert answer.headers["set-cookie"] == ["a=1", "b=2"]
        assert answer.header("x-odd") == "\xe4"
        assert answer.header("connection") is None
        assert answer.header("keep-alive") is None
        assert talk.get().words == "hello"


def test_wrong_lengths(edge: RunningEdge) -> None:
    """An application that sends more than it promised is cut to that; less is cut off."""
    with edge.talk() as talk:
        assert talk.get("/long").words == "hello"
        assert talk.get().words == "hello"
        talk.ask("/short?0.5")
        head = talk._until(b"\r\n\r\n")
        assert b"Content-Length: 10" in head
        assert talk.read(5) == b"hello"
        assert talk.end() == "cut off"


def test_file(edge: RunningEdge) -> None:
    """A file by the server's own means comes whole."""
    with edge.talk() as talk, open(application.__file__, "rb") as file:
        assert talk.get("/file").body == file.read()


def test_client_gone(edge: RunningEdge, workers: Workers) -> None:
    """A client that leaves in the middle of an answer costs the worker nothing more."""
    for _ in range(10):
        with edge.talk() as talk:
            talk.ask("/stream?500000000")
            talk.read(1000)
    with edge.talk() as talk:
        eventually(lambda: talk.get("/slow?0").words == "slept")
