"""flask_tlsrun.run_variables: what is there for `flask run` serves `flask tlsrun`, below every setting of ours."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest

from flask_tlsrun.run_variables import run_layer
from tests.support.certs import Paths
from tests.support.clients import free_port, https_get
from tests.support.process import Server
from tlsrun.settings.layers import environment_layer, resolve

RUN = {"FLASK_RUN_CERT": "c.pem", "FLASK_RUN_KEY": "c.key", "FLASK_RUN_PORT": "8000", "FLASK_RUN_HOST": "0.0.0.0"}  # noqa: S104


@pytest.mark.parametrize(
    ("ours", "taken"),
    [
        ({}, {"cert": "c.pem", "key": "c.key", "port": 8000, "host": "0.0.0.0"}),  # noqa: S104
        ({"TLSRUN_PORT": "8443"}, {"cert": "c.pem", "key": "c.key", "port": 8443, "host": "0.0.0.0"}),  # noqa: S104
        ({"TLSRUN_CERT": "both.pem"}, {"cert": "both.pem", "key": None, "port": 8000}),
        ({"TLSRUN_BIND": "127.0.0.1:8443"}, {"cert": "c.pem", "host": "127.0.0.1", "port": 5000}),
    ],
)
def test_what_is_taken(ours: dict[str, str], taken: dict[str, object]) -> None:
    """Ours go before; a pair is taken as a pair, a place as a place."""
    layers = [environment_layer(ours)]
    settings = resolve([*layers, run_layer(RUN, layers)]).settings
    assert {name: getattr(settings, name) for name in taken} == taken


def test_it_is_served(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """The certificate and the port of `flask run`."""
    (tmp_path / "app.py").write_text("from flask import Flask\n\napp = Flask(__name__)\n")
    port = free_port()
    env = {
        "FLASK_APP": "app",
        "FLASK_RUN_CERT": str(localhost_cert.fullchain),
        "FLASK_RUN_KEY": str(localhost_cert.key),
        "FLASK_RUN_PORT": str(port),
    }
    with Server([sys.executable, "-m", "flask", "tlsrun"], env=env, cwd=tmp_path) as server:
        server.until_tls(("127.0.0.1", port))
        answer = https_get(f"https://localhost:{port}/", ca_file, address=("127.0.0.1", port))
    assert answer.status == 404
    assert answer.tls.certificate == ssl.PEM_cert_to_DER_cert(
        localhost_cert.fullchain.read_text().split("\n-----BEGIN", 1)[0] + "\n"
    )
