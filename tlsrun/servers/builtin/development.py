"""Werkzeug's reloader and debugger, for development."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.optional import require
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.builtin.lifecycle import RELOAD_GRACE, start, stop
from tlsrun.servers.builtin.options import BuiltinOptions
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.signals import StopSignals
from tlsrun.started import WERKZEUG_CHILD, WERKZEUG_SOCKET
from tlsrun.system import FORKS

_log = logging.getLogger("tlsrun.builtin")

#: The descriptors that Werkzeug's own variable (`WERKZEUG_SOCKET`) does not name.
_MORE_SOCKETS = "TLSRUN_MORE_FDS"
_REDIRECT_SOCKETS = "TLSRUN_REDIRECT_FDS"

_START_AGAIN = 3  # the exit code of a child that noticed a change


def is_child() -> bool:
    """Whether this process was started by the reloader and serves."""
    return os.environ.get(WERKZEUG_CHILD) == "true"


def serves_by_itself() -> bool:
    """Whether this is such a process and must open the sockets itself, since it cannot inherit them."""
    return is_child() and not FORKS


def inherited() -> tuple[list[socket.socket], list[socket.socket]] | None:
    """The sockets that the reloader keeps open over restarts: the server's, and the redirect port's.

    None in a process that the reloader did not start.
    """
    first = _taken_over(WERKZEUG_SOCKET)
    return (first + _taken_over(_MORE_SOCKETS), _taken_over(_REDIRECT_SOCKETS)) if first else None


def _taken_over(variable: str) -> list[socket.socket]:
    numbers = os.environ.get(variable, "") if is_child() else ""
    try:
        found = [socket.socket(fileno=int(number)) for number in numbers.split(",") if number]
    except OSError:
        # A program started by the application: it has inherited the variables, but not the sockets.
        return []
    for sock in found:
        # Programs that the application starts must not hold the port.
        sock.set_inheritable(False)
    return found


def run_children(sockets: Sequence[socket.socket], redirect: Sequence[socket.socket]) -> int:
    """Run this program as a child that serves, and again whenever it notices a change; the sockets stay open.

    On Windows children cannot inherit sockets by number; each opens its own, and these must be closed before.

    Returns:
        the exit code of the last child.
    """
    # Werkzeug's variable holds one descriptor.
    given = {WERKZEUG_SOCKET: sockets[:1], _MORE_SOCKETS: sockets[1:], _REDIRECT_SOCKETS: redirect}
    environ = {**os.environ, WERKZEUG_CHILD: "true"} | {
        name: ",".join(str(sock.fileno()) for sock in socks) for name, socks in given.items()
    }
    descriptors = [sock.fileno() for sock in (*sockets, *redirect)]
    if not FORKS:
        environ, descriptors = {**os.environ, WERKZEUG_CHILD: "true"}, []
    command = [sys.executable, *sys.orig_argv[1:]]
    children: list[subprocess.Popen[bytes]] = []

    def pass_on() -> None:
        # Ctrl-C in a terminal reaches the child, too.
        if signals.last == signal.SIGTERM:
            for child in children:
                child.terminate()

    with StopSignals(pass_on) as signals:
        while True:
            with subprocess.Popen(command, env=environ, pass_fds=descriptors) as child:  # noqa: S603 -- itself
                children[:] = [child]
                if signals.last is not None:
                    child.terminate()
                code = _wait(child)
            if code != _START_AGAIN or signals.last is not None:
                return code


def _wait(child: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # The second Ctrl-C, which the child got, too.
            continue


def serve_watched(server: BuiltinServer, background: BackgroundServices, plan: Plan, options: BuiltinOptions) -> int:
    """Serve, in the child, until a source file changes or a signal arrives.

    Returns:
        the exit code that tells `run_children` what to do.
    """
    reloader = require("werkzeug._reloader", extra="flask", wanted_by="the reloader")
    loop = reloader.reloader_loops[options.reloader_type](
        extra_files=plan.development.extra_files,
        exclude_patterns=plan.development.exclude_patterns,
        interval=options.reloader_interval,
    )
    reloader.ensure_echo_on()
    grace, code = options.grace, 0
    if not server.work.concurrent:
        # The main thread runs the reloader.
        threading.Thread(target=server.work.attend, daemon=True).start()
    with StopSignals(_leave):
        try:
            with loop:
                start(server, background)
                loop.run()
        except SystemExit as leaving:
            # The loop exits so when a file has changed.
            code = leaving.code if isinstance(leaving.code, int) else 1
            grace = min(grace, RELOAD_GRACE)
        except (_Stop, KeyboardInterrupt):
            code = 0
        try:
            stop(server, background, grace)
        except (_Stop, KeyboardInterrupt):
            stop(server, background, 0)
    return code


class _Stop(BaseException):
    """A signal; a BaseException, since the loop may catch Exception."""


def _leave() -> None:
    raise _Stop


def with_debugger(application: Callable[..., Any], plan: Plan, options: BuiltinOptions) -> Callable[..., Any]:
    """The application inside Werkzeug's debugger."""
    debug = require("werkzeug.debug", extra="flask", wanted_by="the debugger")
    debugged = debug.DebuggedApplication(application, evalex=options.evalex)
    debugged.trusted_hosts.append(plan.endpoint.host)
    if not is_child() and debugged.pin is not None:
        # Werkzeug itself logs it in the reloader's child only.
        _log.info("the debugger's PIN is %s", debugged.pin)
    wrapped: Callable[..., Any] = debugged
    return wrapped
