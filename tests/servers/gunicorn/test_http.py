"""HTTP over TLS under gunicorn: bodies whole, framing right, the scheme ours, the end in good order."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import select
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.gunicorn.site import GET, IMPORTS, Site, serving
from tests.support.certs import Paths
from tests.support.clients import curl, openssl_s_client, tls_connect
from tests.support.process import in_time


@pytest.fixture(scope="module", params=["gthread", "sync"])
def site(request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path) -> Iterator[Site]:
    """One of each worker class."""
    with serving(localhost_cert, ca_file, workers=2, server_options={"worker_class": request.param}) as running:
        yield running


@pytest.fixture(scope="module")
def threads(localhost_cert: Paths, ca_file: Path) -> Iterator[Site]:
    """gthread, which keeps connections alive."""
    with serving(localhost_cert, ca_file, workers=2) as running:
        yield running


@contextlib.contextmanager
def _connection(site: Site) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection(*site.address)) as connection:
        connection.sock = tls_connect(site.address, site.ca)
        yield connection


def _read_until_end(client: socket.socket) -> bytes:
    answer = b""
    while part := client.recv(65536):
        answer += part
    return answer


def test_it_answers(site: Site) -> None:
    """curl and openssl are content with certificate, protocol and answer."""
    host, port = site.address
    assert curl(f"https://{host}:{port}/", site.ca).body == "hello"
    openssl = openssl_s_client(site.address, site.ca, "-alpn", "h2,http/1.1")
    assert openssl.verified
    assert "ALPN protocol: http/1.1" in openssl.output
    assert "hello" in openssl.http


def test_the_application_sees_https_whatever_the_client_says(site: Site) -> None:
    """No header of a client changes the scheme, its address, or leads to an error; REMOTE_ADDR is the peer."""
    headers = {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Protocol": "ssl",
        "X-Forwarded-Ssl": "on",
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6;proto=http",
        "Remote_Addr": "6.6.6.6",
        "Script_Name": "/evil",
    }
    with _connection(site) as connection:
        connection.request("GET", "/environ", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        environ = json.loads(response.read())
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["SERVER_PORT"] == str(site.address[1])
    assert environ["SCRIPT_NAME"] == ""
    assert environ["socket"] == "RequestSocket"
    assert "HTTP_REMOTE_ADDR" not in environ


def test_no_signal_is_held_back_in_a_request(site: Site) -> None:
    """A program that the application starts could not be ended."""
    assert site.get("/blocked") == "set()"


def test_a_large_upload_is_whole(site: Site) -> None:
    """50 MB, with Expect: 100-continue, by curl; and chunked."""
    body = bytes(range(256)) * 200_000
    expected = hashlib.sha256(body).hexdigest()
    with _connection(site) as connection:
        connection.request("POST", "/upload", body=body)
        assert connection.getresponse().read().decode() == expected
    with _connection(site) as connection:
        pieces = (body[start : start + 99_999] for start in range(0, len(body), 99_999))
        connection.request("POST", "/upload", body=pieces, encode_chunked=True)
        assert connection.getresponse().read().decode() == expected


def test_expect_continue(site: Site) -> None:
    """The client is asked for its body at once."""
    with tls_connect(site.address, site.ca) as client:
        client.sendall(
            b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert hashlib.sha256(b"abc").hexdigest().encode() in _read_until_end(client)


def test_a_large_download_is_whole_for_a_slow_reader(site: Site) -> None:
    """50 MB, with pauses."""
    size = 65536 * 800
    with tls_connect(site.address, site.ca) as client:
        client.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"/download/%d" % size)
        got = 0
        pauses = 0
        while part := client.recv(1 << 20):
            got += len(part)
            if got // 10_000_000 > pauses:
                pauses += 1
                select.select([], [], [], 0.2)
        assert got > size
        assert got - size < 300
        client.unwrap()


@pytest.mark.parametrize("path", ["/status/204", "/status/304"])
def test_answers_without_a_body(site: Site, path: str) -> None:
    """Nothing follows the head."""
    with _connection(site) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == int(path[-3:])
        assert response.read() == b""
        assert "Transfer-Encoding" not in response.headers


def test_head(site: Site) -> None:
    """The length, and no body."""
    with tls_connect(site.address, site.ca) as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = _read_until_end(client)
    assert b"\r\nContent-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_stream_is_chunked_and_http_1_0_is_not(site: Site) -> None:
    """As each version has it."""
    with tls_connect(site.address, site.ca) as client:
        client.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert _read_until_end(client).endswith(b"\r\n\r\n4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n")
    with tls_connect(site.address, site.ca) as client:
        client.sendall(b"GET /stream HTTP/1.0\r\n\r\n")
        answer = _read_until_end(client)
    assert answer.endswith(b"\r\n\r\none,two,three")
    assert b"chunked" not in answer


def test_connection_close_is_prompt(site: Site) -> None:
    """Answer, close_notify and the end come at once, though the client does not close."""

    def ask() -> None:
        with tls_connect(site.address, site.ca) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert _read_until_end(client).endswith(b"hello")
            client.unwrap()

    in_time(ask, 1)


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_a_failure_in_mid_answer_resets_the_connection(site: Site, version: bytes) -> None:
    """No client takes it for whole, not even where the end of the connection is the end of the answer."""
    with tls_connect(site.address, site.ca) as client:
        client.sendall(b"GET /broken HTTP/%s\r\nHost: x\r\n\r\n" % version)
        client.suppress_ragged_eofs = False
        with pytest.raises(OSError, match="violation of protocol|reset by peer"):
            _read_until_end(client)
    assert site.get() == "hello"


def test_a_failure_before_the_answer_is_500(site: Site) -> None:
    """In words, and orderly."""
    with tls_connect(site.address, site.ca) as client:
        client.sendall(GET % b"/fails")
        answer = _read_until_end(client)
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error")
    assert b"</html>" in answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\nHost: x\n\n", b"400"),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * 9000), b"414"),
        (b"GET / HTTP/1.1\r\nX: %s\r\n\r\n" % (b"y" * 10_000), b"431"),
        (b"GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"\0\0\0\0\r\n\r\n", b"400"),
    ],
)
def test_bad_requests_are_gunicorns_to_refuse(site: Site, request_bytes: bytes, status: bytes) -> None:
    """In its words, at once."""

    def ask() -> None:
        with tls_connect(site.address, site.ca) as client:
            client.sendall(request_bytes)
            assert _read_until_end(client).startswith(b"HTTP/1.1 " + status)

    in_time(ask, 1.5)


def test_keep_alive(threads: Site) -> None:
    """One connection, many requests of every kind."""
    with _connection(threads) as connection:
        for method, path, body, expected in [
            ("GET", "/", None, b"hello"),
            ("POST", "/upload", b"abc", hashlib.sha256(b"abc").hexdigest().encode()),
            ("POST", "/", b"unread", b"hello"),
            ("HEAD", "/", None, b""),
            ("GET", "/status/204", None, b""),
            ("GET", "/stream", None, b"one,two,three"),
            ("GET", "/status/304", None, b""),
            ("GET", "/", None, b"hello"),
        ]:
            connection.request(method, path, body=body)
            response = connection.getresponse()
            assert response.headers["Connection"] == "keep-alive", path
            assert response.read() == expected
        assert connection.sock is not None


def test_pipelining(threads: Site) -> None:
    """Ten requests in one write, one of them with a body, and half of another."""
    many = (GET % b"/") * 4 + b"POST /upload HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + (GET % b"/pid") * 5
    with tls_connect(threads.address, threads.ca) as client:
        client.sendall(many + (GET % b"/")[:9])
        answer = b""
        while answer.count(b"HTTP/1.1 200") < 10:
            answer += client.recv(65536)
        client.sendall((GET % b"/")[9:])
        while answer.count(b"HTTP/1.1 200") < 11 or not answer.endswith(b"hello"):
            answer += client.recv(65536)
    assert answer.count(b"hello") == 5


def test_a_kept_alive_connection_ends_with_close_notify(threads: Site) -> None:
    """After gunicorn's own ``keepalive`` of two seconds."""

    def stays() -> None:
        with tls_connect(threads.address, threads.ca) as client:
            began = time.monotonic()
            client.sendall(GET % b"/")
            assert _read_until_end(client).endswith(b"hello")
            assert time.monotonic() - began > 1.5
            client.unwrap()

    in_time(stays, 4)


