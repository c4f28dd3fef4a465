"""nginx and HAProxy, which end TLS and ask for client certificates: what the application hears of their clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.check.nginx import nginx, tls_server
from tests.support.certs import Authority, Paths
from tests.support.clients import client_context, free_port
from tests.support.haproxy import haproxy
from tests.support.process import ROOT, Server

_NGINX = """location / {{
    proxy_pass http://127.0.0.1:{app};
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Ssl-Client-Cert $ssl_client_escaped_cert;
    proxy_set_header Ssl-Client-Verify $ssl_client_verify;
}}
location = /unused {{ return 404; }}"""

_HAPROXY = """\
frontend front
    bind 127.0.0.1:{port} ssl crt {pem} ca-file {ca} verify optional
    option forwardfor
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
    http-request del-header Client-Cert
    http-request set-header Client-Cert :%[ssl_c_der,base64]: if {{ ssl_c_used }}
    default_backend app
backend app
    server s 127.0.0.1:{app}
"""

#: What clients say of themselves.
_CLAIMS = {
    "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.test", "Client-Cert": ":AAAA:",
    "X-Forwarded-Port": "1", "Forwarded": "for=6.6.6.6", "Ssl-Client-Cert": "x", "Ssl-Client-Verify": "SUCCESS",
}  # fmt: skip


@pytest.fixture(scope="module", params=["nginx, ssl-client-cert", "haproxy, client-cert"])
def front(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    localhost_cert: Paths,
    ca_file: Path,
) -> Iterator[int]:
    """The port of the front; gunicorn behind it is started by its own command."""
    port, app = free_port(), free_port()
    folder = tmp_path_factory.mktemp("front")
    bound = f"127.0.0.1:{app}"
    gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--forwarded-allow-ips", "", "-b", bound]
    env = {
        "TLSRUN_TRUSTED_PROXIES": "127.0.0.1", "TLSRUN_PROXY": request.param, "FORWARDED_ALLOW_IPS": "",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(Server([*gunicorn, "tests.applications.proxied:application"], cwd=ROOT, env=env))
        behind.until_listening(("127.0.0.1", app))
        if request.param.startswith("nginx"):
            asks = ("ssl_verify_client optional;", f"ssl_client_certificate {ca_file};", _NGINX.format(app=app))
            block = tls_server(port, localhost_cert.fullchain, localhost_cert.key, *asks)
            stack.enter_context(nginx(folder, [block], port))
        else:
            pem = folder / "both.pem"
            pem.touch(mode=0o600)
            pem.write_bytes(localhost_cert.fullchain.read_bytes() + localhost_cert.key.read_bytes())
            sections = _HAPROXY.format(port=port, pem=pem, ca=ca_file, app=app)
            stack.enter_context(haproxy(folder, sections, port, mode="http"))
        yield port


#: Another address than nginx's and HAProxy's own, which is trusted.
CLIENT = "127.0.0.7"


def _seen(port: int, ca_file: Path, framework: str, **files: Path) -> dict[str, Any]:
    plain = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(CLIENT, 0))
    with contextlib.closing(http.client.HTTPConnection("localhost", port, timeout=10)) as connection:
        connection.sock = plain
        connection.sock = client_context(ca_file, **files).wrap_socket(plain, server_hostname="localhost")
        connection.request("GET", f"/{framework}", headers=_CLAIMS)
        answer = connection.getresponse()
        body = answer.read()
    assert answer.status == 200, body
    seen: dict[str, Any] = json.loads(body)
    return seen


@pytest.mark.parametrize("framework", ["flask", "bottle"])
def test_a_client_with_a_certificate(front: int, framework: str, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """Its facts are those that there are without a proxy; what it says of itself is not heard."""
    paths = ca.leaf("jo.test", client=True).write(tmp_path / "jo")
    seen = _seen(front, ca_file, framework, cert=paths.fullchain, key=paths.key)
    environ = seen["environ"]
    assert environ["SSL_CLIENT_S_DN"] == "CN=jo.test"
    assert environ["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert environ["SSL_CLIENT_CERT"].strip() == paths.pair.cert_pem.decode().strip()
    assert seen["url"] == f"https://localhost:{front}/{framework}"
    assert (seen["address"], seen["secure"]) == (CLIENT, True)
    assert "evil.test" not in json.dumps(environ)


def test_a_client_without_one(front: int, ca_file: Path) -> None:
    """It has none, whatever it says."""
    environ = _seen(front, ca_file, "flask")["environ"]
    assert environ["SSL_CLIENT_VERIFY"] == "NONE"
    assert not [name for name in environ if name.startswith("SSL_CLIENT_") and name != "SSL_CLIENT_VERIFY"]
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (CLIENT, "https")
