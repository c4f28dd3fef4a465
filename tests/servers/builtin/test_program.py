"""The built-in server as a program: signals, its end, the reloader, the debugger, a rotation under load."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.applications.builtin import BEGUN
from tests.servers.builtin.site import command
from tests.support.certs import Authority, Paths
from tests.support.clients import Address, curl, free_port, https_get, openssl_s_client, stalled
from tests.support.process import ROOT, Server, eventually, in_time, run
from tests.support.talk import Talk

FRAMEWORKS = pytest.mark.parametrize("framework", ["wsgi", "flask", "bottle"])


@contextlib.contextmanager
def program(paths: Paths, *more: str, host: str = "127.0.0.1") -> Iterator[tuple[Server, Address]]:
    """The site as a program, answering."""
    address = (host, free_port())
    with Server(command(paths, address[1], "--host", host, *more), cwd=ROOT) as server:
        yield server.until_tls(address), address


class Request(threading.Thread):
    """A request in a thread of its own."""

    def __init__(self, address: Address, ca: Path, path: str) -> None:
        super().__init__(daemon=True)
        self.address, self.ca, self.path = address, ca, path
        self.answer: tuple[int, str] | BaseException | None = None

    def run(self) -> None:
        """Ask."""
        try:
            got = https_get(f"https://localhost{self.path}", self.ca, address=self.address)
            self.answer = (got.status, got.text)
        except (OSError, ValueError, AssertionError) as error:
            self.answer = error


def in_request(server: Server, address: Address, ca: Path, path: str) -> Request:
    """Send a request, and return when the server is at it."""
    request = Request(address, ca, path)
    begun = server.log().count(BEGUN)
    request.start()
    server.wait_for(lambda: server.log().count(BEGUN) > begun, what="the page to begin")
    return request


def let_go(pipe: Path) -> None:
    """Let the page go on that waits for ``pipe``."""

    def opened() -> bool:
        try:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # not at the moment: a signal interrupts it
            return False
        return True

    eventually(opened, what="a page that waits")


@pytest.mark.representatives
@FRAMEWORKS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
@pytest.mark.parametrize("threads", [[], ["--threads", "1"]], ids=["threads", "one thread"])
def test_running_requests_finish(
    framework: str, number: signal.Signals, threads: list[str], localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """A stop waits for what runs, and for nothing else; no traceback, exit code 0."""
    os.mkfifo(go := tmp_path / "go")
    with program(localhost_cert, "--framework", framework, *threads) as (server, address):
        with Talk(address, ca_file) as idle, stalled("silent", 2, address):
            assert idle.get().answer()[0] == 200
            request = in_request(server, address, ca_file, f"/until{go}")
            began = time.monotonic()
            server.signal(number)
            assert idle.is_over()
            assert time.monotonic() - began < 5  # long before it would be for want of a request
            assert server.process.poll() is None
            let_go(go)
            assert server.wait(8) == 0  # before the handshakes are over
        request.join()
        assert request.answer == (200, "released")
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("threads", [[], ["--threads", "1"]], ids=["threads", "one thread"])
def test_second_ctrl_c_does_not_wait(threads: list[str], localhost_cert: Paths, ca_file: Path) -> None:
    """Who presses Ctrl-C twice means it."""
    with program(localhost_cert, *threads) as (server, address):
        request = in_request(server, address, ca_file, "/slow/60")
        server.signal(signal.SIGINT)
        eventually(lambda: not _accepts(address))
        server.signal(signal.SIGINT)
        assert server.wait(15) == 130
        request.join()
        assert isinstance(request.answer, OSError)
        assert "Traceback" not in server.log()
        assert "Aborted" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_main_thread_that_signals_do_not_wake(
    number: signal.Signals, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """The server accepts no more as soon as it is told to stop, whatever the application is at."""
    os.mkfifo(go := tmp_path / "go")
    with program(localhost_cert, "--threads", "1") as (server, address):
        request = in_request(server, address, ca_file, f"/deaf{go}")
        server.signal(number)
        eventually(lambda: not _accepts(address))
        let_go(go)
        assert server.wait(8) == 0
        request.join()
        assert request.answer == (200, "released")


def test_second_ctrl_c_that_the_application_swallows(localhost_cert: Paths, ca_file: Path) -> None:
    """The server ends with the request, whatever the application made of the interrupt."""
    with program(localhost_cert, "--threads", "1") as (server, address):
        in_request(server, address, ca_file, "/swallows/60")
        server.signal(signal.SIGINT)
        eventually(lambda: not _accepts(address))
        server.signal(signal.SIGINT)
        assert server.wait(15) == 130
        assert "Traceback" not in server.log()


def test_interrupt_that_the_application_raises(localhost_cert: Paths, ca_file: Path) -> None:
    """In the main thread it ends the server at once, as a second Ctrl-C does."""
    with program(localhost_cert, "--threads", "1") as (server, address):
        request = Request(address, ca_file, "/interrupts")
        request.start()
        assert server.wait(15) == 130
        request.join()
        assert isinstance(request.answer, OSError)
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("threads", [[], ["--threads", "1"]], ids=["threads", "one thread"])
def test_signals_of_forked_processes_are_their_own(threads: list[str], localhost_cert: Paths, ca_file: Path) -> None:
    """multiprocessing's terminate() ends the child, and not the server."""
    with program(localhost_cert, *threads) as (server, address):
        with Talk(address, ca_file) as talk:
            assert int(talk.get("/forked").answer()[2]) == -signal.SIGTERM
            assert talk.get().answer()[2] == b"hello"
        server.signal(signal.SIGTERM)
        assert server.wait(8) == 0


