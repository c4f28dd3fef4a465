"""What is looked at while a client shakes hands, its authorities and the name that it asks for: real handshakes."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certs import DAY, NOW, Authority, Pair, Paths
from tests.support.clients import client_context
from tests.tls.serving import certificates, origin
from tlsrun.renewal.reload import Certificates
from tlsrun.tls.authorities import Authorities
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.origin import WatchedSource
from tlsrun.tls.policy import Policy
from tlsrun.tls.revocation import read_lists

CA = Authority("line", intermediates=2)
UPPER, LOWER = CA.line[1][0], CA.line[2][0]

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@dataclass
class Outcome:
    """How a handshake ended.

    Arguments:
        refusal: why the server refused; None when it did not.
        alert: what the client heard.
        sni: the name, for the application.
        resumed: whether a session was.
        session: to resume.
        quiet: whether the server's connection is looked on no more.
    """

    refusal: str | None = None
    alert: str | None = None
    sni: str | None = None
    resumed: bool = False
    session: ssl.SSLSession | None = field(default=None, repr=False)
    quiet: bool = True


def shake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost", session: ssl.SSLSession | None = None
) -> Outcome:
    """One handshake in memory, and what the client hears after it."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(there, back, server_side=True)
    theirs = client.wrap_bio(back, there, server_hostname=name, session=session)
    outcome, done = Outcome(), {"ours": False, "theirs": False}
    for _ in range(6):
        for which, side in (("theirs", theirs), ("ours", ours)):
            if done[which] or outcome.alert or (which == "ours" and outcome.refusal):
                continue
            try:
                side.do_handshake()
                done[which] = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                outcome.refusal = error.verify_message
            except ssl.SSLError as error:
                outcome.alert = error.reason
    try:
        theirs.read(1)
    except ssl.SSLWantReadError:
        pass
    except ssl.SSLError as error:
        outcome.alert = error.reason
    outcome.sni = ours.tls_sni  # type: ignore[attr-defined]
    outcome.resumed, outcome.session = bool(theirs.session_reused), theirs.session
    outcome.quiet = ssl._SSLContext._msg_callback.__get__(ours.context) is None  # type: ignore[attr-defined]
    return outcome


