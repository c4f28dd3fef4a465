"""Sockets that were opened before this process began, and what is told to who opened them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.listening.address import Listener, UnixSocket
from tlsrun.listening.finding import find_listeners
from tlsrun.listening.inherited import handed_over, keep, listener_of
from tlsrun.listening.notify import READY, Watchdog, notify, watchdog_interval

OTHERWISE = Endpoint(host="127.0.0.1", port=5000)


def systemd(number: object, names: str | None = None, pid: int | None = None) -> dict[str, str]:
    """What systemd puts into the environment."""
    found = {"LISTEN_PID": str(os.getpid() if pid is None else pid), "LISTEN_FDS": str(number)}
    return found if names is None else {**found, "LISTEN_FDNAMES": names}


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        (systemd(1), {3: "unknown"}),
        (systemd(2, "web:admin"), {3: "web", 4: "admin"}),
        (systemd(2, "web"), {3: "web", 4: "unknown"}),
        (systemd(1, pid=1), {}),
        (systemd("many"), {}),
        (systemd(0), {}),
    ],
)
def test_handed_over(environ: dict[str, str], found: dict[int, str]) -> None:
    """To this process, and to no other that inherits the variables."""
    assert handed_over(environ) == found
    keep(environ)
    assert not [name for name in environ if name.startswith("LISTEN_")]
    assert handed_over(environ) == found


def test_what_a_descriptor_is(tmp_path: Path) -> None:
    """A listening TCP or Unix socket; anything else is refused with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        place = Endpoint(host="127.0.0.1", port=tcp.getsockname()[1])
        assert listener_of(tcp.fileno()) == Listener(place=place, descriptor=tcp.fileno())
        unix.bind(str(tmp_path / "s"))
        with pytest.raises(ValueError, match="Accept=no"):
            listener_of(unix.fileno())
        unix.listen()
        assert listener_of(unix.fileno()).place == UnixSocket(path=str(tmp_path / "s"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, pytest.raises(ValueError, match="no stream socket"):
        listener_of(udp.fileno())
    with open(os.devnull) as file, pytest.raises(ValueError, match="is no socket"):
        listener_of(file.fileno())
    with pytest.raises(ValueError, match="is no socket"):
        listener_of(999)


def test_without_systemd() -> None:
    """Host and port, unless ``bind`` says otherwise; sockets that are asked for and not there are an error."""
    assert find_listeners((), OTHERWISE, where="bind") == (Listener(place=OTHERWISE),)
    (found,) = find_listeners(("unix:relative.sock",), OTHERWISE, where="bind")
    assert found.place == UnixSocket(path=os.path.abspath("relative.sock"))
    with pytest.raises(ConfigurationError, match="systemd handed over no socket"):
        find_listeners(("systemd",), OTHERWISE, where="bind")
    assert find_listeners(("systemd",), OTHERWISE, where="bind", elsewhere=True) == ()


def test_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that systemd did not hand over is said, with those that it did."""
    for name, value in systemd(1, "web").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="no socket of the name admin, only web"):
        find_listeners(("systemd:admin",), OTHERWISE, where="bind")


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_notify(kind: str, tmp_path: Path) -> None:
    """One datagram to where systemd listens."""
    name = str(tmp_path / "notify") if kind == "path" else f"@tlsrun-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if kind == "abstract" else name)
        manager.settimeout(5)
        assert notify(READY, {"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("name", ["", "relative", "/no/such/socket"])
def test_nobody_listens(name: str) -> None:
    """A server goes on without who wanted to know."""
    assert not notify(READY, {"NOTIFY_SOCKET": name})


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "2000000", "NOTIFY_SOCKET": "/a"}, 1.0),
        ({"WATCHDOG_USEC": "2000000", "NOTIFY_SOCKET": "/a", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "2000000", "NOTIFY_SOCKET": "/a", "WATCHDOG_PID": str(os.getpid())}, 1.0),
        ({"WATCHDOG_USEC": "2000000"}, None),
        ({"WATCHDOG_USEC": "soon", "NOTIFY_SOCKET": "/a"}, None),
    ],
)
def test_signs_of_life(environ: dict[str, str], interval: float | None) -> None:
    """Twice in systemd's patience, and only from the process that is watched."""
    assert watchdog_interval(environ) == interval


def test_nothing_waits_longer_than_the_watchdog() -> None:
    """Who waits for something else is there in time."""
    assert Watchdog(0.5).within(10) == 0.25
    assert Watchdog(20).within(10) == 10
