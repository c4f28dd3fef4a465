"""A renewed certificate is served within seconds: no restart, no dropped connection, no lost session."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.certs import DAY, NOW, Authority, Pair, Paths, key_pem, make_key
from tests.support.clients import client_context, https_get, openssl_s_client, tls_connect
from tests.support.process import eventually, run
from tests.support.sites import Serve, Site
from tlsrun.status import running

#: Seconds within which a renewed certificate is served.
PROMISED = 5


def served(site: Site) -> bytes:
    """The leaf that a new connection gets, in DER."""
    return site.get().tls.certificate


def until_served_by_all(site: Site, pair: Pair, deadline: float = PROMISED) -> None:
    """Wait until every one of 12 connections in a row, over all workers, gets ``pair``."""

    def all_have_it() -> bool:
        # Workers look at the files at different times, and chance may lead all connections to the first of them.
        new = {pair.certificate.serial_number}
        return all(served(site) == pair.der for _ in range(12)) and told_by_all(site) == new

    eventually(all_have_it, deadline, what="the new certificate")


def told_by_all(site: Site) -> set[int]:
    """The serial numbers that the processes which shake hands say they serve."""
    processes = [one for one in running() if one.endpoint == f"127.0.0.1:{site.port}"]
    return {int(one.certificates[0]["serial"].replace(":", ""), 16) for one in processes}


@contextlib.contextmanager
def kept_alive(site: Site) -> Iterator[Callable[[], None]]:
    """One connection that stays open; each call sends another request over it, which must be answered."""
    with tls_connect(site.address, site.ca) as tls:

        def ask() -> None:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with http.client.HTTPResponse(tls) as answer:
                answer.begin()
                assert (answer.status, bool(answer.read())) == (200, True)

        ask()
        yield ask


def in_place(live: Paths, new: Pair) -> None:
    """Both files are written over, the key first."""
    live.key.write_bytes(new.key_pem)
    live.fullchain.write_bytes(new.fullchain_pem)


def by_rename(live: Paths, new: Pair) -> None:
    """As editors and careful programs do: written beside, then renamed."""
    for path, data in ((live.fullchain, new.fullchain_pem), (live.key, new.key_pem)):
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(data)
        beside.replace(path)


def _linked(folder: Path, pair: Pair) -> Paths:
    """certbot's layout: live/fullchain.pem is a link to archive/fullchain1.pem."""
    archive, live = folder / "archive", folder / "live"
    archive.mkdir()
    live.mkdir()
    for name, data in (("fullchain", pair.fullchain_pem), ("privkey", pair.key_pem)):
        (archive / f"{name}1.pem").write_bytes(data)
        (live / f"{name}.pem").symlink_to(f"../archive/{name}1.pem")
    return Paths(
        fullchain=live / "fullchain.pem", cert=live / "x", chain=live / "y", key=live / "privkey.pem", pair=pair
    )


def as_certbot(live: Paths, new: Pair) -> None:
    """New files in the archive, then each link is turned."""
    archive = live.key.parent.parent / "archive"
    for path, data in ((live.key, new.key_pem), (live.fullchain, new.fullchain_pem)):
        (archive / f"{path.stem}2.pem").write_bytes(data)
        turned = path.with_name("turned")
        turned.symlink_to(f"../archive/{path.stem}2.pem")
        turned.replace(path)


def _projected(folder: Path, pair: Pair) -> Paths:
    """Kubernetes' layout: files are links into ..data, which is a link to a folder of this version."""
    pair.write(folder / "..v1")
    (folder / "..data").symlink_to("..v1")
    for name in ("fullchain.pem", "privkey.pem"):
        (folder / name).symlink_to(f"..data/{name}")
    return Paths(
        fullchain=folder / "fullchain.pem", cert=folder / "x", chain=folder / "y", key=folder / "privkey.pem", pair=pair
    )


def as_kubernetes(live: Paths, new: Pair) -> None:
    """One link is turned, and everything is new at once."""
    folder = live.key.parent
    new.write(folder / "..v2")
    (folder / "..turned").symlink_to("..v2")
    (folder / "..turned").replace(folder / "..data")
    shutil.rmtree(folder / "..v1")


Layout = Callable[[Path, Pair], Paths]
WAYS: dict[str, tuple[Layout, Callable[[Paths, Pair], None]]] = {
    "in place": (lambda folder, pair: pair.write(folder), in_place),
    "rename": (lambda folder, pair: pair.write(folder), by_rename),
    "certbot": (_linked, as_certbot),
    "kubernetes": (_projected, as_kubernetes),
}


