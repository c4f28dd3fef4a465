"""Who a server runs as: ports and keys are root's at the start, the rest is somebody else's."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tests.support.clients import curl, free_port, https_get
from tests.support.process import ROOT, Server, eventually, run
from tests.support.servers import need
from tlsrun.account import Account, find_account
from tlsrun.errors import ConfigurationError

SITE = """\
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getuid()} {os.getgid()} {os.getgroups()}".encode()]
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def test_nobody_named() -> None:
    """Without a user or group the server stays who it is."""
    assert find_account(None, None, where="--user") is None


@pytest.mark.parametrize(
    ("user", "group", "says"), [("no-such-user", None, "no user no-such-user"), (None, "no-such-group", "no group")]
)
def test_no_such_account(user: str | None, group: str | None, says: str) -> None:
    """A name that does not exist is said, with where to look."""
    with pytest.raises(ConfigurationError, match=says):
        find_account(user, group, where="--user")


def test_names_and_numbers() -> None:
    """A user may be named or numbered; its group is its own unless one is named."""
    by_name = find_account("root" if os.geteuid() == 0 else str(os.getuid()), None, where="--user")
    by_number = find_account(str(os.getuid()), None, where="--user")
    assert by_name == by_number
    assert by_number is not None
    assert by_number.uid == os.getuid()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="tlsrun-account-") as name:
        path = Path(name)
        path.chmod(0o755)
        (path / "whoami.py").write_text(SITE)
        yield path


def test_who_may_read(folder: Path) -> None:
    """Owner, group and others are told apart, and a closed folder closes what is in it."""
    file = folder / "closed" / "key.pem"
    file.parent.mkdir()
    file.write_text("x")
    stranger = Account(user="nobody-of-this-name", uid=54321, gid=54321)
    owner = Account(user="root", uid=os.getuid(), gid=os.getgid())
    file.parent.chmod(0o755)
    file.chmod(0o644)
    assert stranger.may_read(file)
    file.chmod(0o640)
    assert not stranger.may_read(file)
    assert owner.may_read(file)
    assert Account(user="x", uid=54321, gid=file.stat().st_gid).may_read(file)
    file.chmod(0o644)
    file.parent.chmod(0o700)
    assert not stranger.may_read(file)
    assert not stranger.may_read(folder / "nowhere")


@contextlib.contextmanager
def _as_nobody(server: str, cert: Paths, *flags: str) -> Iterator[tuple[Server, int]]:
    """A server of the site beside these files, and its port: nobody's, started by root."""
    folder, port = cert.key.parent, free_port()
    command = [sys.executable, "-m", "tlsrun", "run", "whoami:app", "--server", server, "--port", str(port)]
    command += ["--cert", str(cert.fullchain), "--key", str(cert.key), "--user", "nobody", *flags]
    with Server(command, cwd=folder, env={"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}) as running:
        running.until_tls(("127.0.0.1", port))
        yield running, port


@needs_root
@pytest.mark.parametrize("server", ["builtin", "gunicorn", "uwsgi", "hypercorn"])
def test_root_reads_the_key_and_somebody_else_serves(server: str, ca: Authority, ca_file: Path, folder: Path) -> None:
    """A key of root's alone is served by nobody's processes, and the warning says what that means for renewals; root
    sees their status."""
    live = ca.leaf().write(folder)
    with _as_nobody(server, live) as (running, port):
        answer = https_get(f"https://localhost:{port}/", ca_file, address=("127.0.0.1", port))
        uid, gid, groups = answer.text.split(maxsplit=2)
        assert int(uid) == 65534
        assert int(gid) != 0
        assert "0" not in groups.strip("[]").split(", ")
        assert "the user nobody that the server becomes cannot read it" in running.log()
        assert "[TLS103]" in running.log()
        assert live.key.stat().st_mode & 0o77 == 0
        told = run([sys.executable, "-m", "tlsrun", "status"])
        assert f"https://127.0.0.1:{port}" in told.stdout


@needs_root
def test_granian_goes_on_reading_as_root(ca: Authority, ca_file: Path, folder: Path) -> None:
    """Its workers are somebody else's, and a renewed key of root's alone is served all the same."""
    need("granian")
    live = ca.leaf().write(folder)
    redirect = free_port()
    with _as_nobody("granian", live, "--workers", "2", "--redirect-port", str(redirect)) as (running, port):

        def asked() -> tuple[list[str], bytes]:
            answer = https_get(f"https://localhost:{port}/", ca_file, address=("127.0.0.1", port))
            return answer.text.split(maxsplit=2), answer.tls.certificate

        (uid, gid, groups), _ = asked()
        assert (uid, gid) == ("65534", "65534")
        assert "0" not in groups.strip("[]").split(", ")
        assert "Warning" not in running.log()
        assert curl(f"http://localhost:{redirect}/", ca_file).status == 308
        new = ca.leaf()
        live.key.write_bytes(new.key_pem)
        live.fullchain.write_bytes(new.fullchain_pem)
        eventually(lambda: all(asked()[1] == new.der for _ in range(6)), what="the new certificate")
        assert asked()[0][0] == "65534"
        assert f"https://127.0.0.1:{port}" in run([sys.executable, "-m", "tlsrun", "status"]).stdout


@needs_root
@pytest.mark.parametrize("server", ["builtin", "gunicorn", "uwsgi", "hypercorn"])
def test_renewal_goes_on_where_the_user_may_read(server: str, ca: Authority, ca_file: Path, folder: Path) -> None:
    """With a key that the user's group may read, a renewed certificate is served without a restart."""
    live = ca.leaf().write(folder)
    os.chown(live.key, 0, 65534)
    live.key.chmod(0o640)
    with _as_nobody(server, live) as (running, port):
        assert "cannot read it" not in running.log()
        new = ca.leaf()
        live.key.write_bytes(new.key_pem)
        live.fullchain.write_bytes(new.fullchain_pem)

        def served() -> bytes:
            return https_get(f"https://localhost:{port}/", ca_file, address=("127.0.0.1", port)).tls.certificate

        eventually(lambda: served() == new.der, what="the new certificate")


@needs_root
@pytest.mark.parametrize("server", ["gunicorn", "hypercorn"])
def test_a_reload_reads_as_root(server: str, ca: Authority, ca_file: Path, folder: Path) -> None:
    """Where root stays, SIGHUP has a renewed key of root's alone served, by nobody's processes as before."""
    need(server)
    live = ca.leaf().write(folder)
    with _as_nobody(server, live) as (running, port):
        new = ca.leaf()
        new.write(folder)
        running.signal(signal.SIGHUP)

        def served() -> bool:
            answer = https_get(f"https://localhost:{port}/", ca_file, address=("127.0.0.1", port))
            assert answer.text.startswith("65534 ")
            return answer.tls.certificate == new.der

        eventually(served, what="the new certificate")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may become anybody")
def test_only_root_changes() -> None:
    """Without root there is one clear line."""
    ended = run([sys.executable, "-m", "tlsrun", "run", "whoami:app", "--user", "root"])
    assert "only root can become root" in ended.stderr
