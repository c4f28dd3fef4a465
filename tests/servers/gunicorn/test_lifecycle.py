"""gunicorn over time: sessions resume, workers come and go, certificates rotate, nobody notices."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.applications.gunicorn import BEGUN
from tests.servers.gunicorn.site import GET, Site, serving
from tests.support.certs import Authority, Paths
from tests.support.clients import client_context, curl, facts, free_port, https_get, openssl_s_client, tls_connect
from tests.support.load import Load, counted
from tests.support.process import eventually, thread_states, until_replaced

VERSIONS = ["TLSv1_2", "TLSv1_3"]


@pytest.fixture
def files(ca: Authority, tmp_path: Path) -> Paths:
    """A certificate that the test may replace."""
    return ca.leaf().write(tmp_path / "cert")


@pytest.fixture
def site(files: Paths, ca_file: Path) -> Iterator[Site]:
    """Three workers."""
    with serving(files, ca_file, workers=3) as running:
        yield running


def _hang_up(site: Site, count: int = 3) -> None:
    """SIGHUP, and wait until all workers are new."""
    before = site.workers()
    site.server.signal(signal.SIGHUP)
    until_replaced(site.workers, before, count)


def _session(site: Site, version: str) -> tuple[ssl.SSLContext, ssl.SSLSession]:
    """A session that a first connection got."""
    context = client_context(site.ca)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with tls_connect(site.address, None, context=context) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while client.recv(1000):
            pass
        assert client.session is not None
        return context, client.session


def _resumed(site: Site, session: tuple[ssl.SSLContext, ssl.SSLSession], times: int) -> tuple[int, set[bytes]]:
    """How many of so many reconnects resume, and which workers they met."""
    count, pids = 0, set()
    for _ in range(times):
        with tls_connect(site.address, None, context=session[0], session=session[1]) as client:
            client.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := client.recv(1000):
                answer += part
            count += bool(client.session_reused)
            pids.add(answer.rpartition(b"\n")[2])
    return count, pids


def _is_halted(pid: int) -> bool:
    """Whether all its threads are (proc(5))."""
    return set(thread_states(pid)) == {"T"}


def _resumed_by_each(site: Site, session: tuple[ssl.SSLContext, ssl.SSLSession], times: int) -> int:
    """How many of so many reconnects to each worker resume; the others are halted, for chance may choose."""
    count, workers = 0, site.workers()
    for chosen in workers:
        others = workers - {chosen}
        try:
            for pid in others:
                os.kill(pid, signal.SIGSTOP)
            # The main thread stops first, and another may accept a connection until it has.
            eventually(lambda others=others: all(map(_is_halted, others)))  # type: ignore[misc]
            resumed, met = _resumed(site, session, times)
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
        assert met == {str(chosen).encode()}
        count += resumed
    return count


def _ask_once(site: Site) -> Callable[[], None]:
    def ask() -> None:
        assert site.get() == "hello"

    return ask


def _ask_often(site: Site) -> Callable[[], None]:
    """Requests over one connection, until the server says that it closes."""

    def ask() -> None:
        with tls_connect(site.address, site.ca) as client:
            for _ in range(50):
                client.sendall(GET % b"/")
                answer = b""
                while not answer.endswith(b"hello"):
                    part = client.recv(65536)
                    assert part, "the connection ended where the server had said keep-alive"
                    answer += part
                if b"Connection: close" in answer:
                    return

    return ask


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_resume_across_workers(site: Site, version: str) -> None:
    """All of them by each worker, and still when every worker has been killed. After a reload, which executes the
    program anew, its first connection is a new session's."""
    session = _session(site, version)
    eventually(lambda: len(site.workers()) == 3, what="all workers")
    before = site.workers()
    assert _resumed_by_each(site, session, 20) == 20 * len(before)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until_replaced(site.workers, before, 3)
    assert _resumed_by_each(site, session, 20) == 20 * len(site.workers())
    _hang_up(site)
    session = _session(site, version)
    assert _resumed(site, session, 50)[0] == 50


