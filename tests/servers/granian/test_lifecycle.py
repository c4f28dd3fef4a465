"""Granian over time: signals, deaths, renewals while requests run, exit codes, and what is left on disk."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import ssl
import stat
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.servers.site import Site, serving
from tests.support.certs import Authority, Paths
from tests.support.clients import Response, client_context, free_port, https_get, tls_connect
from tests.support.frames import http_2_hello
from tests.support.process import eventually, run, until_replaced
from tests.support.servers import need

pytestmark = pytest.mark.usefixtures("_granian")


@pytest.fixture(scope="module")
def _granian() -> None:
    need("granian")


def test_a_worker_that_is_not_to_be_replaced(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """With respawn_failed_workers off, its death ends the server, with the exit code 1."""
    flags = ("--server-options", "respawn_failed_workers=no")
    with serving(localhost_cert, ca_file, tmp_path, *flags) as site:
        os.kill(site.workers().pop(), signal.SIGKILL)
        assert site.server.wait() == 1


def test_no_worker_outlives_its_supervisor(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Killed, it leaves no process and no port; what it left on disk goes with the next start."""
    runtime = Path(os.environ["XDG_RUNTIME_DIR"]) / "tlsrun"
    with serving(localhost_cert, ca_file, tmp_path) as site:
        site.server.signal(signal.SIGKILL)
        site.server.wait()
        eventually(lambda: not site.server.members(), what="the end of the workers")
    assert list(runtime.glob("granian-*"))
    with serving(localhost_cert, ca_file, tmp_path):
        assert len(list(runtime.glob("granian-*"))) == 1
    assert not list(runtime.glob("granian-*"))


