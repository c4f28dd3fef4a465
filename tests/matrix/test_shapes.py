"""Whatever shape certificate and key have, every server serves them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tests.support.clients import free_port, https_get
from tests.support.process import Server, run

HELLO = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""
SECRET = "correct horse"  # noqa: S105 -- of a bundle that is made for the run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a WSGI application."""
    (tmp_path / "hello.py").write_text(HELLO)
    return tmp_path


def openssl(*arguments: str | Path) -> None:
    done = run(["openssl", *arguments])
    assert done.returncode == 0, done.stderr


def serves(project: Path, ca_file: Path, server: str, *flags: str | Path) -> str:
    """Serve, have a client that verifies the chain ask for a page, and return the log."""
    port = free_port()
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", "--server", server, "--port", str(port), *flags]
    with Server(command, cwd=project) as running:
        running.until_tls(("127.0.0.1", port))
        assert https_get(f"https://localhost:{port}/", ca_file).text == "hello"
        return running.log()


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ["builtin", "gunicorn", "uwsgi", "hypercorn"])
def test_a_bundle_whose_password_a_program_prints(
    project: Path, localhost_cert: Paths, ca_file: Path, server: str
) -> None:
    """One .p12 holds all of it, and its password stands in no file and no list of processes."""
    bundle = project / "server.p12"
    openssl("pkcs12", "-export", "-in", localhost_cert.fullchain, "-inkey", localhost_cert.key,
            "-passout", f"pass:{SECRET}", "-out", bundle)  # fmt: skip
    vault = project / "vault"
    vault.write_text(f"#!/bin/sh\necho '{SECRET}'\n")
    vault.chmod(0o755)
    log = serves(project, ca_file, server, "--cert", bundle, "--key-password-command", f"{vault} show tls")
    assert "Warning" not in log
    assert SECRET not in log


def test_der_and_a_chain_in_several_files(project: Path) -> None:
    """Leaf and key in DER, and the intermediates in two files, in the wrong order, on the command line."""
    long = Authority("long", intermediates=2)
    paths = long.leaf().write(project)
    openssl("x509", "-in", paths.cert, "-outform", "DER", "-out", project / "leaf.cer")
    openssl("pkey", "-in", paths.key, "-outform", "DER", "-out", project / "leaf.key")
    for number, pem in enumerate(long.intermediate_pems):
        (project / f"{number}.crt").write_bytes(pem)
    chain = os.pathsep.join([str(project / "1.crt"), str(project / "0.crt")])
    log = serves(project, long.write(project), "builtin", "--cert", project / "leaf.cer",
                 "--key", project / "leaf.key", "--chain", chain)  # fmt: skip
    assert "they are served in the right one" in log