def test_openssl_resumes(site: Site, tmp_path: Path) -> None:
    """Not only Python's client."""
    for version in ("-tls1_2", "-tls1_3"):
        path = tmp_path / version
        openssl_s_client(site.address, site.ca, version, "-sess_out", str(path))
        again = openssl_s_client(site.address, site.ca, version, "-sess_in", str(path))
        assert "Reused, TLSv1" in again.output


@pytest.mark.parametrize("version", VERSIONS)
def test_new_files_are_served_by_every_worker(site: Site, ca: Authority, files: Paths, version: str) -> None:
    """Within five seconds, without a signal; sessions from before resume."""
    session = _session(site, version)
    new = ca.leaf().write(files.fullchain.parent).pair
    written = time.monotonic()
    url = f"https://localhost:{site.address[1]}"

    def all_new() -> float | None:
        """When the first of many was served the new one."""
        began = time.monotonic()
        return began if all(https_get(url, site.ca).tls.certificate == new.der for _ in range(12)) else None

    assert eventually(all_new) - written < 6
    assert _resumed(site, session, 50)[0] == 50
    site.server.until_logged("reloaded certificate for localhost")


def test_sighup_reads_the_files_and_a_bad_one_changes_nothing(site: Site, ca: Authority, files: Paths) -> None:
    """The last good certificate stays, with the workers, and the log says why."""
    good = ca.leaf().write(files.fullchain.parent).pair
    url = f"https://localhost:{site.address[1]}"
    _hang_up(site)
    assert https_get(url, site.ca).tls.certificate == good.der
    before = site.workers()
    files.fullchain.write_text("garbage")
    site.server.signal(signal.SIGHUP)
    site.server.until_logged("not reloaded, what runs goes on")
    assert all(https_get(url, site.ca).tls.certificate == good.der for _ in range(12))
    assert site.workers() == before
    assert "garbage" not in site.server.log()
    assert f"{files.fullchain}" in site.server.log()


@pytest.mark.parametrize("worker", ["gthread", "sync"])
def test_sighup_under_load_loses_nothing(files: Paths, ca_file: Path, worker: str) -> None:
    """Three generations in five seconds, new connections and kept-alive ones."""
    with serving(files, ca_file, workers=2, server_options={"worker_class": worker}) as site:
        asks = [_ask_once(site), *([_ask_often(site)] if worker == "gthread" else [])]
        with contextlib.ExitStack() as stack:
            loads = [stack.enter_context(Load(*[counted(ask)] * 3)) for ask in asks]
            for _ in range(3):
                _hang_up(site, 2)
            eventually(lambda: all(load.answers > 20 or load.failures for load in loads))
        for load in loads:
            assert load.failures == []


@pytest.mark.soak
@pytest.mark.full  # tests/matrix/test_rotation.py has it under load, shorter
def test_rotation_under_load_loses_nothing(site: Site, ca: Authority, files: Paths) -> None:
    """Forty rotations, RSA and ECDSA, while eight clients make new connections as fast as they can."""
    pairs = [ca.leaf(key="ecdsa"), ca.leaf(key="rsa")]
    with Load(*[counted(_ask_once(site))] * 8) as load:
        for number in range(40):
            pair = pairs[number % 2]
            for path, pem in ((files.fullchain, pair.fullchain_pem), (files.key, pair.key_pem)):
                fresh = path.with_suffix(".new")
                fresh.write_bytes(pem)
                fresh.replace(path)
            select.select([], [], [], 0.3)
        eventually(lambda: load.answers > 200 or load.failures)
    assert load.failures == []


def test_sigterm_lets_requests_finish(files: Paths, ca_file: Path) -> None:
    """One of a second; the server ends after it, and after the two that a kept-alive client has, with code 0."""

    def lasts(worker: str) -> float:
        with serving(files, ca_file, workers=2, server_options={"worker_class": worker}) as site:
            with tls_connect(site.address, ca_file) as client:
                client.sendall(GET % b"/slow/1")
                site.server.until_logged(BEGUN)
                began = time.monotonic()
                site.server.signal(signal.SIGTERM)
                answer = b""
                while part := client.recv(1000):
                    answer += part
                assert answer.endswith(b"slept")
            assert site.server.wait() == 0
            return time.monotonic() - began

    for worker in ("gthread", "sync"):
        assert any(lasts(worker) < 5.5 for _ in range(3))


