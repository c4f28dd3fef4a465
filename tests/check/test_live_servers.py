"""Findings on running servers: each of our own, and odd ones."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.check.examining import check, codes, live, only
from tests.support.certs import DAY, NOW, Authority, Paths
from tests.support.clients import free_port, select_readable
from tests.support.process import Server
from tests.support.servers import ALL_SERVERS, need
from tlsrun.check.code import Severity
from tlsrun.check.live import observe
from tlsrun.check.live.client import connect, open_context
from tlsrun.check.live.http import get
from tlsrun.check.live.target import Deadline, ProbeTarget

HELLO = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"hi"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a WSGI application."""
    (tmp_path / "hello.py").write_text(HELLO)
    return tmp_path


@contextlib.contextmanager
def ours(project: Path, *flags: str | Path, port: int) -> Iterator[Server]:
    """`tlsrun run hello:app` with some flags."""
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", "--port", port, *flags]
    with Server([str(word) for word in command], cwd=project) as program:
        yield program.until_listening(("127.0.0.1", port))


#: What a server with a TLS of its own cannot do for us.
_NOTES = {"granian": {"TLS415", "TLS422"}}


@pytest.mark.parametrize("server", ALL_SERVERS)
def test_our_servers_are_well(server: str, project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """Each serves what is on the disk, in both versions, resumes, is not stalled: no error and no warning."""
    need(server)
    port = free_port()
    good = {"cert": localhost_cert.fullchain, "key": localhost_cert.key, "server": server}
    flags = [word for name, value in good.items() for word in (f"--{name}", value)]
    with ours(project, *flags, port=port) as program:
        begun = time.monotonic()
        settings = {name: str(value) for name, value in good.items()}
        report = check(port=port, ca=ca_file, **settings)  # type: ignore[arg-type]
        assert [one for one in report.findings if one.severity is not Severity.INFO] == []
        assert {code for code in codes(report) if code[3] == "4"} <= _NOTES.get(server, set())
        assert time.monotonic() - begun < 30
        assert "Traceback" not in program.log()
    assert report.grade is not None
    assert (report.grade.letter, report.grade.live) == ("A", True)
    assert report.grade.mozilla.startswith("intermediate is met")


def test_nothing_listens() -> None:
    """A person named the address: an error. It is what is configured: a note."""
    port = free_port()
    assert only(live(f"https://127.0.0.1:{port}"), "TLS401").severity is Severity.ERROR
    assert only(check(port=port), "TLS425").severity is Severity.INFO


def test_no_tls() -> None:
    """Something that hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener, hanging_up(listener):
        report = live(f"https://127.0.0.1:{listener.getsockname()[1]}")
    assert "no handshake" in only(report, "TLS402").what
    assert report.exit_code(strict=False) == 2


@contextlib.contextmanager
def hanging_up(listener: socket.socket) -> Iterator[None]:
    """Accept and close, until the block ends."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                listener.accept()[0].close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(60)


def test_renewed_but_not_served(project: Path, ca: Authority, ca_file: Path) -> None:
    """The alarm: the file is new, the server has the old one."""
    port = free_port()
    pair = ca.leaf(not_after=NOW + 25 * DAY).write(project / "pair")
    flags = ["--cert", pair.fullchain, "--key", pair.key, "--no-reload-certificates"]
    settings = {"cert": str(pair.fullchain), "key": str(pair.key), "ca": ca_file, "port": port}
    with ours(project, *flags, port=port):
        assert "TLS413" not in codes(check(**settings))  # type: ignore[arg-type]
        ca.leaf(not_after=NOW + 80 * DAY).write(project / "pair")
        finding = only(check(**settings), "TLS413")  # type: ignore[arg-type]
    assert "renewed, and the old one is served" in finding.what


def test_one_of_several_certificates(project: Path, ca: Authority, ca_file: Path, localhost_cert: Paths) -> None:
    """A certificate that SNI chooses is on the disk as well."""
    port = free_port()
    pair = ca.leaf("other.test").write(project / "sites" / "other.test")
    flags = ["--cert", localhost_cert.fullchain, "--key", localhost_cert.key, "--sni", project / "sites"]
    with ours(project, *flags, port=port):
        report = check(
            url=f"https://127.0.0.1:{port}",
            ca=ca_file,
            cert=str(localhost_cert.fullchain),
            key=str(localhost_cert.key),
            sni=str(project / "sites"),
        )
    assert pair.key.exists()
    assert "TLS413" not in codes(report)


def test_development_trust(project: Path) -> None:
    """A development certificate is trusted by those who know its CA, and that is no error."""
    port = free_port()
    with ours(project, port=port):
        report = check(port=port)
    assert only(report, "TLS405").severity is Severity.INFO
    assert "TLS403" not in codes(report)
    assert report.exit_code(strict=True) == 0


@pytest.mark.parametrize(
    ("mode", "version", "refused"),
    [("required", "1.2", True), ("optional", "1.2", False), ("required", "1.3", True)],
)
def test_client_certificates(
    mode: str, version: str, refused: bool, project: Path, localhost_cert: Paths, ca_file: Path
) -> None:
    """A server that asks for client certificates is looked at as far as it lets others. (That a server of TLS 1.3
    asks and does without, nobody can see.)"""
    port = free_port()
    flags = ["--cert", localhost_cert.fullchain, "--key", localhost_cert.key, "--client-ca", ca_file]
    flags += ["--client-auth", mode, "--min-version", version, "--max-version", version]
    with ours(project, *flags, port=port):
        report = live(f"https://localhost:{port}", ca_file)
    assert ("refused" in only(report, "TLS424").what) is refused
    assert not {"TLS402", "TLS406", "TLS423"} & codes(report)


def test_a_refusal_that_was_faster_than_the_request(localhost_cert: Paths, ca_file: Path) -> None:
    """A server of TLS 1.3 may refuse and hang up before the request is sent: what it said is read all the same."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    context.load_verify_locations(ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    with tls_answering(context, lambda tls: None) as port:
        target, deadline = ProbeTarget(host="127.0.0.1", port=port), Deadline(60)
        with connect(target, open_context("TLS 1.3"), deadline) as tls:
            assert select_readable(tls, 60)
            with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
                get(tls, target, deadline)


def test_a_server_without_an_answer(localhost_cert: Paths, ca_file: Path) -> None:
    """TLS, and then nothing that is HTTP."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    with tls_answering(context, lambda tls: tls.sendall(b"220 mail.example ESMTP\r\n")) as port:
        report = live(f"https://localhost:{port}", ca_file)
    assert "no HTTP" in only(report, "TLS423").what


@contextlib.contextmanager
def tls_answering(
    context: ssl.SSLContext | Callable[[], ssl.SSLContext],
    answer: Callable[[ssl.SSLSocket], object],
    *,
    one_by_one: bool = False,
) -> Iterator[int]:
    """A TLS server that answers each connection in a thread of its own.

    Arguments:
        context: of all connections, or what makes one for each.
        one_by_one: whether a connection waits until the one before it has ended.
    """
    turn = threading.Lock() if one_by_one else contextlib.nullcontext()

    def one(plain: socket.socket) -> None:
        chosen = context if isinstance(context, ssl.SSLContext) else context()
        with turn, plain, contextlib.suppress(OSError), chosen.wrap_socket(plain, server_side=True) as tls:
            answer(tls)

    threads: list[threading.Thread] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=one, args=(listener.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        accepting = threading.Thread(target=serve)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(60)
    for thread in threads:
        thread.join(60)


def test_a_slow_server(localhost_cert: Paths, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there was no time for is named, and the check is back in time all the same."""
    monkeypatch.setattr(observe, "_IN_ALL", 7.0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    slow = threading.Lock()
    wait = threading.Event()

    def hello(tls: ssl.SSLSocket | ssl.SSLObject, name: str | None, base: ssl.SSLContext) -> None:
        with slow:
            wait.wait(0.5)

    context.sni_callback = hello
    begun = time.monotonic()
    with tls_answering(context, lambda tls: tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as port:
        report = live(f"https://localhost:{port}", ca_file)
        assert time.monotonic() - begun < 8
    assert "resumption" in only(report, "TLS426").what


def test_a_server_that_is_stalled(localhost_cert: Paths, ca_file: Path) -> None:
    """One that waits for silent clients before it looks at the next, and answers plain HTTP with nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    with tls_answering(context, _hi, one_by_one=True) as port:
        report = live(f"https://localhost:{port}", ca_file)
    assert "in vain" in only(report, "TLS414").what
    assert "TLS415" in codes(report)
    assert report.exit_code(strict=False) == 2


def test_a_server_that_resumes_nothing(localhost_cert: Paths, ca_file: Path) -> None:
    """One with a new context, and so new ticket keys, for each connection."""

    def context() -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
        return made

    with tls_answering(context, _hi) as port:
        report = live(f"https://localhost:{port}", ca_file)
    assert {one.what[:6] for one in report.findings if one.code.code == "TLS422"} == {"0 of 4"}


def _hi(tls: ssl.SSLSocket) -> None:
    tls.recv(65536)
    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