def test_a_large_unread_upload_does_not_cost_the_answer(site: Site) -> None:
    """A client that is answered before it has sent everything reads the answer."""
    with tls_connect(site.address, site.ca, timeout=60) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 200_000)
        answer = client.recv(65536)
        while not answer.endswith(b"hello"):
            answer += client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")


def test_plain_http_is_redirected(site: Site) -> None:
    """A person who typed http:// arrives."""
    host, port = site.address
    answer = curl(f"http://localhost:{port}/a?b=c", site.ca, "-i")
    assert answer.status == 301
    assert f"Location: https://localhost:{port}/a?b=c" in answer.body
    assert curl(f"http://localhost:{port}/", site.ca, "-L", "--resolve", f"localhost:{port}:{host}").body == "hello"


def test_the_log_is_gunicorns(threads: Site) -> None:
    """Its lines, with https and the name of the worker class."""
    log = threads.server.log()
    assert f"[INFO] Listening at: https://127.0.0.1:{threads.address[1]} (" in log
    assert "[INFO] Using worker: gthread" in log
    assert '"GET / HTTP/1.1" 200' not in log
    assert log.count("Traceback") == log.count("RuntimeError: in the middle") + log.count("RuntimeError: at once")


def test_ipv6_and_the_access_log(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """gunicorn's log says https for IPv6 too, and takes requests down when asked to; nothing is imported twice."""
    imports = tmp_path / "imports"
    options = {"accesslog": "-"}
    with serving(
        localhost_cert, ca_file, env={IMPORTS: str(imports)}, host="::1", workers=2, server_options=options
    ) as site:
        site.server.until_logged(f"Listening at: https://[::1]:{site.address[1]} (")
        assert json.loads(site.get("/environ"))["REMOTE_ADDR"] == "::1"
        site.server.until_logged('"GET /environ HTTP/1.1" 200')
        assert len({site.get("/pid") for _ in range(20)} | {""}) >= 2
    assert imports.read_text() == f"{site.server.pid}\n"


def test_the_policy_is_the_plans(localhost_cert: Paths, ca_file: Path) -> None:
    """A client that cannot comply is told so, and the log says it."""
    with serving(localhost_cert, ca_file, max_version="1.2") as site:
        modern = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        modern.load_verify_locations(ca_file)
        modern.minimum_version = ssl.TLSVersion.TLSv1_3
        with pytest.raises(ssl.SSLError):
            tls_connect(site.address, ca_file, context=modern)
        with tls_connect(site.address, ca_file) as client:
            assert client.version() == "TLSv1.2"
        site.server.until_logged("handshake with 127.0.0.1:")