@pytest.mark.representatives
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_renewal_is_seen(serve: Serve, ca: Authority, tmp_path: Path, way: str) -> None:
    """However the files change, every worker serves the new certificate within five seconds, in the same process, and
    a connection that is open goes on."""
    layout, renew = WAYS[way]
    live = layout(tmp_path, ca.leaf())
    new = ca.leaf()
    with serve(cert=live) as site, kept_alive(site) as ask:
        processes = set(site.server.members())
        renew(live, new)

        def renewed() -> bool:
            ask()
            return served(site) == new.der

        eventually(renewed, PROMISED, what="the new certificate")
        until_served_by_all(site, new)
        assert set(site.server.members()) == processes


def test_certificate_key_and_chain_in_files_of_their_own(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """All three are watched, by content: as long and as old as before, they are read all the same."""
    live, new = ca.leaf().write(tmp_path / "live"), Authority("the next intermediate", intermediates=1).leaf()
    apart = Paths(fullchain=live.cert, cert=live.cert, chain=live.chain, key=live.key, pair=live.pair)
    with serve("--chain", live.chain, cert=apart) as site:
        assert served(site) == live.pair.der
        renewed = ((live.key, new.key_pem), (live.cert, new.cert_pem), (live.chain, new.chain_pem))
        for path, data in renewed:
            before = path.stat()
            path.write_bytes(data)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        eventually(lambda: all(_is_served(site, new) for _ in range(12)), PROMISED, what="the new chain")


def _is_served(site: Site, pair: Pair) -> bool:
    """Certificate and chain, as openssl prints what it was sent."""
    sent = openssl_s_client(site.address, site.ca, "-showcerts").output
    return all(block.strip() in sent for block in (pair.cert_pem.decode(), pair.chain_pem.decode()))


def _mismatched(live: Paths, ca: Authority) -> None:
    live.key.write_bytes(key_pem(make_key("ecdsa")))


def _half_written(live: Paths, ca: Authority) -> None:
    whole = ca.leaf().fullchain_pem
    live.fullchain.write_bytes(whole[: len(whole) // 3])


def _cut_between_certificates(live: Paths, ca: Authority) -> None:
    new = ca.leaf()
    live.key.write_bytes(new.key_pem)
    live.fullchain.write_bytes(new.cert_pem)


def _expired(live: Paths, ca: Authority) -> None:
    in_place(live, ca.leaf(not_before=NOW - 9 * DAY, not_after=NOW - DAY))


def _gone(live: Paths, ca: Authority) -> None:
    live.fullchain.unlink()


SPOILERS = [_mismatched, _half_written, _cut_between_certificates, _expired, _gone]


@pytest.mark.representatives
@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_broken_renewal_changes_nothing(
    serve: Serve, ca: Authority, tmp_path: Path, spoil: Callable[[Paths, Authority], None]
) -> None:
    """The last good certificate stays, the reason is said once per process, and the mended file is served."""
    live = ca.leaf().write(tmp_path)
    with serve(cert=live) as site:
        spoil(live, ca)
        site.server.wait_for(lambda: "not reloaded from" in site.server.log(), what="the reason in the log")
        assert all(served(site) == live.pair.der for _ in range(12))
        new = ca.leaf()
        in_place(live, new)
        until_served_by_all(site, new)
        reasons = [line for line in site.server.log().splitlines() if "not reloaded from" in line]
        assert 1 <= len(reasons) <= 2, reasons
        assert "Traceback" not in site.server.log()


def test_status_says_what_is_served_and_what_failed(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """`tlsrun status`: names, serial, fingerprint, end, when and from where, and the last failure with its reason."""
    check_status(serve, ca, tmp_path)


def check_status(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """The same for any server."""
    live = ca.leaf().write(tmp_path)
    with serve(cert=live) as site:

        def status() -> list[dict[str, object]]:
            told = run([sys.executable, "-m", "tlsrun", "status", "--json"])
            found = json.loads(told.stdout)
            return [one for process in found for one in process["certificates"] if _is_of(process, site)]

        (first, *_) = eventually(status, what="a status")
        assert first["names"] == ["localhost", "127.0.0.1", "::1"]
        assert str(live.fullchain) in first["files"]
        assert first["last_error"] is None
        _mismatched(live, ca)
        eventually(lambda: all(one["last_error"] for one in status()), what="the failure in the status")
        told = run([sys.executable, "-m", "tlsrun", "status"])
        assert told.returncode == 1
        assert f"https://127.0.0.1:{site.port}" in told.stdout
        assert "NOT RENEWED" in told.stdout


def _is_of(process: dict[str, object], site: Site) -> bool:
    return process["endpoint"] == f"127.0.0.1:{site.port}"


def test_watching_can_be_turned_off(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """With --no-reload-certificates the files may change, and what was read at the start stays; SIGHUP reads them."""
    check_no_watching(serve, ca, tmp_path)


def check_no_watching(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """The same for any server."""
    live = ca.leaf().write(tmp_path)
    new = ca.leaf()
    with serve("--no-reload-certificates", cert=live) as site:
        by_rename(live, new)
        tick = threading.Event()
        for _ in range(4):
            assert served(site) == live.pair.der
            tick.wait(1)
        site.server.signal(signal.SIGHUP)
        until_served_by_all(site, new, 20)
        _mismatched(live, ca)
        site.server.signal(signal.SIGHUP)
        site.server.wait_for(lambda: "not reloaded, what runs" in site.server.log(), what="the reason in the log")
        until_served_by_all(site, new, 20)


@pytest.mark.representatives
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_outlive_a_rotation(serve: Serve, ca: Authority, tmp_path: Path, version: ssl.TLSVersion) -> None:
    """50 of 50 reconnects resume over all workers, and the same session still does after a rotation."""
    live = ca.leaf().write(tmp_path)
    with serve(cert=live) as site:
        context = client_context(site.ca)
        context.minimum_version = context.maximum_version = version
        session = session_of(site, context)
        assert sum(resumes(site, context, session) for _ in range(50)) == 50
        new = ca.leaf()
        in_place(live, new)
        until_served_by_all(site, new)
        assert sum(resumes(site, context, session) for _ in range(50)) == 50


def session_of(site: Site, context: ssl.SSLContext) -> ssl.SSLSession:
    """A session that a first connection was given."""
    with tls_connect(site.address, None, context=context) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while tls.recv(65536):
            pass
        assert tls.session is not None
        return tls.session


def resumes(site: Site, context: ssl.SSLContext, session: ssl.SSLSession) -> bool:
    """Whether another connection with it is spared the full handshake."""
    with tls_connect(site.address, None, context=context, session=session) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert tls.recv(65536).startswith(b"HTTP/1.1 200")
        return bool(tls.session_reused)


@pytest.mark.soak
@pytest.mark.parametrize("rotations", [24, pytest.param(200, marks=pytest.mark.full)])
def test_rotation_under_load(serve: Serve, ca: Authority, tmp_path: Path, rotations: int) -> None:
    """Every 0.3 s a new one, while 8 clients make new connections as fast as they can: not one request fails."""
    check_under_load(serve, ca, tmp_path, rotations)


def check_under_load(serve: Serve, ca: Authority, tmp_path: Path, rotations: int) -> None:
    """The same for any server; Hypercorn, whose context is that of gunicorn, has fewer to stand."""
    keys = itertools.cycle([make_key("ecdsa"), make_key("ecdsa"), make_key("rsa"), make_key("ecdsa")])
    live = ca.leaf().write(tmp_path)
    with serve(cert=live) as site, _clients(site, 8) as (answered, failures, seen):
        begun = time.monotonic()
        tick = threading.Event()
        rotations = min(rotations, 60) if site.name == "hypercorn" else rotations
        for number in range(rotations):
            (in_place if number % 2 else by_rename)(live, ca.leaf(key=next(keys)))
            tick.wait(max(0.0, begun + (number + 1) * 0.3 - time.monotonic()))
        last = ca.leaf()
        by_rename(live, last)
        until_served_by_all(site, last)
    assert not failures, failures[:5]
    assert len(answered) > rotations
    assert len(seen) > rotations / 20, f"only {len(seen)} certificates were ever served"


@contextlib.contextmanager
def _clients(site: Site, count: int) -> Iterator[tuple[list[int], list[str], set[bytes]]]:
    answered: list[int] = []
    failures: list[str] = []
    seen: set[bytes] = set()
    stop = threading.Event()

    def ask() -> None:
        context = client_context(site.ca)
        while not stop.is_set():
            try:
                answer = https_get(f"https://localhost:{site.port}/", None, address=site.address, context=context)
                answered.append(answer.status)
                seen.add(answer.tls.certificate)
                if answer.status != 200:
                    failures.append(f"status {answer.status}")
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield answered, failures, seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()
