"""HTTPS for Flask and Bottle: one TLS configuration, any server."""

import contextlib
import os

__version__ = "0.1.0"

#: The working folder at the first import, before an application leaves it; None when it was removed.
STARTED_IN: str | None = None
with contextlib.suppress(OSError):
    STARTED_IN = os.getcwd()

#: The environment that the program was started with, as the kernel keeps it (proc_pid_environ(5)): before anybody has
#: loaded a .env file, or changed it otherwise. b"" where there is no /proc.
STARTED_WITH = b""
with contextlib.suppress(OSError), open("/proc/self/environ", "rb") as _file:
    STARTED_WITH = _file.read()

if "_TLSRUN_HANDOVER" in os.environ:
    from tlsrun.reloading import begin

    begin()

if "_TLSRUN_ADDED" in os.environ:
    from tlsrun.reloading.program import start_clean

    start_clean()
