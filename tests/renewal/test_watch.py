"""The thread that sees when certificate files change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.renewal.test_reload import der
from tests.support.certs import DAY, NOW, Authority, Paths
from tests.support.clients import Address
from tests.support.process import eventually
from tests.tls.serving import certificates, link, served
from tlsrun.renewal.expiry_log import ExpiryLog
from tlsrun.renewal.reload import Certificates, Status
from tlsrun.renewal.watch import Watcher


@pytest.fixture
def paths(ca: Authority, tmp_path: Path) -> Paths:
    """A certificate of this test alone."""
    return ca.leaf().write(tmp_path / "plain")


@pytest.fixture
def live(ca: Authority, tmp_path: Path) -> Paths:
    """certbot's layout: live/ holds links into archive/."""
    first = ca.leaf().write(tmp_path / "archive1")
    (tmp_path / "live").mkdir()
    for path in (first.fullchain, first.key):
        link(path, tmp_path / "live" / path.name)
    folder = tmp_path / "live"
    return Paths(
        fullchain=folder / "fullchain.pem",
        cert=first.cert,
        chain=first.chain,
        key=folder / "privkey.pem",
        pair=first.pair,
    )


@pytest.fixture
def watched(live: Paths) -> Iterator[Address]:
    """A server whose files are watched, twenty looks a second."""
    serving = certificates(live)
    watcher = Watcher(serving, interval=0.05)
    watcher.start()
    with served(serving.context) as address:
        yield address
    watcher.stop()


def test_serves_what_certbot_renewed(ca: Authority, live: Paths, watched: Address, tmp_path: Path) -> None:
    """Links that are turned to a new pair, one after the other, are followed."""
    second = ca.leaf().write(tmp_path / "archive2")
    link(second.fullchain, live.fullchain)
    link(second.key, live.key)
    eventually(lambda: der(watched) == second.pair.der)


def test_serves_what_was_written_in_place(ca: Authority, live: Paths, watched: Address) -> None:
    """Files that are written over are read again."""
    pair = ca.leaf()
    live.fullchain.write_bytes(pair.fullchain_pem)
    live.key.write_bytes(pair.key_pem)
    eventually(lambda: der(watched) == pair.der)


def test_kubernetes_swap(ca: Authority, tmp_path: Path) -> None:
    """A folder link that is turned over shows a new pair, though the names in it are links that stay."""
    versions = [ca.leaf().write(tmp_path / f"..{number}") for number in (1, 2)]
    link(tmp_path / "..1", tmp_path / "..data")
    for name in ("fullchain.pem", "privkey.pem"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    paths = Paths(
        fullchain=tmp_path / "fullchain.pem", cert=versions[0].cert, chain=versions[0].chain,
        key=tmp_path / "privkey.pem", pair=versions[0].pair,
    )  # fmt: skip
    serving = certificates(paths)
    watcher = Watcher(serving, interval=0.05)
    watcher.start()
    with served(serving.context) as address:
        link(tmp_path / "..2", tmp_path / "..data")
        eventually(lambda: der(address) == versions[1].pair.der)
    watcher.stop()


def test_the_default_interval_is_in_time(ca: Authority, live: Paths) -> None:
    """With one look each second a change is served within five."""
    serving = certificates(live)
    watcher = Watcher(serving)
    watcher.start()
    with served(serving.context) as address:
        pair = ca.leaf()
        live.fullchain.write_bytes(pair.fullchain_pem)
        live.key.write_bytes(pair.key_pem)
        eventually(lambda: der(address) == pair.der, 5)
    watcher.stop()


def test_goes_on_after_an_error(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """A failure inside, at the start too, is logged, and the next look is taken."""
    reports = []

    def report(status: tuple[Status, ...]) -> None:
        reports.append(status)
        raise OSError("disk full")

    watcher = Watcher(certificates(paths), interval=0.01, report=report)
    watcher.start()
    eventually(lambda: len(reports) >= 2)
    watcher.stop()
    assert "looking for new certificates failed: OSError: disk full" in caplog.text
    assert "Traceback" not in caplog.text


def test_reports_what_is_served(ca: Authority, paths: Paths) -> None:
    """The status is told at the start, and again only when it has changed."""
    reports: list[tuple[Status, ...]] = []
    # Two looks find both files as they are; a shorter time might find one of them alone.
    watcher = Watcher(certificates(paths), interval=0.3, report=reports.append)
    watcher.start()
    eventually(lambda: len(reports) == 1)
    pair = ca.leaf().write(paths.key.parent).pair
    eventually(lambda: len(reports) == 2)
    watcher.stop()
    served_serials = [int(status[0].serial.replace(":", ""), 16) for status in reports]
    assert served_serials == [one.certificate.serial_number for one in (paths.pair, pair)]


def test_looks_at_the_clock_where_it_follows_no_files(
    ca: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With --no-reload-certificates, too, a certificate does not expire in silence; and nothing is read."""
    old = ca.leaf(not_before=NOW - 90 * DAY, not_after=NOW + DAY).write(tmp_path)
    serving = certificates(old)
    watcher = Watcher(serving, interval=0.01, expiry=ExpiryLog(), follows=False)
    ca.leaf().write(tmp_path)
    watcher.start()
    eventually(lambda: "expires in" in caplog.text)
    watcher.stop()
    assert serving.current()[0].certificate == old.pair.certificate


def test_costs_one_stat_for_each_file(live: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at files that did not change asks for their status, and opens nothing."""
    serving: Certificates = certificates(live)
    real, asked = os.stat, []

    def counted(path: Path) -> os.stat_result:
        asked.append(path)
        return real(path)

    monkeypatch.setattr("tlsrun.tls.origin.os.stat", counted)
    monkeypatch.setattr("tlsrun.tls.origin._digest", lambda files: pytest.fail("opened"))
    serving.reload_changed()
    assert asked == [live.fullchain, live.key]
