"""The shell by which uWSGI runs the commands of ``attach-daemon``, ``exec-…``, ``cron`` and ``alarm``.

Some of them start while the master blocks signals (`tlsrun.servers.uwsgi.signal_block`), and a program that inherits
that would not end when uWSGI tells it to, by SIGTERM. uWSGI itself changes no masks there (core/daemons.c), but it can
be given another shell (``binsh``): ours unblocks all signals before it becomes the real one.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

_REAL = "/bin/sh"
# Not a line ``#!/path/of/python``: the kernel takes neither spaces in it nor more than 255 characters (execve(2)).
_SCRIPT = """#!/bin/sh
exec {python} -I -S -c '
import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.execv(sys.argv[1], sys.argv[1:])
' {real} "$@"
"""


def make_shell(folder: Path, wanted: Sequence[str] = ()) -> str:
    """Write it, and return its name for ``binsh``.

    Where it cannot be executed, as on a file system without that right (noexec in mount(8)), uWSGI takes /bin/sh.

    Arguments:
        folder: private to this server.
        wanted: the user's ``binsh``; the first that can be executed is the real one.
    """
    real = next((path for path in wanted if os.access(path, os.X_OK)), _REAL)
    path = folder / "sh"
    path.unlink(missing_ok=True)  # after a reload the file may be root's while this process is not
    path.write_text(_SCRIPT.format(python=shlex.quote(sys.executable), real=shlex.quote(real)), encoding="utf-8")
    path.chmod(0o755)
    return str(path)
