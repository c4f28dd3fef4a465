"""Granian, whose TLS is its own: certificates are renewed by new workers, and what it cannot do is refused."""

from __future__ import annotations

import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix import test_rotation as rotation
from tests.support.certs import Authority, Paths
from tests.support.clients import client_context, stalled
from tests.support.process import APPLICATIONS, in_time, run
from tests.support.servers import need
from tests.support.sites import Serve, Site, serving


@pytest.fixture
def serve(ca_file: Path, localhost_cert: Paths) -> Serve:
    """Starts the site under Granian."""
    need("granian")
    return serving("granian", ca_file, localhost_cert)


@pytest.mark.representatives("")
@pytest.mark.parametrize("way", rotation.WAYS)
def test_every_way_of_renewal_is_seen(serve: Serve, ca: Authority, tmp_path: Path, way: str) -> None:
    """However the files change, new workers serve the new certificate within five seconds; their supervisor stays."""
    layout, renew = rotation.WAYS[way]
    live = layout(tmp_path, ca.leaf())
    new = ca.leaf()
    with serve(cert=live) as site:
        assert rotation.served(site) == live.pair.der
        processes = set(site.server.members())
        renew(live, new)
        rotation.until_served_by_all(site, new)
        site.server.wait_for(lambda: len(site.server.members()) == 3, what="the end of the former workers")
        assert set(site.server.members()) & processes == {site.server.pid}
        site.server.until_logged("Stopped worker-2")


@pytest.mark.representatives("")
@pytest.mark.parametrize("spoil", rotation.SPOILERS)
def test_a_broken_renewal_changes_nothing(
    serve: Serve, ca: Authority, tmp_path: Path, spoil: Callable[[Paths, Authority], None]
) -> None:
    """Granian never sees a broken file: the workers stay, the reason is said once, and the mended file is served."""
    live = ca.leaf().write(tmp_path)
    with serve(cert=live) as site:
        processes = set(site.server.members())
        spoil(live, ca)
        site.server.wait_for(lambda: "not reloaded from" in site.server.log(), what="the reason in the log")
        assert all(rotation.served(site) == live.pair.der for _ in range(12))
        assert set(site.server.members()) == processes
        new = ca.leaf()
        rotation.in_place(live, new)
        rotation.until_served_by_all(site, new)
        reasons = [line for line in site.server.log().splitlines() if "not reloaded from" in line]
        assert len(reasons) == 1, reasons
        assert "Traceback" not in site.server.log()


