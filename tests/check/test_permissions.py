"""Findings in who may read the files."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest

from tests.check.examining import check, codes, only
from tests.check.horrors import written
from tests.support.certs import Authority, Paths
from tests.support.process import run


def test_unreadable(tmp_path: Path, localhost_cert: Paths) -> None:
    """A file that this user may not read."""
    hidden = written(tmp_path, "hidden.key", localhost_cert.pair.key_pem, 0)
    command = [sys.executable, "-m", "tlsrun", "check", "--cert", localhost_cert.fullchain, "--key", hidden]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    ended = run(command)
    assert "TLS102" in ended.stdout
    assert "hidden.key" in ended.stdout
    assert ended.returncode == 2


def test_key_readable_by_others(tmp_path: Path, localhost_cert: Paths) -> None:
    """A key with o+r, in folders that everybody may enter, and the command that shuts it."""
    _open_up(tmp_path)
    key = written(tmp_path, "open.key", localhost_cert.pair.key_pem, 0o644)
    report = check(cert=str(localhost_cert.fullchain), key=str(key))
    finding = only(report, "TLS106")
    assert "0644" in finding.what
    assert finding.remedy == f"chmod o-rwx {key}"
    key.chmod(0o640)
    assert "TLS106" not in codes(check(cert=str(localhost_cert.fullchain), key=str(key)))


def test_a_shut_folder_protects_its_keys(tmp_path: Path, localhost_cert: Paths) -> None:
    """What nobody can get to is not readable by others."""
    folder = tmp_path / "shut"
    folder.mkdir(mode=0o700)
    key = written(folder, "open.key", localhost_cert.pair.key_pem, 0o644)
    assert "TLS106" not in codes(check(cert=str(localhost_cert.fullchain), key=str(key)))


def _open_up(path: Path) -> None:
    for folder in (path, *path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)


def test_unreadable_by_the_user_that_the_server_becomes(
    tmp_path: Path, ca: Authority, ca_file: Path, localhost_cert: Paths
) -> None:
    """All that is read again at a renewal is looked at, said once each, with the ways out."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    _open_up(tmp_path)
    pair = ca.leaf("a.example").write(tmp_path / "a")
    settings = {
        "cert": str(written(tmp_path, "cert.pem", localhost_cert.pair.cert_pem, 0o644)),
        "key": str(written(tmp_path, "mine.key", localhost_cert.pair.key_pem)),
        "chain": str(written(tmp_path, "chain.pem", localhost_cert.pair.chain_pem)),
        "sni": {"a.example": {"cert": str(pair.fullchain), "key": str(pair.key)}},
        "client_ca": str(written(tmp_path, "clients.pem", ca_file.read_bytes())),
        "user": "nobody",
    }
    report = check(server="gunicorn", ca=ca_file, **settings)
    findings = [one for one in report.findings if one.code.code == "TLS103"]
    names = {name for one in findings for name in ("mine.key", "chain.pem", "privkey.pem", "clients.pem", "cert.pem") if
             f"/{name}" in one.what}  # fmt: skip
    assert names == {"mine.key", "chain.pem", "privkey.pem", "clients.pem"}
    assert len(findings) == 4
    assert all("LoadCredential=" in one.remedy for one in findings)
    assert "TLS202" not in codes(report)
    assert "TLS103" not in codes(check(server="gunicorn", reload=False, **settings))


@pytest.mark.parametrize(("server", "option"), [("gunicorn", "user"), ("uwsgi", "uid")])
def test_unreadable_by_workers(server: str, option: str, tmp_path: Path, localhost_cert: Paths) -> None:
    """The user that the workers become is looked up, and may not read a file of mode 0600."""
    nobody = pwd.getpwnam("nobody").pw_name
    report = check(
        cert=str(localhost_cert.fullchain),
        key=str(written(tmp_path, "mine.key", localhost_cert.pair.key_pem)),
        server=server,
        server_options={option: nobody},
    )
    findings = [one for one in report.findings if one.code.code == "TLS103"]
    assert any("mine.key" in one.what and nobody in one.what for one in findings)


def test_readable_by_workers(tmp_path: Path, localhost_cert: Paths) -> None:
    """A group of the workers' user is enough, and root reads everything."""
    from tlsrun.certificates.sources import Source
    from tlsrun.check.permissions import account, unreadable

    _open_up(tmp_path)
    source = Source(given_by="--key", path=written(tmp_path, "shared.key", localhost_cert.pair.key_pem, 0o640))
    nobody, root = account("nobody", os.getgid()), account(0)
    assert nobody is not None
    assert root is not None
    assert list(unreadable([source], nobody)) == []
    assert list(unreadable([source], root)) == []
    assert account("no-such-user") is None
