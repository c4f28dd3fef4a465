"""The programs in front, for real: each with its exported file, and a Flask and a Bottle application behind it."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.export import fronts
from tests.support.certs import Authority, Paths
from tests.support.clients import client_context, free_port, https_get
from tests.support.process import Server, run

#: What a client may try to say of itself, in both spellings that WSGI makes one name of.
LIES = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-SSL": "off",
    "X-Forwarded-Protocol": "http",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=6.6.6.6;proto=http;host=evil.example",
    "X-Real-IP": "6.6.6.6",
    "Client-Cert": ":bGllcw==:",
    "SSL-Client-Cert": "lies",
    "SSL-Client-Verify": "SUCCESS",
    "X-SSL-Client-Cert": "lies",
    "X_Forwarded_For": "6.6.6.6",
    "X_Forwarded_Proto": "http",
    "SSL_Client_Cert": "lies",
}
LIES_SAID = re.compile(r"6\.6\.6\.6|evil|lies|bGllcw==|(^|:)666($|/)")


@dataclass(frozen=True, kw_only=True)
class Front:
    """A front under test.

    Arguments:
        target, form: what was exported.
        app: the application behind.
        port: where it serves HTTPS.
        plain: where it sends plain HTTP on.
        program: the front itself.
    """

    target: str
    form: str
    app: str
    port: int
    plain: int
    program: Server


pytestmark = pytest.mark.representatives(shared="front")

#: Each front and what it hands requests to; and whose application it is.
SERVED = [(case, app) for case in fronts.CASES for app in ("inflask", "inbottle")]


@pytest.fixture(scope="module", params=SERVED, ids=["-".join((*case, app)) for case, app in SERVED])
def front(
    request: pytest.FixtureRequest, project: Path, localhost_cert: Paths, clients_ca: Path, clients_crl: Path
) -> Iterator[Front]:
    """One of them, with the application's side as the comment on top of the file says."""
    (target, form), app = request.param
    place = Path(tempfile.mkdtemp(prefix="f-", dir=project))
    place.chmod(0o755)
    port, plain = free_port(), free_port()
    socket = place / "s"
    text = fronts.export(
        project, target, f"{app}:app", "--upstream", form, "--cert", localhost_cert.fullchain,
        "--key", localhost_cert.key, "--client-ca", clients_ca, "--client-auth", "optional", "--host", "127.0.0.1",
        "--port", str(port), "--redirect-port", str(plain), "--hsts", "300", "--socket", socket,
        "--certificates", place, *(() if target == "caddy" else ("--client-crl", clients_crl)),
    )  # fmt: skip
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place)
        program = stack.enter_context(fronts.front(target, form, text, place, project, port))
        yield Front(target=target, form=form, app=app, port=port, plain=plain, program=program)


def ask(front: Front, ca: Path, context: ssl.SSLContext | None = None, **headers: str) -> dict[str, str]:
    """What the application saw."""
    answer = https_get(f"https://localhost:{front.port}/?a=b", ca, address=("127.0.0.1", front.port),
                       headers=headers, context=context)  # fmt: skip
    assert answer.status == 200, (answer.status, answer.body, front.program.log())
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=300"]
    seen: dict[str, str] = json.loads(answer.body)
    return seen


def test_scheme_host_and_client(front: Front, ca_file: Path) -> None:
    """The application sees https, the host that was asked for, and the client's address."""
    seen = fronts.seen_by(front.port, ca_file)
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["url"] == f"https://localhost:{front.port}/?a=b"
    assert seen["REMOTE_ADDR"] == fronts.CLIENT


def test_lies_are_not_passed_on(front: Front, ca_file: Path) -> None:
    """Nothing that a client says in these headers reaches the application."""
    seen = ask(front, ca_file, **LIES)
    assert seen["url"] == f"https://localhost:{front.port}/?a=b"
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    told = {name: value for name, value in seen.items() if LIES_SAID.search(value)}
    assert told == {}


def test_client_certificate(front: Front, ca_file: Path, client_cert: Paths) -> None:
    """It reaches the application by mod_ssl's names, whatever the front says it in."""
    context = client_context(ca_file, cert=client_cert.fullchain, key=client_cert.key)
    seen = ask(front, ca_file, context)
    assert seen["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert seen["SSL_CLIENT_S_DN"] == "CN=alice@example.org"
    assert ssl.PEM_cert_to_DER_cert(seen["SSL_CLIENT_CERT"].strip()) == client_cert.pair.der
    if front.form in ("uwsgi", "wsgi"):
        assert seen["SSL_PROTOCOL"] == "TLSv1.3"


def test_no_client_certificate(front: Front, ca_file: Path) -> None:
    """Nobody is told of one that was not shown."""
    seen = ask(front, ca_file)
    assert seen["SSL_CLIENT_VERIFY"] == "NONE"
    assert "SSL_CLIENT_S_DN" not in seen
    assert "SSL_CLIENT_CERT" not in seen


def test_a_certificate_of_somebody_else(front: Front, ca_file: Path, tmp_path: Path) -> None:
    """Never reaches the application: the handshake or the request fails."""
    keeps_out(front, ca_file, Authority().leaf("mallory@example.org", client=True).write(tmp_path))


def test_a_certificate_of_a_revoked_authority(front: Front, ca_file: Path, sister: Authority, tmp_path: Path) -> None:
    """Neither does one whose authority is on the root's list; Caddy knows no lists, and its export refuses them."""
    if front.target != "caddy":
        keeps_out(front, ca_file, sister.leaf("mallory@example.org", client=True).write(tmp_path))


def keeps_out(front: Front, ca_file: Path, client: Paths) -> None:
    """Whoever shows this certificate is not answered by the application."""
    context = client_context(ca_file, cert=client.fullchain, key=client.key)
    try:
        answer = https_get(f"https://localhost:{front.port}/", ca_file, address=("127.0.0.1", front.port),
                           context=context)  # fmt: skip
    except OSError:
        return
    assert answer.status == 400, answer.body


def test_plain_http_is_sent_to_https(front: Front) -> None:
    """With method, path and query kept."""
    done = run(["curl", "-q", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}",
                "--resolve",
                f"localhost:{front.plain}:127.0.0.1", f"http://localhost:{front.plain}/a%20b?c=d"])  # fmt: skip
    assert done.stdout == f"308 https://localhost:{front.port}/a%20b?c=d"


def test_http2_and_policy(front: Front, ca_file: Path) -> None:
    """HTTP/2 is spoken; TLS 1.2 with a suite of the profile is, with another is not."""
    url = f"https://localhost:{front.port}/"
    words = ["curl", "-q", "-sS", "--noproxy", "*", "--cacert", str(ca_file), "-o", "/dev/null", "-w",
             "%{http_code} %{http_version}"]  # fmt: skip
    assert run([*words, "--http2", url]).stdout == "200 2"
    twelve = ["--tls-max", "1.2", "--http1.1"]
    assert run([*words, *twelve, url]).stdout == "200 1.1"
    assert run([*words, *twelve, "--ciphers", "ECDHE-ECDSA-AES256-SHA", url]).stdout == "000 0"


def test_a_large_body(front: Front, ca_file: Path) -> None:
    """A megabyte passes."""
    answer = https_get(f"https://localhost:{front.port}/", ca_file, address=("127.0.0.1", front.port),
                       method="POST", body=b"x" * 1_000_000)  # fmt: skip
    assert answer.status == 200, front.program.log()
    assert json.loads(answer.body)["length"] == "1000000"
