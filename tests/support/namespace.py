"""A view of the files in which somebody who is not root may start this interpreter, and read this project.

Where both lie below a folder that only root may enter (/root, say), a program in a mount namespace of its own
(unshare(1), mount_namespaces(7)) finds an open folder in its place, with nothing in it but what is needed. Nobody else
sees that, and it ends with the program.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.process import ROOT
from tlsrun.account import Account

#: What a program of the tests needs: the interpreter, its library, the packages, the project.
_NEEDED = (Path(sys.prefix), Path(sys.base_prefix), ROOT)


def open_for(account: Account) -> list[str] | None:
    """What to put before a command; nothing where there is no need.

    Returns:
        None where it cannot be had: it takes the right to mount, which containers may lack.
    """
    closed = {path: account.obstacle(path) for path in _NEEDED}
    lines = [
        line
        for folder in sorted({step for step in closed.values() if step is not None})
        for line in _open(folder, [path for path, step in closed.items() if step == folder])
    ]
    if not lines:
        return []
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", "\n".join([*lines, 'exec "$@"']), "sh"]
    if shutil.which("unshare") is None or any(path == step for path, step in closed.items()):
        return None
    works = subprocess.run([*command, "true"], capture_output=True, timeout=60, check=False).returncode == 0
    return command if works else None


def _open(folder: Path, needed: list[Path]) -> list[str]:
    """Shell commands: an empty folder that all may enter in the place of ``folder``, and in it what is needed."""
    place = shlex.quote(str(folder))
    lines = ["umask 022", "aside=$(mktemp -d)", f"mount --bind {place} $aside"]
    lines += [f"mount -t tmpfs -o mode=755 none {place}"]
    for path in sorted(needed):
        inner, outer = shlex.quote(os.path.relpath(path, folder)), shlex.quote(str(path))
        lines += [f"mkdir -p {outer}", f"mount --bind $aside/{inner} {outer}"]
    return [*lines, "umount $aside", "rmdir $aside"]
