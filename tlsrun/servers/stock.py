"""A server started by its own command, behind a front that terminates TLS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tlsrun.wsgi.chunked import for_bottle

#: Returns an argument list. Arguments: the virtual environment's folder; the path of a Unix socket, or ``host:port``;
#: the number of processes; threads in each.
Command = Callable[[str, str, int, int], list[str]]

Application = Callable[..., Any]

#: What all of these commands serve: the application named by TLSRUN_APP, wrapped in tlsrun's middleware.
ENTRY = "tlsrun.entry:application"


def for_framework(application: Application, framework: str) -> Application:
    """Wrap ``application`` with what its framework needs on every server."""
    return for_bottle(application) if framework == "bottle" else application


@dataclass(frozen=True, kw_only=True)
class StockCommand:
    """A server started by its own command.

    Arguments:
        command: returns the command that serves over plain HTTP.
        module: a module that is imported only if the server runs this process.
        around: wraps the application of a framework (``flask``, ``bottle``, ``wsgi``) to work around the server's bugs.
        takes_sockets: whether it supports socket activation by systemd.
        notifies: whether it sends READY=1 to systemd.
        mixes_up_underscores: whether it treats a header ``X_Forwarded_For`` as ``X-Forwarded-For``.
    """

    command: Command
    module: str
    around: Callable[[Application, str], Application] = for_framework
    takes_sockets: bool = False
    notifies: bool = False
    mixes_up_underscores: bool = False
