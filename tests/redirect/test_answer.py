"""What visitors of the plain-HTTP port are answered, over real sockets and by curl."""

from __future__ import annotations

import html
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import run
from tests.tls.visiting import KEY_AUTHORIZATION, REQUEST, TOKEN, Response, Running, listening, make_webroot
from tlsrun.redirect.port import Redirect


@pytest.fixture
def webroot(tmp_path: Path) -> Path:
    return make_webroot(tmp_path)


@pytest.fixture
def server(webroot: Path) -> Iterator[Running]:
    with listening(webroot) as running:
        yield running


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_every_method_is_redirected_with_308(server: Running, method: str) -> None:
    """A request to a host of ours is sent to the same page on https, and keeps its method and body."""
    answer = server.ask("/a/b?c=d&e=%20", method=method)
    assert (answer.status, answer.location) == (308, "https://example.org/a/b?c=d&e=%20")
    assert answer.fields["connection"] == "close"
    assert "date" in answer.fields
    assert "strict-transport-security" not in answer.fields
    if method == "HEAD":
        assert answer.body == ""
        assert int(answer.fields["content-length"]) > 0
    else:
        assert int(answer.fields["content-length"]) == len(answer.body)
        assert 'href="https://example.org/a/b?c=d&amp;e=%20"' in answer.body


def test_page_escapes_the_link(server: Running) -> None:
    """No path breaks out of the link of the page."""
    target = "/\"><script>alert('1')</script>"
    answer = server.ask(target)
    assert "<script" not in answer.body
    assert html.escape(f"https://example.org{target}") in answer.body


@pytest.mark.parametrize(
    ("host", "origin"),
    [("example.org", "https://example.org:8443"), ("Example.ORG:8080", "https://example.org:8443"),
     ("a.wild.test", "https://a.wild.test:8443"), ("127.0.0.1:8080", "https://127.0.0.1:8443"),
     ("[::1]:8080", "https://[::1]:8443"), ("[0::1]", "https://[::1]:8443")],
)  # fmt: skip
def test_port_is_that_of_https(host: str, origin: str) -> None:
    """The port in Host is the one that was left; the link has the one of https."""
    with listening(https_port=8443) as server:
        assert server.ask("/x", host).location == f"{origin}/x"


@pytest.mark.parametrize(
    ("target", "host"),
    [("/", "evil.org"), ("/", "evil.org:80"), ("/", "example.org.evil.org"), ("/", "evilexample.org"),
     ("/", "a.b.wild.test"), ("/", "wild.test"), ("http://evil.org/", "example.org"), ("/", "[::2]"),
     ("https://evil.org/", "example.org"), ("https://example.org/", "example.org")],
)  # fmt: skip
def test_foreign_host_is_misdirected(server: Running, target: str, host: str) -> None:
    """A host that is not ours is refused in words, and nobody is sent there."""
    answer = server.ask(target, host)
    assert (answer.status, answer.location) == (421, None)
    assert "evil" not in answer.body
    assert answer.body.endswith(".\n")


@pytest.mark.parametrize(
    ("target", "host"),
    [("/", "evil.org@example.org"), ("/", "example.org@evil.org"), ("/", "example.org/evil.org"), ("/", ""),
     ("/", "example.org\\.evil.org"), ("/", "example.org:80@evil.org"), ("/", "example.org evil.org"),
     ("/", "*.wild.test"), ("/", "[::1].evil.org"), ("/", "example.org:100000"), ("/", "example.org%2eevil"),
     ("http://example.org@evil.org/", "example.org"), ("http://evil.org\\@example.org/", "example.org"),
     ("http:evil.org", "example.org"), ("evil.org", "example.org"), ("*", "example.org"),
     ("\\\\evil.org", "example.org"), ("@evil.org", "example.org"), (".evil.org", "example.org"),
     ("/\rLocation:evil", "example.org"), ("/a b", "example.org")],
)  # fmt: skip
def test_tricky_host_is_a_bad_request(server: Running, target: str, host: str) -> None:
    """What could be read as another host is refused in words, and nobody is sent there."""
    answer = server.ask(target, host)
    assert (answer.status, answer.location) == (400, None)
    assert "evil" not in answer.body


@pytest.mark.parametrize(
    "target",
    ["//evil.org", "///evil.org", "//evil.org/%2e%2e", "/\\evil.org", "/@evil.org", "/.evil.org",
     "/%0d%0aLocation:%20evil", "/?u=http://evil.org", "/:443@evil.org", "/%5cevil.org", "/;@evil.org"],
)  # fmt: skip
def test_path_leads_nowhere_else(server: Running, target: str) -> None:
    """However the path looks, the link begins with the host of ours and its slash."""
    assert server.ask(target).location == f"https://example.org{target}"


