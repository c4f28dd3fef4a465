"""How this program was started: its working folder and its environment, before the application changes either.

Imported first of all by `tlsrun`, for that reason.
"""

import contextlib
import os

#: The working folder at the first import, before an application leaves it; None when it was removed.
FOLDER: str | None = None
with contextlib.suppress(OSError):
    FOLDER = os.getcwd()

#: The environment that the program was started with, as the kernel keeps it (proc_pid_environ(5)): before anybody has
#: loaded a .env file, or changed it otherwise. b"" where there is no /proc.
ENVIRONMENT = b""
with contextlib.suppress(OSError), open("/proc/self/environ", "rb") as _file:
    ENVIRONMENT = _file.read()
