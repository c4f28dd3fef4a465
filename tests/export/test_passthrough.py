"""HAProxy passes TLS through to two machines, each with its own exported or own configuration, for real."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.export import fronts
from tests.support.certs import Paths
from tests.support.clients import curl, free_port
from tests.support.process import Server, eventually


@pytest.fixture(scope="module", params=["inflask", "inbottle"])
def through(request: pytest.FixtureRequest, project: Path, localhost_cert: Paths, clients_ca: Path) -> Iterator[int]:
    """The port of a HAProxy before an nginx and a gunicorn of ours, both of which end TLS."""
    app = f"{request.param}:app"
    place = Path(tempfile.mkdtemp(prefix="t-", dir=project))
    place.chmod(0o755)
    port, plain, first, second = free_port(), free_port(), free_port(), free_port()
    tls: list[str | Path] = [
        "--cert", localhost_cert.fullchain, "--key", localhost_cert.key, "--client-ca", clients_ca,
        "--client-auth", "optional", "--host", "127.0.0.1", "--proxy-protocol", "--trusted-proxies", "127.0.0.1",
    ]  # fmt: skip
    socket = place / "s"
    text = fronts.export(project, "nginx", app, *tls, "--port", str(first), "--redirect-port", str(free_port()),
                         "--socket", socket)  # fmt: skip
    passing = fronts.export(
        project, "haproxy", "--upstream", "tls", "--machine", f"127.0.0.1:{first}", "--machine", f"127.0.0.1:{second}",
        "--host", "127.0.0.1", "--port", str(port), "--redirect-port", str(plain),
    )  # fmt: skip
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place)
        stack.enter_context(fronts.application(text, socket))
        stack.enter_context(fronts.nginx(place, text, ("127.0.0.1", first), introduced=True))
        words = [sys.executable, "-m", "tlsrun", "run", app, "--server", "gunicorn", *tls, "--port", str(second)]
        ours = stack.enter_context(Server(words, cwd=project))
        ours.until_listening(("127.0.0.1", second))
        front = stack.enter_context(fronts.haproxy(place, passing, ("127.0.0.1", port)))
        front.until_tls(("127.0.0.1", port))
        yield port


def test_both_machines_know_the_client(through: int, ca_file: Path, client_cert: Paths) -> None:
    """Scheme, host, address and certificate of the client are what they are, on each machine."""
    words = ["--cert", client_cert.fullchain, "--key", client_cert.key]
    met: set[bool] = set()

    def both() -> bool:
        seen = fronts.seen_by(through, ca_file, *words)
        assert seen["wsgi.url_scheme"] == "https"
        assert seen["url"] == f"https://localhost:{through}/?a=b"
        assert seen["REMOTE_ADDR"] == fronts.CLIENT
        assert seen["SSL_CLIENT_VERIFY"] == "SUCCESS"
        assert seen["SSL_CLIENT_S_DN"] == "CN=alice@example.org"
        met.add("SSL_CIPHER" in seen)  # nginx, which speaks HTTP to its application, tells nothing of that
        return len(met) == 2

    eventually(both, what="an answer of each machine")


def test_what_a_client_says_of_itself(through: int, ca_file: Path) -> None:
    """Headers are not believed, and no certificate is made up."""
    seen = fronts.seen_by(through, ca_file, "-H", "X-Forwarded-For: 6.6.6.6", "-H", "Client-Cert: :bGllcw==:")
    assert seen["REMOTE_ADDR"] == fronts.CLIENT
    assert seen["SSL_CLIENT_VERIFY"] == "NONE"
    assert not [value for value in seen.values() if "6.6.6.6" in value]


def test_who_speaks_no_tls(through: int) -> None:
    """Is not passed on."""
    answer = curl(f"http://127.0.0.1:{through}/", Path("/dev/null"))
    assert answer.status == 0
