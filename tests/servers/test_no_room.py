"""A machine on which nothing can be written: one line before the start, in mount namespaces of their own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.process import APPLICATIONS, run
from tests.support.servers import need

_NAMESPACE = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount", "sh", "-ec"]

#: A disk of 4 KiB that is full; and every place for temporary files, the working folder included, read-only.
FULL = "mount -t tmpfs -o size=4k tmpfs {folder}; ! head -c 9000 /dev/zero 2>/dev/null > {folder}/filled"
READ_ONLY = "for at in /tmp /var/tmp; do mount --bind $at $at; mount -o remount,bind,ro $at; done; cd /proc"

CASES = {
    "granian": (FULL, "Error: granian: certificate and key cannot be written to "),
    "uwsgi": (READ_ONLY, "Error: uwsgi: no private folder can be made for the workers' socket: "),
}


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if subprocess.run([*_NAMESPACE, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False).returncode:
        pytest.skip("this user may have no mount namespace")


@pytest.mark.parametrize("server", CASES)
def test_one_line(server: str, localhost_cert: Paths, tmp_path: Path) -> None:
    """What cannot be written, where, and what to do; exit 2, and no traceback."""
    need(server)
    state, words = CASES[server]
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [
        sys.executable, "-m", "tlsrun", "run", f"{APPLICATIONS}/connection.py:app", "--server", server,
        "--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key), "--port", "0",
    ]  # fmt: skip
    script = f"{state.format(folder=folder)}; exec {shlex.join(command)}"
    done = run([*_NAMESPACE, script], env={"XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(folder)})
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("Warning: ", " * "))]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(words)
    assert "TMPDIR" in lines[0]
    assert done.returncode == 2
