"""The working folder and the environment of this program at its start, before the application changes them; and which
environment variables say that it was started again in place.

`tlsrun` imports it before anything else, for that reason.
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

#: In the environment of what Werkzeug's reloader has started, and the descriptor of the socket that it was given.
WERKZEUG_CHILD = "WERKZEUG_RUN_MAIN"
WERKZEUG_SOCKET = "WERKZEUG_SERVER_FD"
#: The same of Bottle's reloader, which gives none.
BOTTLE_CHILD = "BOTTLE_CHILD"
#: uWSGI's own after it has executed itself anew; any uWSGI that finds it takes itself for a reloaded one.
UWSGI_RELOADS = "UWSGI_RELOADS"
#: The sockets of a gunicorn that was executed anew, or by SIGUSR2.
GUNICORN_SOCKETS = "GUNICORN_FD"


def in_place() -> bool:
    """Whether one like it ran just before, by a reloader or a server's own re-execution, and said its banner."""
    return any(name in os.environ for name in (WERKZEUG_CHILD, UWSGI_RELOADS, GUNICORN_SOCKETS))


def with_sockets() -> bool:
    """Whether that one has the port, and handed it on."""
    return any(name in os.environ for name in (WERKZEUG_SOCKET, UWSGI_RELOADS, GUNICORN_SOCKETS))
