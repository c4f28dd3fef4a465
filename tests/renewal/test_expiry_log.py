"""What the log says of certificates that near their end, once for all processes of a server."""

from __future__ import annotations

import datetime
import logging
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.certs import DAY, NOW, Authority, Paths
from tests.tls.serving import certificates, sources
from tlsrun.renewal.expiry_log import ExpiryLog
from tlsrun.renewal.reload import Certificates, identity_origin
from tlsrun.renewal.status import Status
from tlsrun.tls.policy import Policy


@pytest.fixture
def paths(ca: Authority, tmp_path: Path) -> Paths:
    """A certificate with 90 days, 30 of them left."""
    return ca.leaf(not_before=NOW - 60 * DAY).write(tmp_path)


def said(log: ExpiryLog, now: datetime.datetime, caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """What is said at a look at that moment."""
    caplog.clear()
    log.look(now)
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_words(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """Which certificate, from which files, when it ends, what to do; an error from the end on, each day."""
    log, end = ExpiryLog(), NOW + 30 * DAY
    (status,) = certificates(paths).status()
    log.heed([status])
    name = f"the certificate for localhost, 127.0.0.1, ::1 ({paths.fullchain}, {paths.key})"
    assert said(log, NOW - DAY, caplog) == []
    when = f"{end:%Y-%m-%d %H:%M} UTC"
    assert said(log, NOW, caplog) == [
        (logging.WARNING, f"{name} expires in 30 days, on {when}: renew it (certbot: certbot renew)")
    ]
    assert said(log, NOW + DAY, caplog) == []
    # The days between were slept through: the latest stage is told, alone.
    ((level, line),) = said(log, NOW + 29.5 * DAY, caplog)
    assert (level, "expires in 12 hours" in line) == (logging.WARNING, True)
    ((level, line),) = said(log, end + datetime.timedelta(seconds=1), caplog)
    assert level == logging.ERROR
    assert line == f"{name} expired on {when}, 1 second ago, and clients refuse it: renew it (certbot: certbot renew)"
    assert said(log, end + 0.9 * DAY, caplog) == []
    assert "expired on" in said(log, end + DAY, caplog)[0][1]
    log.heed([replace(status, last_error="key gone", fingerprint="another")])
    assert said(log, NOW + 29.5 * DAY, caplog)[0][1].endswith(": the new one is not served: key gone")


def test_a_new_certificate_begins_anew(ca: Authority, paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """What was said of the old one is not what is to be said of the new one."""
    log, serving = ExpiryLog(), certificates(paths)
    log.heed(serving.status())
    assert len(said(log, NOW, caplog)) == 1
    ca.leaf(not_before=NOW - 60 * DAY, not_after=NOW + 40 * DAY).write(paths.key.parent)
    serving.reload()
    log.heed(serving.status())
    assert said(log, NOW + 9 * DAY, caplog) == []
    assert len(said(log, NOW + 10 * DAY, caplog)) == 1


def test_the_issuer_counts_where_it_ends_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Clients refuse the certificate with it."""
    authority = Authority("short", intermediates=1, ends=[NOW + 10 * DAY])
    log, serving = ExpiryLog(), certificates(authority.leaf().write(tmp_path))
    log.heed(serving.status())
    ((_, line),) = said(log, NOW + 5 * DAY, caplog)
    assert line.startswith("the issuer CN=short intermediate 1, sent with the certificate for localhost")
    assert "expires in 5 days" in line


def test_a_development_certificate(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """The next start renews it from 30 days on: what is said comes later, and says so."""
    log, serving = ExpiryLog(), Certificates([identity_origin(sources(paths), renewed=30 * DAY)], Policy())
    log.heed(serving.status())
    assert said(log, NOW, caplog) == []
    assert said(log, NOW + 24 * DAY, caplog)[0][1].endswith("start this server again, and a new one is made")


def _look(log: ExpiryLog, served: list[Status], go: object, count: object) -> None:
    handler = logging.Handler()
    handler.emit = lambda record: count.release()  # type: ignore[attr-defined,method-assign]
    logging.getLogger("tlsrun.expiry").addHandler(handler)
    log.heed(served)
    go.wait()  # type: ignore[attr-defined]
    log.look(NOW)
    log.look(NOW + 31 * DAY)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_once_for_all_processes(paths: Paths) -> None:
    """Four workers that look at the same moment, and one that is forked later, say each thing once in all."""
    log, served = ExpiryLog(), list(certificates(paths).status())
    forking = multiprocessing.get_context("fork")
    go, count = forking.Barrier(4), forking.Semaphore(0)
    workers = [forking.Process(target=_look, args=(log, served, go, count)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    late = forking.Process(target=_look, args=(log, served, forking.Barrier(1), count))
    late.start()
    late.join(20)
    assert [worker.exitcode for worker in (*workers, late)] == [0] * 5
    assert [count.acquire(block=False) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("left", [b'{"half', bytes(40), b"[1]"])
def test_a_process_that_was_killed_while_it_wrote(paths: Paths, caplog: pytest.LogCaptureFixture, left: bytes) -> None:
    """The others say the thing perhaps twice, and go on: what is due later is said once."""
    log = ExpiryLog()
    assert log._board is not None
    os.pwrite(log._board, left, 0)
    log.heed(certificates(paths).status())
    assert len(said(log, NOW, caplog)) == 1
    assert len(said(log, NOW + 24 * DAY, caplog)) == 1
    log.heed(certificates(paths).status())
    assert said(log, NOW + 24 * DAY, caplog) == []


def test_it_costs_nothing_between(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a thousand certificates of which nothing is due is a comparison."""
    log = ExpiryLog()
    log.heed(certificates(paths).status() * 1000)
    log.look(NOW - DAY)
    monkeypatch.setattr(Status, "term", property(lambda status: pytest.fail("looked at")))
    log.look(NOW - 0.5 * DAY)
