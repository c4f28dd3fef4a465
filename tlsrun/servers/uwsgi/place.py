"""What is the same before and after a reload, for which uWSGI executes this interpreter anew: sockets and a folder.

The listening sockets are ours and not uWSGI's (``--shared-socket``), which cannot find one for IPv6 again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tlsrun import STARTED_IN
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.files import make_private_folder

#: ``<pid>:<descriptor>,<descriptor>:<folder>`` in the environment. A process keeps its number over exec(2), which tells
#: it from a program that a worker starts: that inherits the variable too.
_VARIABLE = "_TLSRUN_UWSGI"
#: uWSGI's own, for the same; any uWSGI that finds it takes itself for a reloaded one.
_RELOADS = "UWSGI_RELOADS"
_PREFIX = "tlsrun-uwsgi-"
_WORKERS = "workers"
#: Characters of a folder in which a Unix socket can still be made (unix(7): 108; 104 on macOS), less what we add.
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one server lives.

    Arguments:
        listener: takes HTTPS connections.
        redirect: takes plain HTTP, for the redirect port; None without one.
        folder: private, and there as long as the server is.
    """

    listener: socket.socket
    redirect: socket.socket | None
    folder: Path

    @property
    def port(self) -> int:
        """The port that `listener` is bound to."""
        return int(self.listener.getsockname()[1])

    @property
    def upstream(self) -> str:
        """The workers' Unix socket."""
        return str(self.folder / _WORKERS)

    @property
    def descriptors(self) -> list[int]:
        """What must stay open when the interpreter is executed anew."""
        return [sock.fileno() for sock in (self.listener, self.redirect) if sock is not None]

    def remove(self) -> None:
        """Remove the folder, after the last process that needs it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def settle(
    endpoint: Endpoint, redirect_port: int | None, *, backlog: int, user: Any = None, group: Any = None
) -> Place:
    """Open what this server needs, or take over after a reload what it had.

    Arguments:
        backlog: connections that may wait.
        user, group: names or numbers of whom the processes will run as; None for who they are now.

    Raises:
        ConfigurationError: an address cannot be listened on, or there is no such user or group.
    """
    folder, inherited = _inherited()
    if folder is None:
        os.environ.pop(_RELOADS, None)
    place = Place(
        listener=_take(inherited, endpoint) or _listen(endpoint, backlog),
        redirect=None
        if redirect_port is None
        else _take(inherited, replace(endpoint, port=redirect_port))
        or _listen(replace(endpoint, port=redirect_port), backlog),
        folder=make_private_folder(folder) if folder else _make_folder(user, group),
    )
    for sock in inherited.values():  # what the settings no longer ask for
        sock.close()
    os.environ[_VARIABLE] = f"{os.getpid()}:{','.join(map(str, place.descriptors))}:{place.folder}"
    return place


def start_folder() -> str:
    """The working folder in which this program was started; there the words of its command line mean what they say.

    The application may have left it since (``os.chdir`` at import).
    """
    main = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    script = _relative_script()
    if script and main.endswith(os.sep + script):
        return main[: -len(script) - 1] or os.sep
    if "-m" in sys.orig_argv and os.path.isabs(sys.path[0]) and main.startswith(sys.path[0] + os.sep):
        return sys.path[0]
    return STARTED_IN or os.getcwd()


def _inherited() -> tuple[Path | None, dict[tuple[str, int], socket.socket]]:
    """The folder and the listening sockets, by the endpoint they were made for, of this process before its reload."""
    pid, _, rest = os.environ.get(_VARIABLE, "").partition(":")
    descriptors, _, folder = rest.partition(":")
    if _RELOADS not in os.environ or pid != str(os.getpid()):
        return None, {}
    found = {}
    for descriptor in descriptors.split(","):
        with contextlib.suppress(OSError, ValueError):
            sock = socket.socket(fileno=int(descriptor))
            found[sock.getsockname()[:2]] = sock
    return Path(folder), found


def _take(inherited: dict[tuple[str, int], socket.socket], endpoint: Endpoint) -> socket.socket | None:
    """The socket that listens on ``endpoint`` already; for port 0, the first one of that host."""
    host = _numeric(endpoint)
    for address in inherited:
        if address[0] == host and endpoint.port in (0, address[1]):
            return _tcp(inherited.pop(address))
    return None


def _listen(endpoint: Endpoint, backlog: int) -> socket.socket:
    both = endpoint.host == "::" and socket.has_dualstack_ipv6()
    try:
        made = socket.create_server(
            (endpoint.host, endpoint.port), family=endpoint.family, backlog=backlog, dualstack_ipv6=both
        )
    except OSError as error:
        remedy = "Choose another port or host"
        raise ConfigurationError([
            Problem(where=endpoint.authority, what=f"cannot be listened on: {error.strerror or error}", remedy=remedy)
        ]) from error
    made.set_inheritable(True)
    return _tcp(made)


def _tcp(sock: socket.socket) -> socket.socket:
    """The same, saying that its protocol is TCP: asyncio sends small answers at once only then (TCP_NODELAY)."""
    return socket.socket(sock.family, sock.type, socket.IPPROTO_TCP, fileno=sock.detach())


def _numeric(endpoint: Endpoint) -> str:
    if not endpoint.host:
        return "0.0.0.0"  # noqa: S104 -- what bind(2) makes of no host
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(endpoint.host, endpoint.port, endpoint.family, socket.SOCK_STREAM)
        return str(found[0][4][0])
    return endpoint.host


def _make_folder(user: Any, group: Any) -> Path:
    parent = tempfile.gettempdir()
    if len(parent) > _LONGEST:
        parent = "/tmp"  # noqa: S108
    _sweep(Path(parent))
    made = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    if user is not None or group is not None:
        try:
            shutil.chown(made, _number(user), _number(group))
        except (LookupError, OSError) as error:
            os.rmdir(made)
            where = "server_options, uWSGI's uid and gid"
            raise ConfigurationError([Problem(where=where, what=str(error), remedy="Correct them")]) from error
    return Path(made)


def _sweep(parent: Path) -> None:
    """Remove what servers left that were killed: folders of this user with a socket on which nobody listens."""
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


def _relative_script() -> str | None:
    """The script as it stands on the command line, when it is named by a relative path (python(1))."""
    words = sys.orig_argv[1:]
    while words and words[0].startswith("-"):
        if words[0] in ("-m", "-c", "-"):
            return None
        words = words[2:] if words[0] in ("-W", "-X") else words[1:]
    return words[0] if words and not os.path.isabs(words[0]) else None
