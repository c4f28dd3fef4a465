"""What uWSGI starts by a shell, while its master holds signals back: it hears them, and ends when it is told to."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.servers.uwsgi.site import serving
from tests.support.certs import Paths
from tests.support.process import eventually
from tlsrun.servers.uwsgi.shell import make_shell

BLOCKED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
#: A command that says which signals are blocked in it, as a number.
ASKS = "sed -n 's/^SigBlk:.//p' /proc/self/status"


def test_a_command_hears_signals(tmp_path: Path) -> None:
    """It is run as /bin/sh runs it, with the words and the exit code, wherever the script lies."""
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    shell = make_shell(folder)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    try:
        found = subprocess.run([shell, "-c", f"{ASKS}; echo \"a 'b'\"; exit 7"], capture_output=True, text=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert found.stdout == "0000000000000000\na 'b'\n"
    assert (found.stderr, found.returncode) == ("", 7)


@pytest.mark.parametrize("wanted", [(), ("/not/there",), ("/not/there", "/bin/echo")])
def test_the_users_shell(wanted: tuple[str, ...], tmp_path: Path) -> None:
    """The first that can be executed is the real one; /bin/sh if there is none."""
    shell = make_shell(tmp_path, wanted)
    found = subprocess.run([shell, "-c", "echo sh"], capture_output=True, text=True, check=True)
    assert found.stdout == ("-c echo sh\n" if "/bin/echo" in wanted else "sh\n")


def test_a_daemon_ends_with_the_server(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """One of ``attach-daemon`` has nothing blocked, after a reload too, and takes SIGTERM for the end."""
    said = tmp_path / "said"
    daemon = f"{ASKS} >> {said}; exec sleep 300"
    with serving(localhost_cert, ca_file, server_options={"attach_daemon": daemon}) as site:
        eventually(lambda: said.exists() and said.read_text().count("\n") == 1)
        site.reload()
        eventually(lambda: said.read_text().count("\n") == 2)
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0
        site.server.until_gone()
        assert said.read_text() == "0000000000000000\n" * 2
        assert "did not die in time" not in site.server.log()
