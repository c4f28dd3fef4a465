"""What gunicorn opens itself, and what it is handed: an owner and a mode for each Unix socket it does not know."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from tlsrun.deciding.plan import Plan
from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import UnixSocket
from tlsrun.listening.inherited import keep
from tlsrun.listening.kept import is_kept
from tlsrun.listening.opening import open_all
from tlsrun.started import GUNICORN_SOCKETS

#: Where a program that SIGUSR2 started finds its sockets; the master before it serves on.


def are_handed_over() -> bool:
    """Whether the sockets came from the master that received SIGUSR2. Call it before gunicorn takes them."""
    return GUNICORN_SOCKETS in os.environ


def prepare(plan: Plan, bind: Sequence[str], *, backlog: int) -> tuple[Plan, list[str]]:
    """The plan, with the places that are open now, and the value of gunicorn's ``bind``.

    Arguments:
        bind: addresses that gunicorn could bind itself, as it does one.

    Raises:
        ConfigurationError: one of several places cannot be had.
    """
    keep()  # gunicorn takes all sockets of systemd, whatever it was told to bind
    first, *others = plan.listeners
    simple = not others and first.descriptor is None and isinstance(first.place, Endpoint)
    simple = simple and not is_kept(first.place)
    if simple or are_handed_over():
        return plan, list(bind)
    listening = open_all(plan.listeners, backlog=backlog)
    return plan.settled(listening), [f"fd://{sock.detach()}" for sock in listening.sockets]


def remove_files(plan: Plan) -> None:
    """Remove the Unix sockets that were made for this server, by this process or by the one before SIGUSR2."""
    for listener in plan.listening:
        if isinstance(listener.place, UnixSocket) and listener.descriptor is None:
            with contextlib.suppress(OSError):
                os.unlink(listener.place.path)
