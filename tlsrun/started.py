"""The working folder and the environment at the program's start, and the variables that tell whether it was restarted.

`tlsrun` imports this before anything else, before the application can change them.
"""

import contextlib
import os

#: The working folder at the first import, before an application changes it; None if it was removed.
FOLDER: str | None = None
with contextlib.suppress(OSError):
    FOLDER = os.getcwd()

#: The environment at the start, as the kernel keeps it (proc_pid_environ(5)), before a .env file was loaded or it was
#: changed otherwise; b"" without /proc.
ENVIRONMENT = b""
with contextlib.suppress(OSError), open("/proc/self/environ", "rb") as _file:
    ENVIRONMENT = _file.read()

#: Werkzeug's reloader sets these for the process that it starts; the second names the socket's descriptor.
WERKZEUG_CHILD = "WERKZEUG_RUN_MAIN"
WERKZEUG_SOCKET = "WERKZEUG_SERVER_FD"
#: The same for Bottle's reloader, which passes no socket on.
BOTTLE_CHILD = "BOTTLE_CHILD"
#: Set by uWSGI when it executes itself again; any uWSGI that finds it believes it was reloaded.
UWSGI_RELOADS = "UWSGI_RELOADS"
#: The sockets of a gunicorn that was executed again, or started by SIGUSR2.
GUNICORN_SOCKETS = "GUNICORN_FD"


def in_place() -> bool:
    """Whether this is a restart by a reloader or a server's own re-execution: the banner was printed already."""
    return any(name in os.environ for name in (WERKZEUG_CHILD, UWSGI_RELOADS, GUNICORN_SOCKETS))


def with_sockets() -> bool:
    """Whether the program before the restart handed its listening sockets on."""
    return any(name in os.environ for name in (WERKZEUG_SOCKET, UWSGI_RELOADS, GUNICORN_SOCKETS))
