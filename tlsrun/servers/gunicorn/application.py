"""gunicorn embedded: its application, configuration and arbiter, with one TLS context made before any fork."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.sock import TCP6Socket

from tlsrun.errors import ConfigurationError, Problem
from tlsrun.plan import Plan
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.duties import Duties
from tlsrun.tls.redirect import bind

#: Where a program that SIGUSR2 started finds the redirect port's socket, as it finds the others in GUNICORN_FD.
_REDIRECT_FD = "GUNICORN_REDIRECT_FD"

_ENDS_A_WORKER = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


class TLSConfig(Config):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's settings; TLS is on without files of gunicorn's own to read."""

    @property
    def is_ssl(self) -> bool:
        """Always."""
        return True

    @property
    def worker_class_str(self) -> str:
        """The worker class under gunicorn's own name, for its log."""
        worker: str = self.worker_class.__mro__[1].__module__.rpartition(".")[2]
        return worker


class TLS6Socket(TCP6Socket):  # type: ignore[misc]  # gunicorn ships no types
    """A listening socket for IPv6 that calls itself https."""

    def __str__(self) -> str:
        host, port, *_ = self.sock.getsockname()
        return f"https://[{host}]:{port}"


class TLSArbiter(Arbiter):  # type: ignore[misc]  # gunicorn ships no types
    """The master process, with three mends: an IPv6 listener is not called http, SIGUSR2 keeps the redirect port, and
    a worker that is told to stop while it starts does."""

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
        """SIGUSR2: run the program anew beside this one; gunicorn hands over the listening sockets that it knows."""
        sock = self.app.redirect_socket
        if sock is not None:
            sock.set_inheritable(True)
            self.cfg.env_orig[_REDIRECT_FD] = str(sock.fileno())
        super().reexec()


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
        duties: what each worker starts.
        redirect_socket: of the plain-HTTP port; None without.
    """

    def __init__(self, plan: Plan, application: Callable[..., Any], settings: Mapping[str, Any]) -> None:
        self.plan = plan
        self.application = application
        self.settings = settings
        self.certificates = certificates_of(plan)
        self.redirect_socket = _redirect_socket(plan)
        self.duties = Duties(plan, self.certificates, redirect_socket=self.redirect_socket)
        super().__init__()

    def load_default_config(self) -> None:
        """gunicorn's own defaults."""
        self.cfg = TLSConfig(self.usage, prog=self.prog)

    def load_config(self) -> None:
        """Ours and the user's."""
        for name, value in self.settings.items():
            self.cfg.set(name, value)
        self.cfg.set("ssl_context", lambda _config, _default: self.certificates.context)

    def load(self) -> Callable[..., Any]:
        """The object itself; nothing is imported."""
        return self.application

    def wsgi(self) -> Callable[..., Any]:
        """What a worker serves; called once its signal handlers are in place."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS_A_WORKER)
        return super().wsgi()  # type: ignore[no-any-return]

    def reload(self) -> None:
        """SIGHUP: the master, which shakes no hands, reads the certificates for the workers that it forks next."""
        self.certificates.reload()
        super().reload()

    def run(self) -> None:
        """Serve until told to stop; leaves by SystemExit, in the master as in the workers."""
        try:
            TLSArbiter(self).run()
        except RuntimeError as error:
            where = "gunicorn's settings (server_options)"
            raise ConfigurationError([Problem(where=where, what=str(error), remedy="Correct them")]) from error


def _redirect_socket(plan: Plan) -> socket.socket | None:
    inherited = os.environ.pop(_REDIRECT_FD, None)
    if plan.redirect_port is None:
        return None
    if inherited is not None:
        return socket.socket(fileno=int(inherited))
    return bind(plan.endpoint.host, plan.redirect_port)


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
