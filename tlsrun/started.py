"""The working folder and the environment of this program at its start, before the application changes them.

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
