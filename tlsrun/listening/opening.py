"""Opens the listening sockets, and removes the files of Unix sockets at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
from collections.abc import Iterator, Sequence
from types import TracebackType

from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.handover import is_trial
from tlsrun.listening import kept
from tlsrun.listening.address import Listener, Place, UnixSocket, spell, takes_both_families
from tlsrun.listening.inherited import place_of
from tlsrun.listening.probing import is_alive
from tlsrun.system import is_unix, who_listens

#: The backlog of each socket of the redirect port (listen(2)).
_REDIRECT_BACKLOG = 512


class Listening:
    """The listening sockets of one server; a context manager.

    Arguments:
        listeners: their addresses, with a port chosen by the system filled in.
        sockets: in the same order.
        files: the Unix sockets' files that were created: path -> device and inode.
    """

    def __init__(
        self, listeners: Sequence[Listener], sockets: Sequence[socket.socket], files: dict[str, tuple[int, int]]
    ) -> None:
        self.listeners = tuple(listeners)
        self.sockets = tuple(sockets)
        self._files = files
        self._maker = os.getpid()

    def __enter__(self) -> Listening:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets in this process; in the process that created them, also remove their files."""
        self.remove_files()
        for sock in self.sockets:
            sock.close()

    def remove_files(self) -> None:
        """Remove the Unix sockets' files, unless another server has replaced them since."""
        if os.getpid() != self._maker:
            return
        # Once, and before the sockets are closed: later another server's file may be there, with the same inode.
        files, self._files = self._files, {}
        for path, identity in files.items():
            with contextlib.suppress(OSError):
                if _identity(path) == identity:
                    os.unlink(path)


def adopt(sockets: Sequence[socket.socket], listeners: Sequence[Listener]) -> Listening:
    """Wrap sockets that another process opened for this one, and whose files that process removes.

    Arguments:
        listeners: their addresses, as far as this process knows.
    """
    if len(listeners) != len(sockets):
        return Listening([Listener(place=place_of(sock)) for sock in sockets], sockets, {})
    settled = [
        Listener(place=_settled(listener.place, sock), descriptor=listener.descriptor)
        for listener, sock in zip(listeners, sockets, strict=True)
    ]
    return Listening(settled, sockets, {})


def open_all(
    listeners: Sequence[Listener], *, backlog: int, where: str = "address", several: bool = False
) -> Listening:
    """Listen on all places, or on none; after a reload, with the sockets that were left open.

    Arguments:
        backlog: of each socket (listen(2)).
        where: the setting's name in messages.
        several: whether more sockets of this user may listen at the same ports, each for a part of the connections
            (SO_REUSEPORT, socket(7)).

    Raises:
        ConfigurationError: one of them cannot be had.
    """
    opened: list[socket.socket] = []
    files: dict[str, tuple[int, int]] = {}
    settled = []
    places = [listener.place for listener in listeners]
    try:
        for listener in listeners:
            try:
                sock = _taken(listener, files, backlog, several) or _open(listener, places, files, backlog, several)
            except (OSError, LookupError, ValueError, OverflowError) as error:
                raise _refused(listener.place, error, where) from error
            opened.append(sock)
            settled.append(Listener(place=_settled(listener.place, sock), descriptor=listener.descriptor))
    except BaseException:
        Listening(settled, opened, files).close()
        raise
    return Listening(settled, opened, files)


def open_redirecting(listeners: Sequence[Listener]) -> Listening:
    """As `open_all`, for the port that redirects plain HTTP to https."""
    return open_all(listeners, backlog=_REDIRECT_BACKLOG, where="redirect_port")


def _refused(place: Place, error: Exception, where: str) -> ConfigurationError:
    number = getattr(error, "errno", None)
    what = f"it cannot be bound: {os.strerror(number) if number and number > 0 else error}"
    if isinstance(place, UnixSocket):
        remedy = (
            f"Choose another path, mode or owner, or stop what listens there (`{who_listens(place.path)}` shows what)"
        )
    else:
        remedy = f"Stop what holds it (`{who_listens(place.port)}` shows what), or choose another"
    return ConfigurationError.of(where=f"{where} ({spell(place)})", what=what, remedy=remedy, code="TLS211")


