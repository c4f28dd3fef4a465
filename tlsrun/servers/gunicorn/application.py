"""gunicorn embedded: its application, configuration and arbiter, with one TLS context made before any fork."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.sock import TCP6Socket

from tlsrun.connections.shares import Shares
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError
from tlsrun.listening.kept import close_others
from tlsrun.listening.opening import Listening, adopt, open_redirecting
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.gunicorn.arbiter import Readiness, ReloadingArbiter
from tlsrun.servers.gunicorn.body import with_bodies
from tlsrun.servers.gunicorn.sockets import remove_files

#: Where a program that SIGUSR2 started finds the redirect port's sockets, as it finds the others in GUNICORN_FD.
_REDIRECT_FDS = "GUNICORN_REDIRECT_FDS"

_ENDS_A_WORKER = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


class TLSConfig(Config):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's settings, with TLS on although it is given no certificate files to read."""

    @property
    def is_ssl(self) -> bool:
        """Always true: the TLS context is ours, and gunicorn sees no certificate files."""
        return True

    @property
    def worker_class_str(self) -> str:
        """The worker class under gunicorn's own name, for its log."""
        worker: str = self.worker_class.__mro__[1].__module__.rpartition(".")[2]
        return worker


class TLS6Socket(TCP6Socket):  # type: ignore[misc]  # gunicorn ships no types
    """An IPv6 listening socket that is logged as https."""

    def __str__(self) -> str:
        host, port, *_ = self.sock.getsockname()
        return f"https://[{host}]:{port}"


class TLSArbiter(ReloadingArbiter):
    """The master process, with fixes: IPv6 listeners are logged as https, SIGUSR2 keeps the redirect port, a worker
    that is told to stop while it starts does stop, and Unix sockets of others are not removed."""

    _listeners: list[Any] = []

    @property
    def LISTENERS(self) -> list[Any]:
        """The listening sockets."""
        return self._listeners

    @LISTENERS.setter
    def LISTENERS(self, listeners: list[Any]) -> None:
        for one in listeners:
            if type(one) is TCP6Socket:
                one.__class__ = TLS6Socket
        self._listeners = listeners

    def spawn_worker(self) -> None:
        """Fork with the signals that end a worker held back; `HTTPSApplication.wsgi` lets them through.

        A worker inherits the master's handlers. Until it has its own they would swallow the signal, and the master
        would wait out its graceful timeout.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS_A_WORKER)
        try:
            super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS_A_WORKER)

    def reexec(self) -> None:
        """SIGUSR2: start the program again beside this one; gunicorn hands over the listening sockets that it knows."""
        for sock in self.app.redirecting.sockets:
            sock.set_inheritable(True)
        self.cfg.env_orig[_REDIRECT_FDS] = ",".join(str(sock.fileno()) for sock in self.app.redirecting.sockets)
        super().reexec()

    def stop(self, graceful: bool = True) -> None:
        """As gunicorn's, which would also remove Unix sockets that belong to systemd."""
        # The master that received SIGUSR2 may be gone before this one has noticed (`maybe_promote_master`).
        is_last = not self.reexec_pid and not (self.master_pid and self.master_pid == os.getppid())
        if is_last:
            # While we still listen there: later the file may be another server's.
            remove_files(self.app.plan)
        self.systemd = True  # the inherited method asks it for this alone
        super().stop(graceful)

    def _handed_over(self) -> Iterable[socket.socket]:
        return [*super()._handed_over(), *self.app.redirecting.sockets]


class HTTPSApplication(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """The live application object, its certificates, and gunicorn's settings.

    As a BaseApplication it reads neither ``gunicorn.conf.py`` nor ``GUNICORN_CMD_ARGS``: settings come from the
    plan alone.

    Arguments:
        plan: what was decided.
        application: the WSGI callable.
        settings: gunicorn's settings, checked.

    Attributes:
        certificates: made here, in the master; the workers inherit its context, and with it the ticket keys.
        background: started in each worker.
        redirecting: the sockets of the plain-HTTP port.
        readiness: how a worker says that it serves.
    """

    def __init__(self, plan: Plan, application: Callable[..., Any], settings: Mapping[str, Any]) -> None:
        self.plan = plan
        self.application = with_bodies(application, plan.framework)
        self.settings = settings
        self.certificates = certificates_of(plan)
        self.shares = Shares(plan.workers)
        self.redirecting = _redirecting(plan)
        close_others()
        self.readiness = Readiness()
        self.background = BackgroundServices(plan, self.certificates, redirect=self.redirecting.sockets)
        super().__init__()

    def load_default_config(self) -> None:
        """gunicorn's own defaults."""
        self.cfg = TLSConfig(self.usage, prog=self.prog)

    def load_config(self) -> None:
        """Apply our settings and the user's."""
        for name, value in self.settings.items():
            self.cfg.set(name, value)
        self.cfg.set("ssl_context", lambda _config, _default: self.certificates.context)

    def load(self) -> Callable[..., Any]:
        """The live application object; nothing is imported."""
        return self.application

    def wsgi(self) -> Callable[..., Any]:
        """What a worker serves; called once its signal handlers are in place."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS_A_WORKER)
        return super().wsgi()  # type: ignore[no-any-return]

    def reload(self) -> None:
        """SIGHUP where the program cannot be executed again: the master, which accepts no connections itself, reads the
        certificates for the workers that it forks next."""
        self.certificates.reload()
        super().reload()

    def run(self) -> None:
        """Serve until told to stop; leaves by SystemExit, in the master as in the workers."""
        try:
            TLSArbiter(self).run()
        except RuntimeError as error:
            where = "gunicorn's settings (server_options)"
            raise ConfigurationError.of(where=where, what=str(error), remedy="Correct them") from error


def _redirecting(plan: Plan) -> Listening:
    numbers = [int(number) for number in os.environ.pop(_REDIRECT_FDS, "").split(",") if number]
    if numbers and plan.redirect_port is not None:
        return adopt([socket.socket(fileno=number) for number in numbers], plan.redirect_listeners)
    return open_redirecting(plan.redirect_listeners)


def exit_code(application: BaseApplication) -> int:
    """Run, and return the master's exit code; a worker's SystemExit passes through, as under gunicorn itself."""
    master = os.getpid()
    try:
        application.run()
    except SystemExit as leaving:
        if os.getpid() != master:
            raise
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0
