"""HTTP/1.1 over the built-in server, raw over TLS, for Flask's handler and for the standard library's alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.applications.builtin import CLOSED
from tests.servers.builtin.site import serving
from tests.support.certs import Paths
from tests.support.clients import Address, curl
from tests.support.talk import Talk
from tlsrun.servers.builtin.with_stdlib import StandardHandler
from tlsrun.servers.builtin.with_werkzeug import WerkzeugHandler

HANDLERS: dict[str, Any] = {"stdlib": StandardHandler, "werkzeug": WerkzeugHandler}


@pytest.fixture(scope="module", params=HANDLERS, ids=str)
def address(request: pytest.FixtureRequest, localhost_cert: Paths) -> Iterator[Address]:
    """A server with either handler."""
    with serving(localhost_cert, HANDLERS[request.param]) as (where, _):
        yield where


@pytest.fixture
def talk(address: Address, ca_file: Path) -> Iterator[Talk]:
    """A connection."""
    with Talk(address, ca_file) as one:
        yield one


def test_one_connection_for_every_kind_of_answer(talk: Talk) -> None:
    """GET, HEAD, 204, 304, errors and streams follow each other, each ended where it ends."""
    for _ in range(2):
        status, fields, body = talk.get().answer()
        assert (status, body, fields["content-length"]) == (200, b"hello", "5")
        assert "connection" not in fields
        assert {"date", "server", "content-type"} <= fields.keys()
        status, fields, body = talk.get(method="HEAD").answer("HEAD")
        assert (status, fields["content-length"]) == (200, "5")
        status, fields, _ = talk.get("/status/204").answer()
        assert status == 204
        assert not {"content-length", "transfer-encoding"} & fields.keys()
        status, fields, _ = talk.get("/status/304").answer()
        assert (status, fields["content-length"]) == (304, "9")
        status, fields, body = talk.get("/status/404").answer()
        assert (status, body) == (404, b"said so.\n")
        status, fields, body = talk.get("/stream").answer()
        assert (status, fields["transfer-encoding"], body) == (200, "chunked", b"zero,one,two")
        status, fields, _ = talk.get("/stream", method="HEAD").answer("HEAD")
        assert not {"content-length", "transfer-encoding"} & fields.keys()
        assert talk.get("/fails").answer()[0] == 500


def test_pipelined_requests_are_answered_in_order(talk: Talk) -> None:
    """What was sent ahead is not lost, bodies between the requests included."""
    for path in ("/", "/upload", "/ignored", "/upload", "/stream"):
        talk.get(path, "Content-Length: 3", method="POST", body=b"abc")
    answers = [talk.answer() for _ in range(5)]
    assert [status for status, _, _ in answers] == [200] * 5
    assert [body[:5] for _, _, body in answers] == [b"hello", b"3 ba7", b"not r", b"3 ba7", b"zero,"]


@pytest.mark.parametrize("option", ["close", "Close, x", "keep-alive, CLOSE"])
def test_closes_when_the_client_wants_it(talk: Talk, option: str) -> None:
    """Connection: close is answered with the same, and with the end."""
    assert talk.get("/", f"Connection: {option}").answer()[1]["connection"] == "close"
    assert talk.is_over()


def test_http_1_0(talk: Talk) -> None:
    """An old client may ask to keep the connection; a stream ends with it."""
    status, fields, body = talk.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer()
    assert (status, fields["connection"], body) == (200, "keep-alive", b"hello")
    status, fields, body = talk.send(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer()
    assert (fields["connection"], "transfer-encoding" in fields, body) == ("close", False, b"zero,one,two")
    assert talk.is_over()


def test_http_1_0_closes_by_default(talk: Talk) -> None:
    """Without a word, an old client's connection ends after the answer."""
    assert talk.send(b"GET / HTTP/1.0\r\n\r\n").answer()[1]["connection"] == "close"
    assert talk.is_over()


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_uploads(talk: Talk, size: int, chunked: bool) -> None:
    """A body arrives whole, in either framing, and the next request after it."""
    body = bytes(index % 251 for index in range(1000)) * (size // 1000) + b"x" * (size % 1000)
    if chunked:
        framed = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in _parts(body, 7001))
        talk.get("/upload", "Transfer-Encoding: chunked", method="POST", body=framed + b"0\r\nTrailer: x\r\n\r\n")
    else:
        talk.get("/upload", f"Content-Length: {size}", method="POST", body=body)
    assert talk.answer()[2].decode() == f"{size} {hashlib.sha256(body).hexdigest()}"
    assert talk.get().answer()[2] == b"hello"


