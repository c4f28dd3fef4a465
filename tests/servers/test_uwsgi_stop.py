"""How a site under uWSGI ends: what was asked for is answered, and then all its processes are gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.servers.uwsgi_site import Site, in_flight, serving
from tests.support.certs import Paths
from tests.support.clients import tls_connect
from tests.support.process import eventually


@pytest.mark.parametrize("everybody", [False, True], ids=["master", "group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_request_in_flight_is_answered(
    number: signal.Signals, everybody: bool, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """Whether the master alone is told, or every process as by Ctrl-C: the answer is whole, the exit code 0."""
    with in_flight(localhost_cert, ca_file, tmp_path, 1.5, workers=2) as (site, result):
        if everybody:
            os.killpg(site.server.pid, number)
        else:
            site.server.signal(number)
        assert result() == 200
        assert site.server.wait() == 0
        assert not site.server.members()


def test_who_comes_late_is_refused(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """While requests in flight finish, new connections are refused, and do not wait for nothing."""
    with in_flight(localhost_cert, ca_file, tmp_path, 3) as (site, result):
        site.server.signal(signal.SIGTERM)
        eventually(lambda: _refused(site))
        assert site.server.process.poll() is None  # it is at the request
        assert result() == 200
        assert site.server.wait() == 0


def _refused(site: Site) -> bool:
    try:
        tls_connect(site.address, site.ca, timeout=0.2).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def test_mercy_ends(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A request that takes longer than uWSGI's ``worker-reload-mercy`` is cut off, and the server ends."""
    options = {"worker-reload-mercy": 1}
    with in_flight(localhost_cert, ca_file, tmp_path, 60, server_options=options) as (site, result):
        began = time.monotonic()
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0
        assert 0.9 < time.monotonic() - began < 10
        assert result() != 200


def test_a_second_ctrl_c_hurries(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Who presses Ctrl-C again after a second does not want to wait."""
    with in_flight(localhost_cert, ca_file, tmp_path, 60) as (site, result):
        os.killpg(site.server.pid, signal.SIGINT)
        threading.Event().wait(1.2)
        os.killpg(site.server.pid, signal.SIGINT)
        assert site.server.wait(20) == 0
        assert result() != 200


def test_a_stop_during_a_reload_stops(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """SIGTERM after SIGHUP is not lost while the edges drain."""
    with in_flight(localhost_cert, ca_file, tmp_path, 2.5) as (site, result):
        site.server.signal(signal.SIGHUP)
        threading.Event().wait(0.3)
        site.server.signal(signal.SIGTERM)
        assert result() == 200
        assert site.server.wait() == 0
        assert "binary reloading" not in site.server.log()


def test_a_stop_soon_after_a_reload(localhost_cert: Paths, ca_file: Path) -> None:
    """The new program has just got its handlers."""
    handlers = f'running "callint:uwsgi_unblock_signal {signal.SIGHUP:d}" (master-start)'

    def has_them() -> bool:
        _, anew, since = site.server.log().partition("binary reloading uWSGI")
        return handlers in anew + since

    with serving(localhost_cert, ca_file) as site:
        site.server.signal(signal.SIGHUP)
        site.server.wait_for(has_them, 30, what="the new program's handlers")
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0
        assert not site.server.members()
