"""What in this process is incompatible with servers: threads that run before a fork, and monkey patches."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

from tlsrun.errors import Problem

#: Modules that servers use. A patch of others (`time`, a database driver) does no harm.
_MADE_OF = frozenset(("socket", "ssl", "select", "thread", "threading", "os", "signal", "subprocess"))


def other_threads() -> tuple[str, ...]:
    """The names of all threads but the main one; they do not exist in a forked process."""
    main = threading.main_thread()
    return tuple(thread.name for thread in threading.enumerate() if thread is not main)


def patch_problem() -> Problem | None:
    """The problem if gevent or eventlet has replaced Python's threads and sockets, and what to do.

    The servers' classes are derived from Python's when they are imported, and do not work with the replacements: an
    SSLContext recurses when it sets an option, a lock is of another kind. Nothing is imported to find out.
    """
    for library, call, names, other in (
        ("gevent", "gevent.monkey.patch_all()", _by_gevent(), "gunicorn -k gevent tlsrun.entry:application"),
        ("eventlet", "eventlet.monkey_patch()", _by_eventlet(), "eventlet.wsgi.server(…, tlsrun.entry.application)"),
    ):
        found = sorted(_MADE_OF.intersection(names))
        if found:
            what = (
                f"{call} has replaced {', '.join(found)} in this process, and the servers here are made of Python's own"
            )
            remedy = (
                f"Leave that out, for here each request has a thread; or, behind a front that ends TLS, run: {other}"
            )
            return Problem(where=library, what=what, remedy=remedy, code="TLS516")
    return None


def _by_gevent() -> Iterable[str]:
    monkey: Any = sys.modules.get("gevent.monkey")
    return tuple(getattr(monkey, "saved", ()))


def _by_eventlet() -> Iterable[str]:
    patcher: Any = sys.modules.get("eventlet.patcher")
    return tuple(getattr(patcher, "already_patched", ()))
