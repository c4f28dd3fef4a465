"""A server started by its own command, behind a front that ends TLS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tlsrun.wsgi.chunked import for_bottle

#: The words of a command. Arguments: the virtual environment's folder; the path of a Unix socket, or ``host:port``;
#: processes; threads of each.
Command = Callable[[str, str, int, int], list[str]]

Application = Callable[..., Any]

#: What every one of them serves: the application that TLSRUN_APP names, with what tlsrun puts around it.
ENTRY = "tlsrun.entry:application"


def for_framework(application: Application, framework: str) -> Application:
    """What a framework needs of every server."""
    return for_bottle(application) if framework == "bottle" else application


@dataclass(frozen=True, kw_only=True)
class StockCommand:
    """The server by its own command.

    Arguments:
        command: that serves over plain HTTP.
        module: what is imported while it runs, and only then.
        around: what mends its own ways, around the application of a framework (``flask``, ``bottle``, ``wsgi``).
        takes_sockets: whether it takes sockets that systemd has opened.
        notifies: whether it tells systemd that it serves.
        mixes_up_underscores: whether it takes a header ``X_Forwarded_For`` for ``X-Forwarded-For``.
    """

    command: Command
    module: str
    around: Callable[[Application, str], Application] = for_framework
    takes_sockets: bool = False
    notifies: bool = False
    mixes_up_underscores: bool = False
