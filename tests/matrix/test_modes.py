"""Every server × every way to start an application × real clients: what comes through is the same."""

from __future__ import annotations

import errno
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import Address, curl, free_port, https_get, openssl_s_client
from tests.support.process import APPLICATIONS, Server, eventually
from tests.support.servers import ALL_SERVERS, need
from tlsrun.endpoint import Endpoint
from tlsrun.listening.probing import probe


@dataclass(frozen=True, kw_only=True)
class Start:
    """How one cell is started: where, by which command, and with what in the environment."""

    folder: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)


def flask_script(server: str, port: int, cert: Paths) -> Start:
    """``python hello.py``; the server by a key of app.config."""
    return Start(folder="flask_file", command=["hello.py"], env={"CELL_SERVER": server})


def flask_cli(server: str, port: int, cert: Paths) -> Start:
    """``flask --app hello tlsrun``; the server by Flask's environment variable."""
    return Start(
        folder="flask_file",
        command=["-m", "flask", "--app", "hello", "tlsrun", "--port", str(port)],
        env={"FLASK_TLSRUN_SERVER": server},
    )


def flask_factory(server: str, port: int, cert: Paths) -> Start:
    """``flask --app shop:create_app tlsrun``; server and certificate by flags."""
    return Start(
        folder="flask_package",
        command=[
            "-m", "flask", "--app", "shop:create_app", "tlsrun", "-p", str(port), "--server", server,
            "--cert", str(cert.fullchain), "--key", str(cert.key),
        ],
    )  # fmt: skip


def bottle_script(server: str, port: int, cert: Paths) -> Start:
    """``python hello.py``; the server by its name in ``run(server=…)``."""
    return Start(folder="bottle_file", command=["hello.py"], env={"CELL_SERVER": f"tls-{server}"})


def bottle_cli(server: str, port: int, cert: Paths) -> Start:
    """``python -m bottle -s bottle_tls:TLSServer``; the server by our environment variable."""
    return Start(
        folder="bottle_file",
        command=["-m", "bottle", "-s", "bottle_tls:TLSServer", "-b", f"127.0.0.1:{port}", "hello:app"],
        env={"TLSRUN_SERVER": server},
    )


def wsgi(server: str, port: int, cert: Paths) -> Start:
    """``tlsrun run hello:app``; the server by a flag, the certificate by the environment."""
    return Start(
        folder="wsgi_file",
        command=["-m", "tlsrun", "run", "hello:app", "--server", server, "--port", str(port)],
        env={"TLSRUN_CERT": str(cert.fullchain), "TLSRUN_KEY": str(cert.key)},
    )


#: Whose application it is, and how it is started.
MODES: list[tuple[str, Callable[[str, int, Paths], Start]]] = [
    ("flask", flask_script), ("flask", flask_cli), ("flask", flask_factory), ("bottle", bottle_script),
    ("bottle", bottle_cli), ("neither", wsgi),
]  # fmt: skip


@pytest.mark.representatives("server, framework", "mode")
@pytest.mark.parametrize(("framework", "mode"), MODES, ids=[mode.__name__ for _, mode in MODES])
@pytest.mark.parametrize("server", ALL_SERVERS)
def test_serves_the_same(
    server: str,
    framework: str,
    mode: Callable[[str, int, Paths], Start],
    localhost_cert: Paths,
    ca_file: Path,
    tmp_path: Path,
) -> None:
    """One import, the configured certificate, https to the application and to three clients, a clean end."""
    need(server)
    port, imports = free_port(), tmp_path / "imports"
    start = mode(server, port, localhost_cert)
    env = {
        "CELL_IMPORTS": str(imports),
        "CELL_CERT": str(localhost_cert.fullchain),
        "CELL_KEY": str(localhost_cert.key),
        "CELL_PORT": str(port),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    address = ("127.0.0.1", port)
    with Server([sys.executable, *start.command], cwd=APPLICATIONS / start.folder, env={**env, **start.env}) as program:
        program.until_tls(address)
        python_ssl(address, ca_file, localhost_cert)
        by_curl(address, ca_file)
        by_openssl(address, ca_file, localhost_cert)
        assert len(imports.read_text().split()) == 1, imports.read_text()
        assert f"https://127.0.0.1:{port}" in program.log()
        assert "http://" not in program.log()
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        eventually(lambda: probe(Endpoint(host=address[0], port=port)) != errno.EADDRINUSE, what="a free port")
        assert "Traceback" not in program.log()


def seen_by_app(address: Address) -> dict[str, str]:
    """What the application must have seen of a request to https://localhost:port/."""
    return {"scheme": "https", "url": f"https://localhost:{address[1]}/"}


def python_ssl(address: Address, ca_file: Path, cert: Paths) -> None:
    """Python's ssl, which verifies the chain, gets the answer and the configured certificate."""
    answer = https_get(f"https://localhost:{address[1]}/", ca_file, address=address)
    assert (answer.status, json.loads(answer.body)) == (200, seen_by_app(address))
    assert answer.tls.certificate == cert.pair.der


def by_curl(address: Address, ca_file: Path) -> None:
    """So does curl."""
    host, port = address
    answer = curl(f"https://localhost:{port}/", ca_file, "--resolve", f"localhost:{port}:{host}")
    assert (answer.returncode, answer.status) == (0, 200), answer
    assert json.loads(answer.body) == seen_by_app(address)


def by_openssl(address: Address, ca_file: Path, cert: Paths) -> None:
    """So does openssl, which sees the chain sent in order and a connection that is closed as TLS wants it."""
    answer = openssl_s_client(address, ca_file, "-showcerts")
    assert answer.verified, answer
    assert answer.http.startswith("HTTP/1.1 200"), answer
    assert json.dumps(seen_by_app(address)["url"]) in answer.http, answer
    sent = answer.output.partition("Certificate chain")[2]
    assert certificates(sent)[:2] == certificates(cert.pair.fullchain_pem.decode())
    assert answer.returncode == 0, answer.errors


def certificates(text: str) -> list[str]:
    """The base64 bodies of the PEM certificates in ``text``, in order."""
    parts = text.split("-----BEGIN CERTIFICATE-----")[1:]
    return ["".join(part.partition("-----END")[0].split()) for part in parts]