def _parts(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def test_body_is_a_file(talk: Talk) -> None:
    """Lines can be read from it, up to its end and not beyond."""
    talk.get("/lines", "Content-Length: 7", method="POST", body=b"a\nb\n\ncdGET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert json.loads(talk.answer()[2]) == ["a\n", "b\n", "\n", "cd"]
    assert talk.answer()[2] == b"hello"


@pytest.mark.parametrize("chunked", [False, True])
def test_unread_body_is_read_away(talk: Talk, chunked: bool) -> None:
    """What the application did not read, up to a MiB, does not become the next request."""
    smuggled = b"GET /status/404 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10_000
    if chunked:
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled)
        talk.get("/ignored", "Transfer-Encoding: chunked", method="POST", body=framed)
    else:
        talk.get("/ignored", f"Content-Length: {len(smuggled)}", method="POST", body=smuggled)
    assert talk.answer()[2] == b"not read"
    assert talk.get().answer()[2] == b"hello"


def test_large_unread_body_closes(talk: Talk) -> None:
    """More than a MiB is not read away: the answer says so, and arrives although the client is still sending."""
    size = 5_000_000
    talk.get("/ignored/413%20Too%20Large", f"Content-Length: {size}", method="POST", body=b"x" * 2_000_000)
    status, fields, body = talk.answer()
    assert (status, fields["connection"], body) == (413, "close", b"not read")
    assert talk.is_over()


def test_100_continue(talk: Talk) -> None:
    """The client is asked for the body when the application reads it, and only then."""
    talk.get("/upload", "Content-Length: 3", "Expect: 100-continue", method="POST")
    assert talk.answer()[0] == 100
    assert talk.send(b"abc").answer()[2].startswith(b"3 ")
    talk.get("/ignored", "Content-Length: 3", "Expect: 100-continue", method="POST")
    status, fields, _ = talk.answer()
    # Whether the body still comes cannot be known.
    assert (status, fields["connection"]) == (200, "close")
    assert talk.is_over()


def test_100_continue_without_a_body(talk: Talk) -> None:
    """Nobody is asked for nothing."""
    assert talk.get("/upload", "Content-Length: 0", "Expect: 100-continue", method="POST").answer()[0] == 200
    assert talk.get().answer()[0] == 200


def test_curl_reuses(address: Address, ca_file: Path) -> None:
    """curl asks its second page over the same connection."""
    url = f"https://localhost:{address[1]}"
    said = curl(f"{url}/stream", ca_file, "-v", f"{url}/", "--http1.1")
    assert "using existing" in said.errors
    assert "HTTP/1.1 200 OK" in said.errors


def test_one_empty_line_is_skipped(talk: Talk) -> None:
    """RFC 9112, section 2.2: a CRLF before a request is robustness."""
    assert talk.send(b"\r\n").get().answer()[0] == 200


@pytest.mark.parametrize("path", ["/late", "/short"])
def test_broken_off_answers_do_not_look_whole(talk: Talk, path: str) -> None:
    """A failure in mid-stream, or fewer bytes than announced, resets the connection."""
    with pytest.raises((EOFError, OSError)):
        talk.get(path).answer()


def test_broken_off_answer_to_http_1_0(talk: Talk) -> None:
    """Where the end of the connection is the end of the body, a failure must be an error to the client."""
    talk.send(b"GET /late HTTP/1.0\r\n\r\n")
    with pytest.raises(OSError, match="(?i)reset|eof"):
        talk.answer()


def test_longer_than_announced(talk: Talk) -> None:
    """What is too much is not sent, and not taken for the next answer."""
    assert talk.get("/long").answer()[2] == b"hello"
    assert talk.is_over()


@pytest.mark.parametrize("path", ["/fails", "/silent", "/text", "/split", "/exits"])
def test_mistakes_of_the_application_are_500(talk: Talk, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The client gets a page, the log the traceback, and the connection goes on."""
    status, fields, body = talk.get(path).answer()
    assert status == 500
    assert b"Traceback" not in body
    assert "x-more" not in fields
    assert talk.get().answer()[0] == 200


def test_start_response_again(talk: Talk) -> None:
    """Before anything was sent, an application may say something else instead (PEP 3333)."""
    assert talk.get("/recovers").answer()[::2] == (503, b"recovered")


def test_connection_is_the_servers(talk: Talk) -> None:
    """Headers about the connection are not the application's, but it may ask for the end; others it may set."""
    _, fields, _ = talk.get("/hop/upgrade").answer()
    assert not {"connection", "keep-alive"} & fields.keys()
    assert (fields["server"], fields["date"]) == ("mine", "today")
    assert talk.get("/hop/close").answer()[1]["connection"] == "close"
    assert talk.is_over()


def test_close_is_called(talk: Talk) -> None:
    """The iterable's close() runs after the answer, and its failure spoils nothing."""
    CLOSED.clear()
    assert talk.get("/closing/well").answer()[2] == b"closed afterwards"
    assert talk.get("/closing/fails").answer()[2] == b"closed afterwards"
    assert talk.get().answer()[2] == b"hello"
    assert CLOSED == ["well", "fails"]


def test_environ(talk: Talk, address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that PEP 3333 and our facts want, as text, and nothing of the process environment."""
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/x")
    monkeypatch.setenv("SECRET_OF_THE_PROCESS", "x")
    fields = ("X-Twice: 1", "X-Twice: 2", "X_Under: 1", "Proxy: http://evil.test", "Content-Type: text/x")
    cookies = ("Cookie: a=1", "Cookie: b=2", "Content-Length: 2")
    talk.get("/environ/%C3%A4?q=%C3%A4", *fields, *cookies, method="POST", body=b"ab")
    environ = json.loads(talk.answer()[2])
    expected = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/environ/\xc3\xa4", "QUERY_STRING": "q=%C3%A4",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(address[1]), "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "https", "HTTPS": "on", "SSL_PROTOCOL": "TLSv1.3",
        "SSL_TLS_SNI": "localhost", "CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "2", "HTTP_HOST": "localhost",
        "HTTP_COOKIE": "a=1; b=2", "HTTP_X_TWICE": "1,2",
    }  # fmt: skip
    assert {name: environ.get(name) for name in expected} == expected
    assert environ["REMOTE_PORT"].isdigit()
    assert not {"HTTP_X_UNDER", "HTTP_PROXY", "SECRET_OF_THE_PROCESS", "SSL_CERT_FILE"} & environ.keys()


def test_environ_keys_without_a_body(talk: Talk) -> None:
    """A request without a body has no length; CONTENT_TYPE is not made up."""
    environ = json.loads(talk.get("/environ").answer()[2])
    assert not {"CONTENT_LENGTH", "CONTENT_TYPE"} & environ.keys()
    kinds = json.loads(talk.get("/kinds").answer()[2])
    assert {kinds[name] for name in kinds if name.isupper()} == {"str"}
    assert kinds.get("werkzeug.socket", kinds.get("tlsrun.socket")) == "NonblockingSocket"


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        ("http://example.org:81/environ?a", "example.org:81", "/environ", "a"),
        ("https://example.org/environ", "example.org", "/environ", ""),
        ("//environ//x", "localhost", "/environ//x", ""),
        ("/environ?a?b=/c", "localhost", "/environ", "a?b=/c"),
        ("/environ/%2e%2e/;x", "localhost", "/environ/../;x", ""),
    ],
)
def test_targets(talk: Talk, target: str, host: str, path: str, query: str) -> None:
    """A whole URL names the host; the path is decoded, the query is not."""
    environ = json.loads(talk.get(target).answer()[2])
    assert (environ["HTTP_HOST"], environ["PATH_INFO"], environ["QUERY_STRING"]) == (host, path, query)


def test_another_protocol_takes_over(talk: Talk) -> None:
    """After an upgrade the socket is the application's, with no deadline of ours."""
    talk.get("/upgrade", "Connection: Upgrade", "Upgrade: echo")
    assert talk.answer()[0] == 101
    assert talk.send(b"abc").file.read(3) == b"ABC"
    talk.tls.unwrap()


def test_large_download(talk: Talk) -> None:
    """20 MB arrive whole."""
    assert len(talk.get(f"/download/{65536 * 320}").answer()[2]) == 65536 * 320
    assert talk.get().answer()[0] == 200
