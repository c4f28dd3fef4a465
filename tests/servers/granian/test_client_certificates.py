"""Client certificates under Granian, whose verifier is its own: it takes whom the other servers take."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix.test_client_certificates import comes_in
from tests.support.certs import DAY, NOW, PEM, Authority, Paths
from tests.support.process import APPLICATIONS, eventually, run
from tests.support.servers import need
from tests.support.sites import Serve, serving
from tests.tls.test_revocation import version_1


@pytest.fixture
def serve(ca_file: Path, localhost_cert: Paths) -> Serve:
    """Starts the site under Granian."""
    need("granian")
    return serving("granian", ca_file, localhost_cert)


def test_revocation(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """Each list counts, for authorities too, trusted ones among them; and none beyond its end, without a change."""
    below = ca.sister("sister")
    jo, gone, jill = (
        authority.leaf(f"{name}.test", client=True).write(tmp_path / name)
        for name, authority in {"jo": ca, "gone": ca, "jill": below}.items()
    )
    authorities, crl = tmp_path / "ca.pem", tmp_path / "crl.pem"
    authorities.write_bytes(ca.root_pem + below.line[-1][0].public_bytes(PEM))
    root = ca.crl(below.line[-1][0].serial_number, level=0)
    crl.write_bytes(ca.crl(gone.pair.certificate.serial_number) + root + below.crl())
    with serve("--client-ca", authorities, "--client-crl", crl, "--no-client-facts") as site:
        assert [comes_in(site, client) for client in (jo, gone, jill)] == [True, False, False]
        soon = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(seconds=20)
        crl.write_bytes(ca.crl(ends=soon) + ca.crl(level=0) + below.crl())
        eventually(lambda: all(comes_in(site, one) for one in (jo, gone, jill) * 4), 15, what="the new lists")
        site.server.until_logged("the revocation list of CN=tlsrun test root intermediate 1 expired on")
        eventually(lambda: not any(comes_in(site, jo) for _ in range(12)), 15, what="the end of the list")
        assert comes_in(site, jill)


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        (lambda ca: ca.crl(), "has no list of CN=tlsrun test root, and this server wants one of every authority"),
        (lambda ca: ca.crl() + version_1(ca), "the revocation list of CN=tlsrun test root in"),
    ],
    ids=["the leaves' alone", "version 1"],
)
def test_lists_that_it_cannot_go_by(
    lists: Callable[[Authority], bytes], says: str, ca: Authority, ca_file: Path, localhost_cert: Paths, tmp_path: Path
) -> None:
    """Are named before anything starts, as lists, with what to do."""
    need("granian")
    crl = tmp_path / "crl.pem"
    crl.write_bytes(lists(ca))
    site = APPLICATIONS / "connection.py"
    ended = run(
        [
            sys.executable, "-m", "tlsrun", "run", f"{site}:app", "--server", "granian", "--port", "0",
            "--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key), "--client-ca", str(ca_file),
            "--client-crl", str(crl), "--no-client-facts",
        ]
    )  # fmt: skip
    assert ended.returncode == 2
    assert f"{crl}" in ended.stderr
    assert says in ended.stderr
    assert "[TLS222]" in ended.stderr


def test_a_list_that_is_lacking_after_a_change(serve: Serve, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """The last good ones stay, and the log names the file and the authority."""
    crl = tmp_path / "crl.pem"
    jo = ca.leaf("jo.test", client=True).write(tmp_path / "jo")
    crl.write_bytes(ca.crl() + ca.crl(level=0))
    with serve("--client-ca", ca_file, "--client-crl", crl, "--no-client-facts") as site:
        assert comes_in(site, jo)
        crl.write_bytes(ca.crl(begins=NOW - 2 * DAY))
        site.server.until_logged(f"{crl} has no list of CN=tlsrun test root")
        assert comes_in(site, jo)