def test_status_says_what_is_served_and_what_failed(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """`tlsrun status` tells of the supervisor, which looks after the certificates of its workers."""
    rotation.check_status(serve, ca, tmp_path)


def test_watching_can_be_turned_off(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """With --no-reload-certificates nothing changes by itself; SIGHUP reads the files."""
    rotation.check_no_watching(serve, ca, tmp_path)


@pytest.mark.parametrize("words", [["--proxy", "nginx"], ["--proxy-drops-underscores"]], ids=" ".join)
def test_behind_a_proxy_that_drops_names_with_underscores(serve: Serve, words: list[str]) -> None:
    """It starts, and believes what the proxy says."""
    with serve("--trusted-proxies", "127.0.0.1", *words) as site:
        assert site.facts(headers={"X-Forwarded-For": "192.0.2.7"})["REMOTE_ADDR"] == "192.0.2.7"
        assert "X_Forwarded_For" not in site.server.log()


@pytest.mark.soak
@pytest.mark.parametrize("rotations", [24, pytest.param(100, marks=pytest.mark.full)])
def test_rotation_under_load(serve: Serve, ca: Authority, tmp_path: Path, rotations: int) -> None:
    """Every 0.3 s a new one, while 8 clients make new connections as fast as they can: not one request fails."""
    rotation.check_under_load(serve, ca, tmp_path, rotations)


def test_sessions_are_a_workers_own(serve: Serve) -> None:
    """A session of another worker is no failure: its client shakes hands anew."""
    with serve() as site:
        context = client_context(site.ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        session = rotation.session_of(site, context)
        resumed = [rotation.resumes(site, context, session) for _ in range(30)]
        assert any(resumed)


REFUSED = {
    "sni": (["--sni", "."], "serves one certificate", "builtin, gunicorn, uwsgi"),
    "ciphers": (["--ciphers", "ECDHE+AESGCM"], "has its own suites", "builtin, gunicorn, uwsgi"),
    "groups": (["--groups", "prime256v1"], "key exchange groups", "builtin, gunicorn, uwsgi"),
    "max_version": (["--max-version", "1.2"], "always speaks TLS 1.3", "builtin, gunicorn, uwsgi"),
    "handshake_timeout": (["--handshake-timeout", "3"], "10 seconds", "builtin, gunicorn, uwsgi"),
    "http": (["--http", "3"], "speaks HTTP/2 and HTTP/1.1 only", "--http"),
    "trusted_proxies": (
        ["--trusted-proxies", "127.0.0.1"],
        "takes a header X_Forwarded_For for X-Forwarded-For",
        "--proxy-drops-underscores",
    ),
    "proxy": (["--trusted-proxies", "127.0.0.1", "--proxy", "apache"], "or in its place", "--proxy-drops-underscores"),
    "client_ca": (["--client-ca", "CA"], "cannot tell the application whose", "--no-client-facts"),
}


@pytest.mark.parametrize("setting", REFUSED)
def test_what_it_cannot_do_is_refused(setting: str, ca_file: Path, localhost_cert: Paths) -> None:
    """Before anything starts, with the reason, and who can."""
    flags, reason, remedy = REFUSED[setting]
    flags = [str(ca_file) if flag == "CA" else flag for flag in flags]
    command = [sys.executable, "-m", "tlsrun", "run", f"{APPLICATIONS}/connection.py:app", "--server", "granian"]
    done = run([*command, "--cert", localhost_cert.fullchain, "--key", localhost_cert.key, *flags])
    assert done.returncode == 2
    assert reason in done.stderr, done.stderr
    assert remedy in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.full
@pytest.mark.slow
def test_http_2_while_workers_are_replaced(serve: Serve) -> None:
    """Clients that send 40 requests over each connection lose none of them while all workers are replaced 6 times."""
    failures, answered, stop = [], [0], threading.Event()

    def ask(site: Site) -> None:
        resolve = f"localhost:{site.port}:127.0.0.1"
        urls = [f"https://localhost:{site.port}/?{number}" for number in range(40)]
        sinks = [word for _ in urls for word in ("-o", "/dev/null")]
        command = ["curl", "-q", "-sS", "--http2", "--fail", "--cacert", site.ca, "--resolve", resolve, *sinks, *urls]
        while not stop.is_set():
            done = run(command)
            answered[0] += len(urls)
            if done.returncode:
                failures.append(done.stderr)

    with serve() as site:
        threads = [threading.Thread(target=ask, args=(site,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(1, 7):
            site.server.signal(signal.SIGHUP)
            ended = lambda seen=number: site.server.log().count("before has ended") == 2 * seen  # noqa: E731
            site.server.wait_for(ended, what="the end of the old workers")
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:3]
    assert answered[0] > 500


@pytest.mark.representatives("")
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seconds"), [("silent", 10), ("half-hello", 10), ("drip", 10), ("half-head", 15)])
def test_stalled_clients(serve: Serve, kind: str, seconds: float) -> None:
    """500 of them keep nobody waiting, and are gone when Granian's time for them is over."""
    with serve() as site, stalled(kind, 500, site.address) as crowd:
        begun = time.monotonic()
        while left := crowd.still_open():
            assert in_time(site.get, 1).status == 200
            assert time.monotonic() - begun < seconds + 4, f"{left} are still there"
