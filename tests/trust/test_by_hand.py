"""What is said for everything else: lines that can be typed as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.trust.conftest import MakeMachine
from tlsrun.trust import Root, hints

SHELL = re.compile(r"^(sudo |export |curl |keytool |certutil|tlsrun )")


def test_nothing_is_forgotten(machine: MakeMachine, root: Root) -> None:
    """Systems, languages and devices that have roots of their own."""
    said = "\n".join(line for hint in hints(machine(), root, None) for line in (hint.title, *hint.lines))
    for word in (
        "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "security add-trusted-cert",
        "certutil -user -addstore Root", "certutil.exe", "wslpath", "keytool -importcert", "COPY ca.pem",
        "RUN update-ca-certificates", "Firefox", "iPhone", "Android", "tlsrun trust --export ca.pem",
    ):  # fmt: skip
        assert word in said, word
    assert "key.pem" not in said


def test_lines_are_commands(machine: MakeMachine, root: Root, tmp_path: Path) -> None:
    """Paths and names with spaces are quoted."""
    odd = Root(certificate=root.certificate, path=tmp_path / "my CA" / "rootCA.pem")
    for hint in hints(machine(), odd, None):
        for line in filter(SHELL.match, hint.lines):
            words = shlex.split(line, comments=True)
            assert words
            assert "my" not in words
            if "-alias" in words:
                assert words[words.index("-alias") + 1] == root.names[0]


@pytest.mark.parametrize("bundle", [None, Path("/etc/ssl/certs/ca-certificates.crt")])
def test_variables_that_replace_all_roots(machine: MakeMachine, root: Root, bundle: Path | None) -> None:
    """They name the system's bundle when the CA is in it; else the loss of all others is said."""
    lines = [line for hint in hints(machine(), root, bundle) for line in hint.lines]
    (line,) = (line for line in lines if "REQUESTS_CA_BUNDLE" in line)
    if bundle is None:
        assert line == f"export REQUESTS_CA_BUNDLE={root.path}    # trusts this CA alone"
    else:
        assert line == f"export REQUESTS_CA_BUNDLE={bundle}"


def test_wsl_is_urgent(machine: MakeMachine, root: Root) -> None:
    """Its browsers are Windows'."""
    urgent = [hint.title for hint in hints(machine(wsl=True), root, None) if hint.urgent]
    assert urgent == ["Windows, from WSL: its browsers read Windows' store"]
    assert not any(hint.urgent for hint in hints(machine(), root, None))
