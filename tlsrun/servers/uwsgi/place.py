"""What outlives a reload, in which uWSGI executes this interpreter again: the sockets and a private folder.

The listening sockets are ours and not uWSGI's (``--shared-socket``), which cannot find one for IPv6 again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlsrun.errors import ConfigurationError
from tlsrun.files import make_private_folder
from tlsrun.listening.address import Listener, UnixSocket
from tlsrun.listening.kept import take_from
from tlsrun.listening.opening import Listening, adopt, open_all, prepared
from tlsrun.started import UWSGI_RELOADS

#: ``<pid>:<descriptor>,<descriptor>:<folder>`` in the environment. A process keeps its number over exec(2), which tells
#: it from a program that a worker starts: that inherits the variable too.
_VARIABLE = "_TLSRUN_UWSGI"
_PREFIX = "tlsrun-uwsgi-"
_WORKERS = "workers"
_BLOCK_RELOAD, _BLOCK_STOP, _UNBLOCK = "block-reload", "block-stop", "unblock"
#: Characters of a folder in which a Unix socket can still be made (unix(7): 108; 104 on macOS), less what we add.
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder and sockets of one server.

    Arguments:
        listening: takes HTTPS connections.
        redirecting: takes plain HTTP, for the redirect port.
        folder: private, and kept as long as the server runs.
    """

    listening: Listening
    redirecting: Listening
    folder: Path

    @property
    def upstream(self) -> str:
        """The workers' Unix socket."""
        return str(self.folder / _WORKERS)

    @property
    def block_reload_file(self) -> str:
        """A file: touching it has the master block SIGHUP (`SignalBlock`)."""
        return str(self.folder / _BLOCK_RELOAD)

    @property
    def block_stop_file(self) -> str:
        """A file: touching it has the master block the signals that stop it."""
        return str(self.folder / _BLOCK_STOP)

    @property
    def unblock_file(self) -> str:
        """A file: touching it has the master unblock all of them."""
        return str(self.folder / _UNBLOCK)

    @property
    def descriptors(self) -> list[int]:
        """The descriptors that must stay open when the interpreter is executed again."""
        return [sock.fileno() for sock in (*self.listening.sockets, *self.redirecting.sockets)]

    def remove_files(self) -> None:
        """Remove the files of Unix sockets while we still listen there: later they may be another server's."""
        for listener in self.listening.listeners:
            if isinstance(listener.place, UnixSocket) and listener.descriptor is None:
                with contextlib.suppress(OSError):
                    os.unlink(listener.place.path)

    def remove(self) -> None:
        """Remove the folder, once no process needs it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def settle(
    listeners: Sequence[Listener],
    redirecting: Sequence[Listener] = (),
    *,
    backlog: int,
    user: Any = None,
    group: Any = None,
) -> Place:
    """Open what this server needs, or take over after a reload what it had.

    Arguments:
        listeners: where to take HTTPS connections.
        redirecting: where to take plain HTTP.
        backlog: connections that may wait.
        user, group: names or numbers of the account that the processes will run as; None for the present one.

    Raises:
        ConfigurationError: an address cannot be listened on, or there is no such user or group.
    """
    folder, inherited = _inherited()
    if folder is None:
        os.environ.pop(UWSGI_RELOADS, None)
    home = make_private_folder(folder) if folder else _make_folder(user, group)
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, home, ignore_errors=True)
        place = Place(
            listening=_listening(listeners, inherited, backlog, "address", undo),
            redirecting=_listening(redirecting, inherited, backlog, "redirect_port", undo),
            folder=home,
        )
        _touch(home)
        undo.pop_all()
    for sock in inherited:  # sockets that the settings no longer ask for
        sock.close()
    os.environ[_VARIABLE] = f"{os.getpid()}:{','.join(map(str, place.descriptors))}:{place.folder}"
    return place


def _inherited() -> tuple[Path | None, list[socket.socket]]:
    """The folder and the listening sockets of this process before its reload."""
    pid, _, rest = os.environ.get(_VARIABLE, "").partition(":")
    descriptors, _, folder = rest.partition(":")
    if UWSGI_RELOADS not in os.environ or pid != str(os.getpid()):
        return None, []
    found = []
    for descriptor in descriptors.split(","):
        with contextlib.suppress(OSError, ValueError):
            found.append(socket.socket(fileno=int(descriptor)))
    return Path(folder), found


def _listening(
    listeners: Sequence[Listener], inherited: list[socket.socket], backlog: int, where: str, undo: contextlib.ExitStack
) -> Listening:
    """Open the sockets that are missing; those that are there are taken out of ``inherited``."""
    taken = [_taken(inherited, listener) for listener in listeners]
    missing = [listener for listener, sock in zip(listeners, taken, strict=True) if sock is None]
    opened = iter(undo.enter_context(open_all(missing, backlog=backlog, where=where)).sockets)
    listening = adopt([sock or next(opened) for sock in taken], listeners)
    for sock in listening.sockets:
        sock.set_inheritable(True)
    return listening


def _taken(inherited: list[socket.socket], listener: Listener) -> socket.socket | None:
    found = take_from(inherited, listener)
    return None if found is None else prepared(found)


def _make_folder(user: Any, group: Any) -> Path:
    try:
        parent = tempfile.gettempdir()
        if len(parent) > _LONGEST or " " in parent:  # a space ends the name of a file in uWSGI's hooks
            parent = "/tmp"  # noqa: S108
        _sweep(Path(parent))
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    except OSError as error:
        what = f"no private folder can be made for the workers' socket: {error}"
        remedy = "Set TMPDIR to a folder that this user may write"
        raise ConfigurationError.of(where="uwsgi", what=what, remedy=remedy) from error
    if user is not None or group is not None:
        try:
            for path in (made, *_touch(made)):
                shutil.chown(path, _number(user), _number(group))
        except (LookupError, OSError) as error:
            shutil.rmtree(made)
            where = "server_options, uWSGI's uid and gid"
            raise ConfigurationError.of(where=where, what=str(error), remedy="Correct them") from error
    return made


def _touch(folder: Path) -> list[Path]:
    """Create the files that the control mule touches, and return their paths."""
    paths = [folder / name for name in (_BLOCK_RELOAD, _BLOCK_STOP, _UNBLOCK)]
    for path in paths:
        path.touch(mode=0o600)
    return paths


def _sweep(parent: Path) -> None:
    """Remove what killed servers left: folders of this user with a socket on which nobody listens."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            if folder.stat().st_uid == os.getuid():
                probe.setblocking(False)
                try:
                    probe.connect(str(folder / _WORKERS))
                except ConnectionRefusedError:
                    shutil.rmtree(folder)


def _number(name: Any) -> Any:
    return int(name) if str(name).isdigit() else name
