"""uWSGI's command line from a plan and the user's options."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError
from tlsrun.reloading.program import start_folder
from tlsrun.servers.uwsgi import entry, service
from tlsrun.servers.uwsgi.options import items, where
from tlsrun.servers.uwsgi.place import Place
from tlsrun.servers.uwsgi.shell import make_shell

#: Option -> value: True is a flag, a tuple stands on the command line once for each item.
Options: TypeAlias = Mapping[str, Any]

_THREADS = 4
_SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


def _backlog() -> int:
    """The listen backlog; uWSGI does not start with more than the system allows (listen(2))."""
    try:
        return min(1024, int(_SOMAXCONN.read_text()))
    except (OSError, ValueError):
        return 100


#: Defaults that a user's option of the same name replaces.
_DEFAULTS: Options = {
    "buffer-size": 65535,  # the protocol's maximum (uwsgi-docs, "The uwsgi Protocol")
    "max-vars": 256,  # an edge accepts 100 headers, and adds variables of its own
    "socket-timeout": 70,  # for a worker waiting for a body; the edge's own deadline is shorter
    "worker-reload-mercy": 30,
    "mule-reload-mercy": 60,
    "disable-logging": True,
    "listen": _backlog(),
}

#: Options whose presence says that requests are to be logged.
_LOGS_REQUESTS = frozenset(("log-format", "logformat", "req-logger", "logger-req", "log-req-route"))

_ENTRY = entry.__name__


def command_line(plan: Plan, place: Place, options: Options, *, edges: int) -> list[str]:
    """The words for ``pyuwsgi.run``.

    Arguments:
        options: the user's, checked.
        edges: how many mules end TLS.
    """
    users = {name: value for name, value in options.items() if name != "enable-threads"}
    # uWSGI's own touch-reload would end workers and edges at the same moment; this reloads as SIGHUP does.
    reload = f"callint:uwsgi_route_signal {int(service.RELOAD)}"
    touched = [f"{path} {reload}" for path in items(users.pop("touch-reload", None))]
    if _LOGS_REQUESTS & users.keys():
        users.setdefault("disable-logging", False)
    defaults = {name: value for name, value in _DEFAULTS.items() if name not in users}
    touched += [f"{place.block_reload_file} {word}" for word in _each("uwsgi_block_signal", service.RELOAD)]
    touched += [f"{place.block_stop_file} {word}" for word in _each("uwsgi_block_signal", *service.STOP)]
    touched += [f"{place.unblock_file} {word}" for word in _each("uwsgi_unblock_signal", service.RELOAD, *service.STOP)]
    shell = make_shell(place.folder, [str(path) for path in items(users.pop("binsh", None))])
    groups: tuple[Options, ...] = (_ours(plan, place, edges), defaults, {"hook-touch": touched, "binsh": shell}, users)
    return [word for group in groups for word in _words(group)]


def number(options: Options, name: str) -> int:
    """The user's whole number, or our default for it.

    Raises:
        ConfigurationError: it is something else.
    """
    value = options.get(name, _DEFAULTS[name])
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        what = f"{value!r} is no whole number"
        raise ConfigurationError.of(where=where(name), what=what, remedy="Correct the value") from error


def _ours(plan: Plan, place: Place, edges: int) -> Options:
    return {
        "master": True,
        "single-interpreter": True,
        "need-app": True,
        "die-on-term": True,
        "strict": True,
        "enable-threads": True,
        "no-orphans": True,
        # The interpreter that it would find itself is the one outside of a virtual environment.
        "binary-path": sys.executable,
        "force-cwd": start_folder(),
        "workers": plan.workers,
        "threads": plan.threads or _THREADS,
        "module": f"{_ENTRY}:application()",
        "socket": place.upstream,
        "safe-fd": tuple(place.descriptors),
        "mule": (f"{_ENTRY}:control", *[f"{_ENTRY}:edge"] * edges),
        # See `tlsrun.servers.uwsgi.signal_block`.
        "hook-asap": _each("uwsgi_block_signal", *service.STOP, service.RELOAD),
        "hook-master-start": (
            *(f"unix_signal:{int(one)} uwsgi_route_signal" for one in (*service.STOP, service.RELOAD)),
            f"unix_signal:{int(service.STOP_NOW)} kill_them_all",
            f"unix_signal:{int(service.RELOAD_NOW)} grace_them_all",
            # Wakes it when a child ends; it would otherwise look once a second.
            f"unix_signal:{int(signal.SIGCHLD)} worker_wakeup",
            # From here on they are delivered.
            *_each("uwsgi_unblock_signal", *service.STOP, service.RELOAD),
        ),
        # A terminal and a service manager send these to all processes; a worker ends when the control mule says so.
        # It says so by SIGHUP, which was blocked if it was forked meanwhile, and is heard now that it has a handler.
        "hook-accepting": (
            *(f"unix_signal:{int(one)} worker_wakeup" for one in service.STOP),
            f"callint:uwsgi_unblock_signal {int(service.RELOAD)}",
        ),
    }


def _each(function: str, *numbers: signal.Signals) -> tuple[str, ...]:
    """uWSGI's hooks that call a function of its own with each of these numbers."""
    return tuple(f"callint:{function} {int(number)}" for number in numbers)


def _words(options: Options) -> Iterator[str]:
    for name, value in options.items():
        for item in items(value):
            yield f"--{name}" if item is True else f"--{name}={item}"