def test_sigterm_waits_for_no_idler(files: Paths, ca_file: Path) -> None:
    """Kept-alive and stalled clients cost two seconds at most."""

    def lasts() -> float:
        with (
            serving(files, ca_file, workers=3) as site,
            tls_connect(site.address, site.ca) as idle,
            tls_connect(site.address, site.ca) as stalled,
        ):
            idle.sendall(GET % b"/")
            idle.recv(1000)
            stalled.sendall(b"GET /")
            began = time.monotonic()
            site.server.signal(signal.SIGTERM)
            assert site.server.wait() == 0
            return time.monotonic() - began

    assert any(lasts() < 4.5 for _ in range(3))


def test_sigquit_waits_for_nobody(site: Site) -> None:
    """Not even for a request."""
    with tls_connect(site.address, site.ca) as client:
        client.sendall(GET % b"/slow/60")
        site.server.until_logged(BEGUN)
        site.server.signal(signal.SIGQUIT)
        assert site.server.wait(20) == 0


def test_max_requests(files: Paths, ca_file: Path) -> None:
    """Workers are replaced after their share, and no request is lost."""
    for worker in ("gthread", "sync"):
        options = {"worker_class": worker, "max_requests": 20, "max_requests_jitter": 3}
        with serving(files, ca_file, workers=2, server_options=options) as site:
            pids = set()
            with Load(*[counted(lambda: pids.add(site.get("/pid")))] * 2) as load:  # noqa: B023
                eventually(lambda: load.answers > 100 or load.failures)  # noqa: B023
            assert load.failures == []
            assert len(pids) >= 4
            assert "Autorestarting worker" in site.server.log()


def test_a_killed_worker_is_replaced(site: Site) -> None:
    """And the others serve meanwhile."""
    before = site.workers()
    os.kill(min(before), signal.SIGKILL)
    assert site.get() == "hello"
    until_replaced(site.workers, [min(before)], 3)


@pytest.mark.parametrize("worker", ["gthread", "sync"])
def test_workers_leave_with_their_master(files: Paths, ca_file: Path, worker: str) -> None:
    """Also while clients give them no rest: the next server needs the port."""
    options = {"worker_class": worker}
    with (
        serving(files, ca_file, workers=2, server_options=options) as site,
        Load(*[counted(_ask_once(site))] * 3) as load,
    ):
        eventually(lambda: load.answers > 20)
        os.kill(site.server.pid, signal.SIGKILL)
        eventually(lambda: site.server.members() == [], what="the end of all workers")


def test_the_redirect_port_and_the_status(files: Paths, ca_file: Path) -> None:
    """Every worker answers plain HTTP, before and after SIGHUP and SIGUSR2."""
    port = free_port()
    with serving(files, ca_file, workers=2, redirect_port=port) as site:

        def redirects() -> bool:
            answer = curl(f"http://localhost:{port}/a", ca_file, "-i")
            return answer.status in (301, 308) and f"https://localhost:{site.address[1]}/a" in answer.body

        assert redirects()
        _hang_up(site, 2)
        assert redirects()
        site.server.signal(signal.SIGUSR2)
        eventually(lambda: site.server.log().count("Booting worker") >= 6)
        assert all(redirects() for _ in range(8))
        assert site.get() == "hello"


def test_a_request_of_the_old_generation_finishes(site: Site) -> None:
    """SIGHUP lets a long request end in its worker."""
    with tls_connect(site.address, site.ca) as client:
        client.sendall(GET % b"/slow/2")
        site.server.until_logged(BEGUN)
        site.server.signal(signal.SIGHUP)
        answer = b""
        while part := client.recv(1000):
            answer += part
        assert answer.endswith(b"slept")


def test_facts_reach_the_application(site: Site) -> None:
    """The socket in the environ is the TLS connection itself."""
    environ = json.loads(site.get("/environ"))
    assert environ["wsgi.url_scheme"] == "https"
    with tls_connect(site.address, site.ca) as client:
        assert facts(client).alpn is None
    context = client_context(site.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tls_connect(site.address, None, context=context) as client:
        assert client.selected_alpn_protocol() == "http/1.1"