def _taken(listener: Listener, files: dict[str, tuple[int, int]], backlog: int, several: bool) -> socket.socket | None:
    """The socket for this place that the previous program left open."""
    found = kept.take(listener)
    if found is None:
        return None
    if several and not isinstance(listener.place, UnixSocket) and listener.descriptor is None:
        # Linux looks at it when the next one is bound.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if is_trial():
        return found
    if listener.descriptor is not None:
        return prepared(found)
    found.listen(backlog)
    if isinstance(listener.place, UnixSocket):
        with contextlib.suppress(OSError):
            files[listener.place.path] = _identity(listener.place.path)
    return prepared(found)


def _open(
    listener: Listener, places: Sequence[Place], files: dict[str, tuple[int, int]], backlog: int, several: bool
) -> socket.socket:
    place = listener.place
    if listener.descriptor is not None:
        made = socket.socket(fileno=listener.descriptor)
        made.set_inheritable(False)
    elif isinstance(place, UnixSocket):
        made = _open_unix(place, files, backlog)
    elif is_trial():
        made = _bound(place, several)
    else:
        both = takes_both_families(place, places) and socket.has_dualstack_ipv6()
        made = socket.create_server(
            (place.host, place.port), family=place.family, backlog=backlog, reuse_port=several, dualstack_ipv6=both
        )
    return prepared(made)


def _bound(place: Endpoint, several: bool) -> socket.socket:
    """For a trial: bound, which shows whether the address can be had, and not listening. Beside sockets that listen at
    the same port it would be given its part of the connections, and they would be lost with it."""
    made = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if several:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if place.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((place.host, place.port))
    except BaseException:
        made.close()
        raise
    return made


def prepared(sock: socket.socket) -> socket.socket:
    """The socket, with the options that a server wants."""
    if is_unix(sock):
        return sock
    # Accepted sockets inherit it (tcp(7)): small answers are sent at once. asyncio sets it only where proto is TCP.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return socket.socket(sock.family, sock.type, socket.IPPROTO_TCP, fileno=sock.detach())


def _open_unix(place: UnixSocket, files: dict[str, tuple[int, int]], backlog: int) -> socket.socket:
    with _alone_in(os.path.dirname(place.path) or "."):
        return _replace_dead(place, files, backlog)


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """No other server makes or replaces a socket in this folder meanwhile: between its bind(2) and listen(2) it would
    seem to be a dead one."""
    import fcntl  # where there are Unix sockets, there is this

    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # a folder that is writable, but not readable
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace_dead(place: UnixSocket, files: dict[str, tuple[int, int]], backlog: int) -> socket.socket:
    """Bound with nobody's rights, then given its own: at no moment may somebody connect who shall not."""
    if os.path.lexists(place.path) and not is_alive(place.path) and _is_socket(place.path):
        os.unlink(place.path)  # left by a server that was killed
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o777)
        try:
            sock.bind(place.path)
        finally:
            os.umask(before)
        files[place.path] = _identity(place.path)
        if place.owner is not None or place.group is not None:
            _change_owner(place)
        os.chmod(place.path, place.mode)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_socket(path: str) -> bool:
    return stat.S_ISSOCK(os.stat(path, follow_symlinks=False).st_mode)


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path, follow_symlinks=False)
    return found.st_dev, found.st_ino


def _change_owner(place: UnixSocket) -> None:
    if place.owner is not None:
        shutil.chown(place.path, user=_number(place.owner))
    if place.group is not None:
        shutil.chown(place.path, group=_number(place.group))


def _number(name: str) -> str | int:
    return int(name) if name.isdigit() else name


def _settled(place: Place, sock: socket.socket) -> Place:
    """The listener with the port that the system chose."""
    if isinstance(place, Endpoint) and not is_unix(sock):
        return Endpoint(host=place.host, port=int(sock.getsockname()[1]))
    return place_of(sock) if isinstance(place, Endpoint) else place
