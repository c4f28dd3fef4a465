"""How a site under uWSGI ends: what was asked for is answered, and then all its processes are gone."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.servers.uwsgi.site import Site, in_flight, serving
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
        site.server.until_gone()


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


def test_a_keeper_that_is_killed_in_mid_reload(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Another one hears what comes, and the server serves and stops as ever."""
    with in_flight(localhost_cert, ca_file, tmp_path, 2) as (site, result):
        keeper = re.search(r"spawned uWSGI mule 1 \(pid: (\d+)\)", site.server.log())
        assert keeper is not None
        site.server.signal(signal.SIGHUP)
        site.server.until_logged(f'running "callint:uwsgi_block_signal {signal.SIGHUP:d}" (touch)')
        os.kill(int(keeper[1]), signal.SIGKILL)
        assert result() == 200
        site.server.until_logged(f'running "callint:uwsgi_unblock_signal {signal.SIGHUP:d}" (touch)')
        assert site.get()["pid"] in site.children()
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0
        site.server.until_gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_stop_while_the_program_is_executed_anew(
    number: signal.Signals, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """The reload is ordered, the master waits for a worker, and the keeper has gone: the stop is not lost."""
    options = {"worker-reload-mercy": 2}
    with in_flight(localhost_cert, ca_file, tmp_path, 60, server_options=options) as (site, _):
        site.server.signal(signal.SIGHUP)
        site.server.until_logged("...gracefully killing workers...")
        site.server.signal(number)
        assert site.server.wait() == 0
        site.server.until_gone()


#: What the log says when the new program comes to each of its stages, and what is sent then. SIGTERM only when uWSGI
#: has blocked it: just before that it ignores it, which nobody can change (`tlsrun.servers.uwsgi.signal_block`).
STAGES = {
    "its import": ("binary reloading uWSGI", signal.SIGINT),
    "uWSGI's start": (f'running "callint:uwsgi_block_signal {signal.SIGTERM:d}" (asap)', signal.SIGINT),
    "its signals": (f"[uwsgi-signal] signum {signal.SIGHUP:d} registered", signal.SIGTERM),
    "its application": ("WSGI app 0 ", signal.SIGTERM),
    "its master": ("spawned uWSGI master process", signal.SIGTERM),
    "its workers": ("spawned uWSGI worker 1", signal.SIGTERM),
    "its mules": ("spawned uWSGI mule 1", signal.SIGTERM),
    "its handlers": (f'running "callint:uwsgi_unblock_signal {signal.SIGHUP:d}" (master-start)', signal.SIGTERM),
}


@pytest.mark.representatives
@pytest.mark.parametrize("everybody", [False, True], ids=["master", "group"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_stop_soon_after_the_old_program_has_gone(
    stage: str, everybody: bool, localhost_cert: Paths, ca_file: Path
) -> None:
    """Whatever the new program is at, and whether the master alone is told or every process."""
    words, number = STAGES[stage]

    def has_come_to_it() -> bool:
        _, anew, since = site.server.log().partition("binary reloading uWSGI")
        return words in anew + since

    with serving(localhost_cert, ca_file) as site:
        site.server.signal(signal.SIGHUP)
        site.server.wait_for(has_come_to_it, 30, what=stage)
        if everybody:
            os.killpg(site.server.pid, number)
        else:
            site.server.signal(number)
        assert site.server.wait() == 0
        site.server.until_gone()