def test_absolute_target_is_understood(server: Running) -> None:
    """A request as a proxy gets it goes to the host in its target, whatever Host says."""
    assert server.ask("http://EXAMPLE.org:80/x?y", "evil.org").location == "https://example.org/x?y"


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.0\r\n\r\n", 400),
     (b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n", 308), (b"\r\n" + REQUEST, 308),
     (b"GET / HTTP/1.1\nHost: example.org\n\n", 400), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
     ("GET /b\u00fccher HTTP/1.1\r\nHost: example.org\r\n\r\n".encode(), 400),
     (b"GET / HTTP/1.1\r\nHost: example.org\r\nHost: example.org\r\n\r\n", 400),
     (b"GET / HTTP/1.1\r\nHost: example.org\r\nX: a\r\n b\r\n\r\n", 400)],
)  # fmt: skip
def test_other_shapes_of_requests(server: Running, data: bytes, status: int) -> None:
    """Old, odd and broken requests get an answer in words too."""
    assert Response.of(server.say(data)).status == status


def test_refusal_of_head_has_no_body(server: Running) -> None:
    """HEAD never gets a body, whatever its status."""
    for host in ("evil.org", "a@b"):
        answer = server.ask("/", host, "HEAD")
        assert answer.status in (400, 421)
        assert answer.body == ""


def test_body_is_read_away(server: Running) -> None:
    """A client that sends its whole body before it reads still gets the answer, not a reset."""
    data = b"POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
    assert Response.of(server.say(data)).status == 308


def test_client_that_closed_its_side_is_answered(server: Running) -> None:
    """A client that says nothing more after its request (nc) gets its answer."""
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(65536).startswith(b"HTTP/1.1 308 ")


def test_large_answer_waits_for_its_reader(server: Running, webroot: Path) -> None:
    """An answer larger than the socket's buffers arrives whole."""
    (webroot / ".well-known" / "acme-challenge" / "big").write_bytes(b"x" * 65536)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10)
        client.connect((server.host, server.port))
        client.sendall(b"GET /.well-known/acme-challenge/big HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := client.recv(1000):
            answer += part
    assert len(Response.of(answer).body) == 65536


def test_ipv6() -> None:
    """It listens on IPv6, and on every address with ``::``."""
    with listening(host="::1") as server:
        assert server.ask("/", f"[::1]:{server.port}").location == "https://[::1]/"
    with listening(host="::") as server:
        for host in ("::1", "127.0.0.1"):
            assert Running(port=server.port, host=host).ask("/").status == 308


def curl(server: Running, path: str, *arguments: str) -> tuple[int, str]:
    """Status and body of what curl gets, with the path sent as it is."""
    done = run(
        ["curl", "-q", "-sS", "--noproxy", "*", "--path-as-is", "-m", "10", "-w", "\n%{http_code}",
         *arguments, f"http://127.0.0.1:{server.port}{path}"]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_certbots_way(webroot: Path) -> None:
    """A token written while the server runs is served for any host, and is gone when the file is."""
    with listening(webroot) as server:
        file = webroot / ".well-known" / "acme-challenge" / "new-TOKEN_1"
        url = "/.well-known/acme-challenge/new-TOKEN_1"
        assert curl(server, url)[0] == 404
        file.write_text(KEY_AUTHORIZATION)
        for host in ("example.org", "new.example.net", f"other.test:{server.port}"):
            assert curl(server, url, "-H", f"Host: {host}") == (200, KEY_AUTHORIZATION)
        assert curl(server, url, "-0", "-H", "Host:") == (200, KEY_AUTHORIZATION)
        file.unlink()
        assert curl(server, url) == (404, "There is no such challenge here.\n")


def test_challenge_answers_head(server: Running) -> None:
    """HEAD for a challenge has its size and no body; no browser may take it for a page."""
    answer = server.ask(f"/.well-known/acme-challenge/{TOKEN}", "any.host", "HEAD")
    assert (answer.status, answer.body) == (200, "")
    assert answer.fields["content-length"] == str(len(KEY_AUTHORIZATION))
    assert answer.fields["content-type"] == "application/octet-stream"
    assert answer.fields["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "token",
    ["", "..", "../secret", "../../secret", "%2e%2e/secret", "..%2fsecret", "..%5csecret", "escape",
     "./" + TOKEN, "/etc/passwd", "//etc/passwd", TOKEN + "/", "x" * 300,
     "../acme-challenge/" + TOKEN],
)  # fmt: skip
def test_traversal_finds_nothing(server: Running, token: str) -> None:
    """Nothing but a token's own file is ever served; the answer says no more than that."""
    assert curl(server, f"/.well-known/acme-challenge/{token}") == (404, "There is no such challenge here.\n")


def test_challenge_is_not_posted(server: Running) -> None:
    """Other methods than GET and HEAD find no challenge."""
    assert curl(server, f"/.well-known/acme-challenge/{TOKEN}", "-d", "x")[0] == 404


def test_without_webroot_challenges_are_redirected() -> None:
    """Without a webroot the application may answer challenges over https: they are pages like any other."""
    with listening() as server:
        path = f"/.well-known/acme-challenge/{TOKEN}"
        assert server.ask(path).location == f"https://example.org{path}"


def test_no_port_no_redirect() -> None:
    """A redirect needs a port that exists."""
    for port in (0, -1, 65536):
        with pytest.raises(ValueError, match="no TCP port"):
            Redirect(https_port=port, allowed=bool)