def test_sighup_replaces_the_workers(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A request that runs is finished by the old worker, while the new ones serve."""
    with serving(localhost_cert, ca_file, tmp_path) as site:
        before = site.workers()
        with site.asking("/slow/4") as answers:
            site.server.signal(signal.SIGHUP)
            site.server.wait_for(lambda: len(site.workers() - before) == 2, what="new workers")
            eventually(lambda: int(site.get("/pid").text) not in before, what="an answer of a new one")
        assert isinstance(answers[0], Response)
        assert int(answers[0].text) in before
        site.server.wait_for(lambda: not site.workers() & before, what="the end of the old ones")


def test_what_had_begun_is_served_by_the_old_worker(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A client in the middle of its handshake, and one that has not sent its request yet, lose nothing."""
    with serving(localhost_cert, ca_file, tmp_path, workers=1) as site:
        (before,) = site.workers()
        context = client_context(ca_file)
        half = _HalfShaken(site, context)
        with tls_connect(site.address, None, context=context) as tls:
            site.server.signal(signal.SIGHUP)
            site.server.wait_for(lambda: site.workers() - {before}, what="a new worker")
            eventually(lambda: int(site.get("/pid").text) != before, what="an answer of the new one")
            tls.sendall(_REQUEST)
            assert str(before).encode() in _all_of(tls)
            assert str(before).encode() in half.finish(_REQUEST)
        site.server.wait_for(lambda: before not in site.workers(), what="the end of the old one")


_REQUEST = b"GET /pid HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def _all_of(tls: ssl.SSLSocket) -> bytes:
    data = b""
    while part := tls.recv(65536):
        data += part
    return data


class _HalfShaken:
    """A connection whose client has sent its ClientHello, and waits."""

    def __init__(self, site: Site, context: ssl.SSLContext) -> None:
        import socket

        self._sock = socket.create_connection(site.address, timeout=60)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        self._sock.sendall(self._out.read())
        self._in.write(self._sock.recv(65536))

    def finish(self, request: bytes) -> bytes:
        """Finish the handshake, ask, and return the answer."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        self._tls.write(request)
        self._sock.sendall(self._out.read())
        with self._sock:
            while part := self._sock.recv(65536):
                self._in.write(part)
        return self._tls.read(65536)


@pytest.mark.parametrize("key", ["ecdsa", "rsa"])
def test_an_encrypted_key(key: str, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """Granian reads a decrypted copy that only this user can, and that goes with the server."""
    runtime = Path(os.environ["XDG_RUNTIME_DIR"]) / "tlsrun"
    cert = ca.leaf(key=key, password=b"open sesame").write(tmp_path)
    (tmp_path / "password").write_text("open sesame\n")
    with serving(cert, ca_file, tmp_path, "--key-password-file", tmp_path / "password") as site:
        assert site.get("/pid").tls.certificate == cert.pair.der
        (folder,) = runtime.glob("granian-*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        found = [path for path in folder.rglob("*") if path.is_file()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
        assert any(b"BEGIN PRIVATE KEY" in path.read_bytes() for path in found)
        assert "open sesame" not in site.server.log()
    assert not folder.exists()


def test_one_version_is_kept(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """The files of a former certificate do not pile up."""
    runtime = Path(os.environ["XDG_RUNTIME_DIR"]) / "tlsrun"
    live = ca.leaf().write(tmp_path)
    with serving(live, ca_file, tmp_path) as site:
        (folder,) = runtime.glob("granian-*")
        ca.leaf().write(tmp_path)
        site.server.signal(signal.SIGHUP)
        # Its watcher may have replaced workers just before.
        site.server.wait_for(lambda: _ended(site) >= 2, what="the end of the old workers")
        eventually(lambda: not folder.exists(), what="the end of the old folder")
        (folder,) = runtime.glob("granian-*")
        assert len(list(folder.rglob("privkey.pem"))) == 1
    assert not folder.exists()


def _ended(site: Site) -> int:
    """How many workers have ended that a reload has replaced."""
    return site.server.log().count("of the program before has ended")


def test_a_kind_of_key_that_granian_has_not(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """At the start it is refused in words; at a renewal the last good certificate stays, and no worker dies."""
    from cryptography.hazmat.primitives.asymmetric import ec

    odd = ca.leaf(key=ec.generate_private_key(ec.SECP521R1()))
    folder = tmp_path / "odd"
    with serving(odd.write(folder), ca_file, tmp_path, until=False) as site:
        assert site.server.wait() == 2
        assert "Granian cannot serve this ECDSA P-521 certificate" in site.server.log()
        assert "Traceback" not in site.server.log()
    live = ca.leaf().write(tmp_path)
    with serving(live, ca_file, tmp_path) as site:
        workers = site.workers()
        odd.write(tmp_path)
        site.server.until_logged("kept the certificate in service; not reloaded from")
        assert site.workers() == workers
        assert site.get("/pid").tls.certificate == live.pair.der
        told = run([sys.executable, "-m", "tlsrun", "status"])
        assert (told.returncode, "NOT RENEWED" in told.stdout) == (1, True), told
        new = ca.leaf()
        new.write(tmp_path)
        eventually(lambda: site.get("/pid").tls.certificate == new.der, what="the mended certificate")


@pytest.mark.parametrize("key", ["rsa", "p256", "p384", "ed25519"])
def test_kinds_of_keys(key: str, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """What its message promises is served."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    made = {
        "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }[key]()
    cert = ca.leaf(key=made).write(tmp_path)  # type: ignore[arg-type] # the authority signs any public key
    with serving(cert, ca_file, tmp_path, workers=1) as site:
        assert site.get("/pid").tls.certificate == cert.pair.der


def test_the_redirect_port(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Plain HTTP is sent to https by every worker, new ones too; HSTS is sent on request."""
    port = free_port()
    flags = ("--redirect-port", str(port), "--hsts", "60", "--hosts", "127.0.0.1,site.test")
    with serving(localhost_cert, ca_file, tmp_path, *flags) as site:
        target = f"https://127.0.0.1:{site.address[1]}/pid"
        for count in range(1, 3):
            for _ in range(6):
                asked = run(["curl", "-q", "-sS", "-w", "%{redirect_url}", f"http://127.0.0.1:{port}/pid"])
                assert asked.stdout.endswith(target), asked
            site.server.signal(signal.SIGHUP)
            site.server.wait_for(lambda: _ended(site) == 2 * count, what="the end of the old ones")  # noqa: B023
        answer = site.get("/pid", headers={"Host": "site.test"})
        assert answer.headers["Strict-Transport-Security"] == "max-age=60"


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_client_certificates_without_facts(mode: str, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """With client_facts off, clients are verified, and the application learns nothing that could be wrong."""
    cert = ca.leaf().write(tmp_path / "server")
    clients = Authority("clients")
    known = clients.leaf("jo", client=True).write(tmp_path / "known")
    stranger = Authority("strangers").leaf("eve", client=True).write(tmp_path / "stranger")
    flags = ("--client-ca", clients.write(tmp_path / "clients"), "--client-auth", mode, "--no-client-facts")
    with serving(cert, ca_file, tmp_path, *flags, until=False) as site:
        site.server.until_logged("Started worker-2")

        def ask(who: Paths | None) -> Response:
            context = client_context(ca_file, cert=who.fullchain if who else None, key=who.key if who else None)
            url = f"https://localhost:{site.address[1]}/environ"
            return https_get(url, ca_file, address=site.address, context=context)

        answer = ask(known)
        assert answer.status == 200
        assert "SSL_CLIENT" not in answer.text
        with pytest.raises(OSError):  # noqa: PT011 -- an alert, or a reset behind it
            ask(stranger)
        if mode == "optional":
            assert ask(None).status == 200
        else:
            with pytest.raises(OSError):  # noqa: PT011
                ask(None)


def test_static_files_and_the_access_log(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Options of Granian's own work: files served by it, a prefix, its access log."""
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("static")
    options = [
        f"static_path_mount={tmp_path}/static", "log_access=yes", "url_path_prefix=/below", "backlog=256",
        'http1_settings={"keep_alive": false}', "workers_lifetime=60", "process_name=site",
    ]  # fmt: skip
    flags = [word for option in options[:-1] for word in ("--server-options", option)]
    with serving(localhost_cert, ca_file, tmp_path, *flags) as site:
        assert site.get("/static/a.txt").text == "static"
        assert site.get("/below/pid").status == 200
        site.server.until_logged('"GET /below/pid HTTP/1.1" 200')


def test_metrics_and_pid_file(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Options of Granian's own that its supervisor sees to: the workers are counted, and the file goes with it."""
    port, pid_file = free_port(), tmp_path / "site.pid"
    options = ["metrics_enabled=yes", "metrics_scrape_interval=1", f"metrics_port={port}", f"pid_file={pid_file}"]
    flags = [word for option in options for word in ("--server-options", option)]

    def metrics() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:  # noqa: S310
                return str(answer.read().decode())
        except OSError:
            return ""

    with serving(localhost_cert, ca_file, tmp_path, *flags) as site:
        assert pid_file.read_text() == str(site.server.pid)
        eventually(lambda: "granian_workers_spawns 2" in metrics(), what="both workers in the metrics")
        killed = site.workers().pop()
        os.kill(killed, signal.SIGKILL)
        until_replaced(site.workers, [killed], 2)
        assert site.get("/pid").status == 200
        eventually(lambda: "granian_workers_respawns_for_err 1" in metrics(), what="the death in the metrics")
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0
    assert not pid_file.exists()


def test_a_worker_with_too_much_memory_is_replaced(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Found in as many looks as Granian's options say; nobody notices."""
    # Not so often that one is replaced before the start has been seen.
    options = ["workers_max_rss=1", "rss_sample_interval=4", "rss_samples=2"]
    flags = [word for option in options for word in ("--server-options", option)]
    with serving(localhost_cert, ca_file, tmp_path, *flags) as site:
        before = set(site.workers())
        eventually(lambda: not before & set(site.workers()), what="the end of the first workers")
        assert site.get("/pid").status == 200
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0


@pytest.mark.full
@pytest.mark.slow
def test_clients_that_keep_every_descriptor(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A worker all of whose descriptors are taken for ten seconds is replaced by one that has room for others."""
    with serving(localhost_cert, ca_file, tmp_path, workers=1) as site, contextlib.ExitStack() as stack:
        # Granian raises the limit as far as it may; the next worker finds this one.
        resource.prlimit(site.server.pid, resource.RLIMIT_NOFILE, (256, 256))
        site.server.signal(signal.SIGHUP)
        site.server.wait_for(lambda: _ended(site) == 1, what="the end of the old worker")
        context = client_context(ca_file)
        context.set_alpn_protocols(["h2"])
        # Not so many that one of them has to wait for its handshake until the worker is replaced: it would be reset.
        with contextlib.suppress(ConnectionError):  # on a busy machine it is replaced while they still come
            for _ in range(180):
                stack.enter_context(tls_connect(site.address, ca_file, context=context)).sendall(http_2_hello())
            for _ in range(120):
                stack.enter_context(socket.create_connection(site.address))

        def is_answered() -> bool:
            # The old worker takes who waits, as soon as it has let go of a client, and ends: such a one asks again.
            with contextlib.suppress(ConnectionError):
                return site.get("/pid", timeout=60).status == 200
            return False

        site.server.wait_for(is_answered, 60, what="an answer")
        assert "worker-1 is to be replaced: its clients have kept every connection" in site.server.log()