def _accepts(address: Address) -> bool:
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
@pytest.mark.parametrize("threads", [[], ["--threads", "1"]], ids=["threads", "one thread"])
def test_grace_is_bounded(number: signal.Signals, threads: list[str], localhost_cert: Paths, ca_file: Path) -> None:
    """What runs longer than the grace is broken off, and said so; that is the server's doing, and no second Ctrl-C."""
    with program(localhost_cert, "--option", "grace=0.5", *threads) as (server, address):
        request = in_request(server, address, ca_file, "/slow/60")
        server.signal(number)
        assert server.wait(15) == 0
        request.join()
        assert "broken off after 0.5 s: requests still running: 1" in server.log()
        assert "Traceback" not in server.log()
        assert "Aborted" not in server.log()


@FRAMEWORKS
def test_real_clients(framework: str, localhost_cert: Paths, ca_file: Path) -> None:
    """curl and openssl verify it, keep the connection, and see it end in order."""
    with program(localhost_cert, "--framework", framework) as (server, address):
        url = f"https://localhost:{address[1]}/"
        kept = curl(url, ca_file, "-v", f"{url}status/204", "--http1.1")
        assert (kept.returncode, kept.status) == (0, 200)
        assert kept.body.endswith("hello")
        assert "using existing" in kept.errors
        for version in ("-tls1_2", "-tls1_3"):
            said = openssl_s_client(address, ca_file, version, "-msg")
            assert said.verified
            assert "close_notify" in said.output.partition("HTTP/1.1 200")[2]
        plain = run(["curl", "-sS", "-i", f"http://localhost:{address[1]}/x"])
        assert plain.stdout.startswith("HTTP/1.1 301 ")
        eventually(lambda: "plain HTTP on the HTTPS port" in server.log())
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_resume(version: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A stored session resumes."""
    stored = str(tmp_path / "session")
    with program(localhost_cert) as (_, address):
        assert "\nNew, TLSv1." in openssl_s_client(address, ca_file, version, "-sess_out", stored).output
        assert "\nReused, TLSv1." in openssl_s_client(address, ca_file, version, "-sess_in", stored).output


def test_port_of_the_systems_choice(localhost_cert: Paths, ca_file: Path) -> None:
    """Port 0 listens on a free port, and the log says on which, once it does."""
    with Server(command(localhost_cert, 0), cwd=ROOT) as server:
        server.until_logged("listening on https://127.0.0.1:")
        match = re.search(r"listening on https://127\.0\.0\.1:([0-9]+)", server.log())
        assert match is not None
        address = ("127.0.0.1", int(match[1]))
        assert https_get("https://localhost/environ", ca_file, address=address).text.count(f'"{address[1]}"') == 1


def test_quiet_and_access_log(localhost_cert: Paths, ca_file: Path) -> None:
    """One line for each request, none when quiet; Flask's are Werkzeug's, without its banner and its warning."""
    expected = {"wsgi": '"GET /noticed/ HTTP/1.1" 500', "flask": "werkzeug 127.0.0.1 - - ["}
    for framework, line in expected.items():
        with program(localhost_cert, "--framework", framework) as (server, address):
            https_get("https://localhost/noticed/", ca_file, address=address)
            server.until_logged(line)
            assert "development server" not in server.log()
            assert "Running on" not in server.log()
        with program(localhost_cert, "--framework", framework, "--quiet") as (server, address):
            https_get("https://localhost/", ca_file, address=address)
            assert "GET /" not in server.log()


def test_two_hundred_of_each_stop_nobody(localhost_cert: Paths, ca_file: Path) -> None:
    """200 silent clients and 200 with half a ClientHello: a page answers within a second, and the log is short."""
    with (
        program(localhost_cert) as (server, address),
        stalled("silent", 200, address) as silent,
        stalled("half-hello", 200, address),
    ):
        for _ in range(5):
            in_time(lambda: https_get("https://localhost/", ca_file, address=address), 1)
        assert silent.still_open() == 200
        server.signal(signal.SIGTERM)
        assert server.wait(8) == 0
        assert server.log().count("handshake with") <= 10


@pytest.mark.soak
@pytest.mark.full  # tests/matrix/test_rotation.py has it under load, shorter
def test_rotation_under_load(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """50 rotations in 10 s while 4 clients connect anew all the time: each is served, and each sees the last pair."""
    paths = ca.leaf().write(tmp_path / "live")
    pairs = [ca.leaf(key=kind).write(tmp_path / f"{kind}{n}") for kind in ("ecdsa", "rsa") for n in (1, 2)]
    seen: set[bytes] = set()
    failures: list[Exception] = []
    done = threading.Event()

    def hammer() -> None:
        while not done.is_set():
            try:
                answer = https_get("https://localhost/", ca_file, address=address)
                seen.add(answer.tls.certificate)
                assert answer.text == "hello"
            except Exception as error:  # noqa: BLE001 -- collected
                failures.append(error)

    with program(paths, "--quiet") as (server, address):
        clients = [threading.Thread(target=hammer) for _ in range(4)]
        for client in clients:
            client.start()
        for pair in itertools.islice(itertools.cycle(pairs), 50):
            for file in (pair.fullchain, pair.key):
                shutil.copyfile(file, tmp_path / "new")
                (tmp_path / "new").replace(paths.key.parent / file.name)
            done.wait(0.2)
        last = pair.pair.der
        eventually(lambda: https_get("https://localhost/", ca_file, address=address).tls.certificate == last)
        done.set()
        for client in clients:
            client.join()
        assert failures == []
        assert len(seen) >= 3
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("threads", [[], ["--threads", "1"]], ids=["threads", "one thread"])
def test_reloader(threads: list[str], localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A changed file starts the child anew; the port stays open all the time, and SIGTERM lets requests finish."""
    os.mkfifo(go := tmp_path / "go")
    watched = tmp_path / "watched.txt"
    watched.write_text("one")
    options = ("--option", "reloader_type=stat", "--option", "reloader_interval=0.1")
    with program(localhost_cert, "--framework", "flask", "--reload", "--watch", str(watched), *options, *threads) as (
        server,
        address,
    ):
        before = _children(server)
        assert https_get("https://localhost/", ca_file, address=address).status == 200
        os.utime(watched, (time.time() + 10, time.time() + 10))  # as if it were written much later
        server.until_logged("Detected change")
        answers = []
        while len(answers) < 10 or _children(server) == before:
            answers.append(https_get("https://localhost/", ca_file, address=address).status)
        assert set(answers) == {200}
        assert server.log().count("listening on") == 1
        request = in_request(server, address, ca_file, f"/until{go}")
        server.signal(signal.SIGTERM)
        let_go(go)
        assert server.wait() == 0
        request.join()
        assert request.answer == (200, "released")


def _children(server: Server) -> set[int]:
    return set(server.members()) - {server.pid}


def test_reloader_and_ctrl_c(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Ctrl-C reaches parent and child at once, as a terminal sends it, and both end in order."""
    os.mkfifo(go := tmp_path / "go")
    with program(localhost_cert, "--framework", "flask", "--reload", "--option", "reloader_type=stat") as (
        server,
        address,
    ):
        request = in_request(server, address, ca_file, f"/until{go}")
        for member in server.members():
            os.kill(member, signal.SIGINT)
        let_go(go)
        assert server.wait() == 0
        request.join()
        assert request.answer == (200, "released")
        assert "Traceback" not in server.log()


def test_debugger(localhost_cert: Paths, ca_file: Path) -> None:
    """Werkzeug's debugger shows the failure in the browser, over the same connection as everything else."""
    with program(localhost_cert, "--framework", "flask", "--debugger") as (server, address):
        with Talk(address, ca_file) as talk:
            status, _, body = talk.get("/fails").answer()
            assert (status, b"RuntimeError: at once" in body) == (500, True)
            script = re.search(rb'src="(\?__debugger__=yes[^"]*debugger\.js)"', body)
            assert script is not None
            assert talk.get("/" + script[1].decode().replace("&amp;", "&")).answer()[0] == 200
        server.until_logged("the debugger's PIN is ")


def test_bind_error_is_words(localhost_cert: Paths) -> None:
    """A port that is taken is one line, and nothing was started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(command(localhost_cert, taken.getsockname()[1]), cwd=ROOT)
    assert done.returncode != 0
    assert "cannot be bound: Address already in use" in done.stderr


def test_tls_1_0_client_is_named(localhost_cert: Paths) -> None:
    """A client that is too old is one line in the log, in words."""
    with program(localhost_cert) as (server, address), socket.create_connection(address) as plain:
        plain.sendall(bytes.fromhex("16030100310100002d0301" + "00" * 32 + "00" + "0004c014c013" + "0100" + "0000"))
        assert plain.recv(64)[:1] == b"\x15"
        server.until_logged("failed: client offered only TLS 1.0")


def test_client_that_does_not_trust_us_is_named(localhost_cert: Paths) -> None:
    """So is one that does not know our CA."""
    with program(localhost_cert) as (server, address):
        with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(address) as plain:
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
        server.until_logged("the client does not trust our certificate")