@pytest.fixture(params=VERSIONS, ids=["1.2", "1.3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    """Both."""
    found: ssl.TLSVersion = request.param
    return found


@pytest.fixture(scope="module")
def server_paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """The server's own."""
    return CA.leaf().write(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def jo(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A client below both intermediates."""
    return CA.leaf("jo.test", client=True).write(tmp_path_factory.mktemp("jo"))


def asking(paths: Paths, crl: bytes, ca: bytes = CA.root_pem) -> Certificates:
    """What asks clients for certificates, and knows these lists."""
    client = WatchedSource(load=lambda: ClientAuth(ca=ca, crl=crl))
    return certificates(paths, client=client)


def trusting(version: ssl.TLSVersion, show: Paths | None = None, *, chain: bytes | None = None) -> ssl.SSLContext:
    """A client that shows a certificate."""
    certificate = show
    if show is not None and chain is not None:
        folder = show.key.parent / "shown"
        certificate = Pair(
            cert_pem=show.pair.cert_pem, chain_pem=chain, key_pem=show.pair.key_pem
        ).write(folder)  # fmt: skip
    context = client_context(
        CA.write(Path(show.key.parent) if show else Path("/nonexistent")) if show else None,
        cert=certificate.fullchain if certificate else None,
        key=certificate.key if certificate else None,
    )
    context.minimum_version = context.maximum_version = version
    return context


LEAVES = CA.crl(1)  # of the authority that signs clients: what whoever has but that one goes by
REVOKING_LOWER = CA.crl(LOWER.serial_number, level=1)
REVOKING_UPPER = CA.crl(UPPER.serial_number, level=0)
OLD = {"begins": NOW - 3 * DAY, "ends": NOW - DAY}


@pytest.mark.parametrize(
    ("lists", "ca", "words"),
    [
        (LEAVES, CA.root_pem, None),
        (LEAVES + CA.crl(level=1) + CA.crl(level=0), CA.root_pem, None),
        (LEAVES + REVOKING_LOWER, CA.root_pem, "CN=line intermediate 2"),
        (LEAVES + REVOKING_UPPER, CA.root_pem, "CN=line intermediate 1"),
        (LEAVES + CA.crl(level=1, **OLD), CA.root_pem, "the revocation list of CN=line intermediate 1 expired"),
        (LEAVES + REVOKING_LOWER, b"".join([CA.root_pem, *CA.intermediate_pems]), "CN=line intermediate 2"),
        (LEAVES + REVOKING_UPPER, b"".join([CA.root_pem, *CA.intermediate_pems]), "CN=line intermediate 1"),
    ],
    ids=["leaves alone", "all", "lower", "upper", "old", "lower, trusted", "upper, trusted"],
)  # fmt: skip
def test_each_list_counts_for_each_authority(
    server_paths: Paths, jo: Paths, version: ssl.TLSVersion, lists: bytes, ca: bytes, words: str | None
) -> None:
    """An authority that is revoked, or of which nobody can say that it is not, ends the handshake by an alert."""
    served = asking(server_paths, lists, ca)
    outcome = shake(served.context, trusting(version, jo))
    if words is None:
        assert (outcome.refusal, outcome.alert) == (None, None)
        assert outcome.quiet
    else:
        assert words in (outcome.refusal or "")
        assert "(CN=jo.test, signed by CN=line intermediate 2)" in (outcome.refusal or "")
        assert outcome.alert == "SSLV3_ALERT_BAD_CERTIFICATE"
        assert outcome.session is None or not outcome.session.has_ticket
    assert shake(served.context, trusting(version, jo)).refusal == outcome.refusal


def test_a_revoked_authority_beside_the_path_keeps_nobody_out(
    server_paths: Paths, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    """What a client shows besides, and OpenSSL does not need, is not its path."""
    two = CA.sister("another")
    jill = two.leaf("jill.test", client=True).write(tmp_path)
    served = asking(server_paths, two.crl(1) + REVOKING_UPPER)
    beside = trusting(version, jill, chain=jill.pair.chain_pem + b"".join(CA.intermediate_pems))
    assert shake(served.context, beside).refusal is None


@pytest.mark.parametrize("count", [11, 60])
def test_a_long_row_of_authorities(server_paths: Paths, jo: Paths, version: ssl.TLSVersion, count: int) -> None:
    """Is not looked up: nobody's path is so long."""
    served = asking(server_paths, LEAVES)
    chain = b"".join(CA.intermediate_pems) + b"".join(Authority(f"a {n}").root_pem for n in range(count - 2))
    outcome = shake(served.context, trusting(version, jo, chain=chain))
    assert f"there are {count}, and 10 are looked up at most" in (outcome.refusal or "")


def test_a_client_without_a_certificate(server_paths: Paths, jo: Paths, version: ssl.TLSVersion) -> None:
    """Comes in where certificates are optional."""
    client = WatchedSource(load=lambda: ClientAuth(ca=CA.root_pem, crl=LEAVES + REVOKING_UPPER, mode="optional"))
    served = certificates(server_paths, client=client)
    context = trusting(version, jo)
    nobody = ssl.create_default_context(cadata=CA.root_pem.decode())
    nobody.minimum_version = nobody.maximum_version = version
    assert shake(served.context, nobody).refusal is None
    assert shake(served.context, context).refusal is not None


def test_a_list_that_runs_out_while_it_serves(
    server_paths: Paths, jo: Paths, version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    """From then on nobody of that authority's comes in, and the log says why."""
    now = [datetime.datetime.now(datetime.timezone.utc)]
    served = asking(server_paths, LEAVES + CA.crl(level=0))
    lists = read_lists(LEAVES + CA.crl(level=0))
    authorities = Authorities([CA.root.public_bytes(Encoding.DER)], lists, clock=lambda: now[0])
    served.authorities = authorities
    served._table = served._make_table()
    assert authorities.news() == ()
    assert shake(served.context, trusting(version, jo)).refusal is None
    now[0] += 2 * DAY
    assert "expired on" in (shake(served.context, trusting(version, jo)).refusal or "")
    served.reload_changed()
    assert "the revocation list of CN=line expired on" in caplog.text
    caplog.clear()
    served.reload_changed()
    assert caplog.text == ""


@pytest.fixture
def two_names(tmp_path: Path) -> Certificates:
    """Two names, and strict."""
    one, two = (CA.leaf(name).write(tmp_path / name) for name in ("a.test", "b.test"))
    table = {"a.test": [origin(one)], "b.test": [origin(two)]}
    return certificates(one, Policy(), table=table, strict=True)


def test_the_name_of_a_resumed_session(two_names: Certificates, jo: Paths, version: ssl.TLSVersion) -> None:
    """Is the one that this ClientHello asks for; and a name that is not served is refused, session or not."""
    context = trusting(version, jo)
    context.check_hostname = False
    first = shake(two_names.context, context, "a.test")
    assert (first.sni, first.resumed, first.quiet) == ("a.test", False, True)
    again = shake(two_names.context, context, "a.test", first.session)
    assert (again.sni, again.resumed) == ("a.test", True)
    other = shake(two_names.context, context, "b.test", first.session)
    assert other.sni == "b.test"
    unknown = shake(two_names.context, context, "c.test", first.session)
    assert unknown.alert == "TLSV1_UNRECOGNIZED_NAME"
