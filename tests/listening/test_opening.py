"""Sockets that are opened, and the files that are left behind, or not."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clients import free_port
from tests.support.process import ROOT
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.listening.address import Listener, Place, UnixSocket
from tlsrun.listening.opening import adopt, open_all
from tlsrun.listening.probing import probe

HERE = "127.0.0.1"


def listener(place: Place) -> Listener:
    """A place of our own."""
    return Listener(place=place)


def test_several_at_once(tmp_path: Path) -> None:
    """Each listens, and says which port the system chose."""
    places = [Endpoint(host=HERE, port=0), Endpoint(host="::1", port=0), UnixSocket(path=str(tmp_path / "s"))]
    with open_all([listener(place) for place in places], backlog=5) as listening:
        for found, sock in zip(listening.listeners, listening.sockets, strict=True):
            with socket.socket(sock.family) as client:
                if isinstance(found.place, UnixSocket):
                    client.connect(found.place.path)
                else:
                    assert found.place.port
                    client.connect((found.place.host, found.place.port))
    assert os.listdir(tmp_path) == []


def test_none_when_one_cannot_be_had(tmp_path: Path) -> None:
    """What was opened before is closed again, and its file removed."""
    port = free_port()
    with socket.create_server((HERE, port)):
        places: list[Place] = [UnixSocket(path=str(tmp_path / "s")), Endpoint(host=HERE, port=port)]
        with pytest.raises(ConfigurationError, match=rf"{HERE}:{port}\): it cannot be bound: Address already"):
            open_all([listener(place) for place in places], backlog=5)
    assert os.listdir(tmp_path) == []


def test_both_wildcards_on_one_port() -> None:
    """IPv6 leaves IPv4 to the socket of its own."""
    port = free_port()
    places = [Endpoint(host="0.0.0.0", port=port), Endpoint(host="::", port=port)]  # noqa: S104
    with open_all([listener(place) for place in places], backlog=5) as listening:
        assert len(listening.sockets) == 2
        assert [probe(place, places) for place in places] == [errno.EADDRINUSE] * 2
    assert [probe(place, places) for place in places] == [None, None]


def test_mode_and_group(tmp_path: Path) -> None:
    """They are the file's, whatever the umask; by default nobody else may connect."""
    path = tmp_path / "s"
    with open_all([listener(UnixSocket(path=str(path)))], backlog=5):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    place = UnixSocket(path=str(path), mode=0o606, owner=str(os.getuid()), group=str(os.getgid()))
    with open_all([listener(place)], backlog=5):
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o606, os.getuid(), os.getgid())


@pytest.mark.parametrize("owner", ["nobody-has-this-name", "99999999999"])
def test_an_unknown_owner(owner: str, tmp_path: Path) -> None:
    """One clear line, and nothing is left."""
    with pytest.raises(ConfigurationError, match="it cannot be bound"):
        open_all([listener(UnixSocket(path=str(tmp_path / "s"), owner=owner))], backlog=5)
    assert os.listdir(tmp_path) == []


def test_the_socket_of_a_killed_server(tmp_path: Path) -> None:
    """Its file is in nobody's way; that of a living one, and any other file, is not touched."""
    path = tmp_path / "s"
    place = UnixSocket(path=str(path))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert probe(place) is None
    with open_all([listener(place)], backlog=5):
        assert probe(place) == errno.EADDRINUSE
        with pytest.raises(ConfigurationError, match="Address already in use"):
            open_all([listener(place)], backlog=5)
        assert probe(place) == errno.EADDRINUSE
    path.write_text("a letter")
    assert probe(place) == errno.EEXIST
    with pytest.raises(ConfigurationError):
        open_all([listener(place)], backlog=5)
    assert path.read_text() == "a letter"


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_other_sockets_are_alive_too(kind: int, tmp_path: Path) -> None:
    """One that takes datagrams refuses a stream, and is nobody's to replace."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, kind) as log:
        log.bind(str(path))
        if kind == socket.SOCK_SEQPACKET:
            log.listen()
        assert probe(UnixSocket(path=str(path))) == errno.EADDRINUSE
        with pytest.raises(ConfigurationError, match="Address already in use"):
            open_all([listener(UnixSocket(path=str(path)))], backlog=5)
        assert path.exists()


_RACE = """
import sys
from tlsrun.errors import ConfigurationError
from tlsrun.listening.address import Listener, UnixSocket
from tlsrun.listening.opening import open_all
sys.stdin.read(1)
try:
    listening = open_all([Listener(place=UnixSocket(path=sys.argv[1]))], backlog=5)
except ConfigurationError:
    print("refused", flush=True)
else:
    print("bound", flush=True)
sys.stdin.read()
"""


def test_two_that_start_at_once(tmp_path: Path) -> None:
    """One of them gets the place of a dead server, the other hears that it is taken."""
    path = tmp_path / "s"
    for _ in range(5):
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        words = [sys.executable, "-c", _RACE, str(path)]
        started = [
            subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for one in started:
            assert one.stdin is not None
            one.stdin.write("x")
            one.stdin.flush()
        said = []
        for one in started:
            assert one.stdout is not None
            said.append(one.stdout.readline().strip())
        for one in started:
            one.communicate()
        assert sorted(said) == ["bound", "refused"]


def test_another_servers_file_stays(tmp_path: Path) -> None:
    """Who ends late does not take away the socket of who came after."""
    path = tmp_path / "s"
    first = open_all([listener(UnixSocket(path=str(path)))], backlog=5)
    first.remove_files()
    with open_all([listener(UnixSocket(path=str(path)))], backlog=5):
        first.close()
        assert path.exists()
    assert not path.exists()


def test_what_was_adopted_is_not_removed(tmp_path: Path) -> None:
    """Its file belongs to who opened it."""
    path = tmp_path / "s"
    with open_all([listener(UnixSocket(path=str(path)))], backlog=5) as listening:
        adopt([sock.dup() for sock in listening.sockets], listening.listeners).close()
        assert path.exists()


@pytest.mark.parametrize(
    ("place", "number"),
    [
        (Endpoint(host="192.0.2.1", port=0), errno.EADDRNOTAVAIL),
        (Endpoint(host="no-such-host.invalid", port=0), errno.EADDRNOTAVAIL),
        (UnixSocket(path="/no/such/folder/s"), errno.ENOENT),
    ],
)
def test_what_cannot_be_bound(place: Place, number: int) -> None:
    """It is known before anything is started."""
    assert probe(place) == number
    with pytest.raises(ConfigurationError):
        open_all([listener(place)], backlog=5)
