"""Certificates that change while they serve, with real clients."""

from __future__ import annotations

import datetime
import itertools
import logging
import shutil
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certs import DAY, NOW, Authority, Pair, Paths
from tests.support.clients import Address, client_context, facts, openssl_s_client, tls_connect
from tests.support.process import run
from tests.tls.serving import TLS12, TLS13, certificates, origin, served
from tlsrun.certificates.identity import load_identity
from tlsrun.errors import CertificateError
from tlsrun.renewal.reload import Certificates
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.origin import WatchedSource
from tlsrun.tls.policy import Policy


@pytest.fixture
def paths(ca: Authority, tmp_path: Path) -> Paths:
    """A certificate of this test alone."""
    return ca.leaf().write(tmp_path / "default")


def der(address: Address, name: str = "localhost", context: ssl.SSLContext | None = None) -> bytes:
    """The certificate that a client of ``name`` gets."""
    with tls_connect(address, None, name=name, context=context) as tls:
        return facts(tls).certificate


def replace(paths: Paths, pair: Pair) -> Pair:
    """Write another pair into the same files."""
    pair.write(paths.key.parent)
    return pair


def test_serves_the_new_certificate(ca: Authority, paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """After a reload new connections get the new certificate, whatever name they ask for."""
    caplog.set_level(logging.INFO)
    served_certificates = certificates(paths)
    with served(served_certificates.context) as address:
        assert der(address) == paths.pair.der
        new = replace(paths, ca.leaf())
        assert der(address) == paths.pair.der
        assert served_certificates.reload()
        assert der(address) == der(address, name="127.0.0.1") == der(address, name="unknown.test") == new.der
    assert "reloaded certificate for localhost, 127.0.0.1, ::1 (valid until " in caplog.text
    assert "PRIVATE" not in caplog.text


def test_open_connections_stay(ca: Authority, paths: Paths) -> None:
    """A connection that is open over a rotation goes on."""
    served_certificates = certificates(paths)
    with served(served_certificates.context) as address, tls_connect(address, None) as tls:
        replace(paths, ca.leaf(key="rsa"))
        served_certificates.reload()
        tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert tls.recv(64).startswith(b"HTTP/1.1 200")


def _bad(kind: str, ca: Authority, paths: Paths) -> None:
    if kind == "half written":
        paths.fullchain.write_bytes(ca.leaf().fullchain_pem[:300])
    elif kind == "empty":
        paths.fullchain.write_bytes(b"")
    elif kind == "mismatched":
        paths.fullchain.write_bytes(ca.leaf().fullchain_pem)
    elif kind == "expired":
        replace(paths, ca.leaf(not_before=NOW - 3 * DAY, not_after=NOW - DAY))
    elif kind == "not yet valid":
        replace(paths, ca.leaf(not_before=NOW + DAY, not_after=NOW + 3 * DAY))
    else:
        paths.key.unlink()


@pytest.mark.parametrize("kind", ["half written", "empty", "mismatched", "expired", "not yet valid", "key gone"])
def test_keeps_the_last_good_one(kind: str, ca: Authority, paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be served is said once, with the reason, and the last good certificate stays."""
    served_certificates = certificates(paths)
    _bad(kind, ca, paths)
    with served(served_certificates.context) as address:
        for _ in range(5):
            served_certificates.reload_changed()
        assert not served_certificates.reload()
        assert der(address) == paths.pair.der
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1, caplog.text
    assert warnings[0].getMessage().startswith("kept certificate for localhost, 127.0.0.1, ::1 (valid until ")
    assert warnings[0].exc_info is None
    status = served_certificates.status()[0]
    assert status.last_error is not None
    assert status.last_error_at is not None
    assert status.fingerprint.replace(":", "").lower() == run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", paths.cert]
    ).stdout.strip().partition("=")[2].replace(":", "").lower() or kind in ("expired", "not yet valid")


def test_says_which_names_are_lost(ca: Authority, paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """Fewer names than before are served, with a warning."""
    served_certificates = certificates(paths)
    replace(paths, ca.leaf(["localhost"]))
    assert served_certificates.reload()
    assert "is no longer for 127.0.0.1, ::1" in caplog.text


def test_status_says_what_is_served(ca: Authority, paths: Paths, tmp_path: Path) -> None:
    """One entry for each origin: names, file, time, and no error."""
    other = ca.leaf(["a.test"]).write(tmp_path / "a")
    before = datetime.datetime.now(datetime.timezone.utc)
    table = {"a.test": [origin(other)]}
    default, a_test = Certificates([origin(paths)], Policy(), table=table).status()
    assert default.names == ("localhost", "127.0.0.1", "::1")
    assert default.files == (paths.fullchain, paths.key)
    assert default.hosts == ()
    assert default.not_after == paths.pair.certificate.not_valid_after_utc
    assert default.loaded_at >= before
    assert default.last_error is None
    assert (a_test.hosts, a_test.names) == (("a.test",), ("a.test",))


@pytest.mark.parametrize("policy", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_sessions_survive_a_rotation(policy: Policy, ca: Authority, paths: Paths) -> None:
    """A ticket from before the rotation resumes after it, and so does each later one."""
    served_certificates = certificates(paths, policy)
    client = client_context(None)
    with served(served_certificates.context) as address:
        session, reused = _visit(address, client, None)
        assert not reused
        for _ in range(3):
            replace(paths, ca.leaf())
            served_certificates.reload()
            session, reused = _visit(address, client, session)
            assert reused


def _visit(address: Address, client: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession, bool]:
    with tls_connect(address, None, context=client, session=session) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while tls.recv(4096):
            pass
        assert tls.session is not None
        return tls.session, bool(tls.session_reused)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_resumes(version: str, ca: Authority, paths: Paths, ca_file: Path, tmp_path: Path) -> None:
    """openssl s_client with a stored session says "Reused" after a rotation."""
    served_certificates = certificates(paths)
    stored = str(tmp_path / "session")
    with served(served_certificates.context) as address:
        assert "\nNew, TLSv1." in openssl_s_client(address, ca_file, version, "-sess_out", stored).output
        replace(paths, ca.leaf())
        served_certificates.reload()
        assert "\nReused, TLSv1." in openssl_s_client(address, ca_file, version, "-sess_in", stored).output


@pytest.fixture
def several(ca: Authority, paths: Paths, tmp_path: Path) -> Iterator[tuple[Certificates, dict[str, Paths], Address]]:
    """a.test with both kinds of key, *.b.test, and the default for everything else."""
    pairs = {
        "ecdsa": ca.leaf(["a.test"]).write(tmp_path / "ecdsa"),
        "rsa": ca.leaf(["a.test"], key="rsa").write(tmp_path / "rsa"),
        "wild": ca.leaf(["*.b.test"]).write(tmp_path / "wild"),
        "default": paths,
    }
    made = {name: origin(one) for name, one in pairs.items()}
    table = {"A.test": [made["ecdsa"], made["rsa"]], "*.b.test": [made["wild"]]}
    several_certificates = Certificates([made["default"]], TLS12, table=table)
    with served(several_certificates.context) as address:
        yield several_certificates, pairs, address


def test_serves_several_names(several: tuple[Certificates, dict[str, Paths], Address], ca: Authority) -> None:
    """Each name gets its certificate, each kind of key its client, and each rotates on its own."""
    several_certificates, pairs, address = several
    only_rsa = client_context(None)
    only_rsa.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    rotated: dict[str, bytes] = {}

    def check() -> None:
        expected = {name: rotated.get(name, one.pair.der) for name, one in pairs.items()}
        assert der(address, "a.test") == expected["ecdsa"]
        assert der(address, "A.TEST", only_rsa) == expected["rsa"]
        assert der(address, "x.b.test") == expected["wild"]
        assert der(address, "b.test") == der(address, "127.0.0.1") == expected["default"]

    check()
    for name, one in pairs.items():
        kind = "rsa" if name == "rsa" else "ecdsa"
        names = [str(san) for san in several_certificates.status()[0].names] if name == "default" else ["x.b.test"]
        rotated[name] = replace(one, ca.leaf(names, key=kind)).der
        for _ in range(2):
            several_certificates.reload_changed()
        check()


def test_covers_what_its_certificates_are_for(
    several: tuple[Certificates, dict[str, Paths], Address],
) -> None:
    """The hosts to which a plain HTTP visitor is sent on are the ones of the certificates."""
    covers = several[0].covers
    assert all(map(covers, ["localhost", "127.0.0.1", "::1", "a.test", "x.b.test"]))
    assert not any(map(covers, ["b.test", "evil.test", "", "x.y.b.test"]))


def test_strict_refuses_unknown_names(ca: Authority, tmp_path: Path) -> None:
    """With ``strict`` a name that no certificate is for gets the alert unrecognized_name; no name gets the default."""
    paths = ca.leaf(["localhost", "c.test"]).write(tmp_path / "c")
    with served(certificates(paths, strict=True).context) as address:
        assert der(address, "c.test") == der(address, "127.0.0.1") == paths.pair.der
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized[_ ]name"):
            der(address, "d.test")


def test_client_ca_rotates(ca: Authority, paths: Paths, tmp_path: Path) -> None:
    """A new client CA is in force for new connections; the mode cannot change; a broken one changes nothing."""
    authorities = [Authority("first"), Authority("second")]
    ca_path, mode = tmp_path / "clients.pem", "required"
    ca_path.write_bytes(authorities[0].root_pem)

    def load() -> ClientAuth:
        return ClientAuth(ca=ca_path.read_bytes(), mode=mode)

    asking = certificates(paths, client=WatchedSource(load=load, files=(ca_path,)))
    clients = []
    for authority in authorities:
        pair = authority.leaf("client", client=True).write(tmp_path / authority.root.subject.rfc4514_string())
        clients.append(client_context(None, cert=pair.fullchain, key=pair.key))

    def welcome(client: ssl.SSLContext) -> bool:
        try:
            _visit(address, client, None)
        except (OSError, AssertionError):
            return False
        return True

    with served(asking.context) as address:
        assert [welcome(client) for client in clients] == [True, False]
        ca_path.write_bytes(authorities[1].root_pem)
        assert asking.reload()
        assert [welcome(client) for client in clients] == [False, True]
        ca_path.write_bytes(b"nothing")
        assert not asking.reload()
        clients_now = asking.status()[0].clients
        assert clients_now is not None
        assert (clients_now.mode, clients_now.files) == ("required", (ca_path,))
        assert "client CA" in (clients_now.last_error or "")
        ca_path.write_bytes(authorities[0].root_pem)
        mode = "optional"
        assert not asking.reload()
        assert [welcome(client) for client in clients] == [False, True]


@pytest.mark.parametrize("policy", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_tickets_end_where_trust_does(policy: Policy, ca: Authority, paths: Paths, tmp_path: Path) -> None:
    """An authority that is added leaves sessions alone; one that is taken away ends those of its clients."""
    first, second = Authority("first"), Authority("second")
    ca_path = tmp_path / "clients.pem"
    ca_path.write_bytes(first.root_pem)
    origin_of_clients = WatchedSource(load=lambda: ClientAuth(ca=ca_path.read_bytes()), files=(ca_path,))
    asking = Certificates([origin(paths)], policy, client=origin_of_clients)
    pair = first.leaf("client", client=True).write(tmp_path / "client")
    client = client_context(None, cert=pair.fullchain, key=pair.key)
    with served(asking.context) as address:
        session, _ = _visit(address, client, None)
        ca_path.write_bytes(first.root_pem + second.root_pem)
        assert asking.reload()
        session, reused = _visit(address, client, session)
        assert reused
        ca_path.write_bytes(second.root_pem)
        assert asking.reload()
        with pytest.raises((OSError, AssertionError)):
            _visit(address, client, session)
        ca_path.write_bytes(second.root_pem + first.root_pem)
        assert asking.reload()
        session, reused = _visit(address, client, session)
        assert not reused
        assert _visit(address, client, session)[1]


def test_catches_up_at_once(ca: Authority, paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """A process that begins late serves what the files hold by then, without waiting for a second look."""
    changing = certificates(paths)
    with served(changing.context) as address:
        new = replace(paths, ca.leaf())
        changing.catch_up()
        assert der(address) == new.der
        changing.catch_up()
        paths.key.write_bytes(b"nothing")
        changing.catch_up()
        assert der(address) == new.der


def test_a_cut_file_is_served_once_what_is_in_service_has_expired(
    ca: Authority, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, the good certificate stays; then anything in date is better, and nobody waits for a retry."""
    serving, new = certificates(paths), ca.leaf(not_after=NOW + 60 * DAY)
    paths.fullchain.write_bytes(new.cert_pem)
    paths.key.write_bytes(new.key_pem)
    with served(serving.context) as address:
        for _ in range(3):
            serving.reload_changed()
        assert der(address) == paths.pair.der
        assert "does not hold" in str(serving.status()[0].last_error)
        later = NOW + 30 * DAY + datetime.timedelta(seconds=2)
        for module in ("tls.origin", "renewal.reload"):
            monkeypatch.setattr(f"tlsrun.{module}.utc_now", lambda: later)
        serving.reload_changed()
        assert der(address) == new.der
        assert serving.status()[0].last_error is None


def test_an_expired_issuer_leaves_the_chain_while_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root's cross-signature that expires is left out from that moment on, though no file has changed."""
    old, new = Authority("old"), Authority("new", intermediates=1)
    cross = new.cross_signed(old, ends=NOW + DAY)
    pair = new.leaf()
    files = Pair(cert_pem=pair.cert_pem, chain_pem=pair.chain_pem + cross, key_pem=pair.key_pem).write(tmp_path)
    serving = certificates(files)
    assert len(serving.current()[0].chain) == 2
    real = load_identity
    later = NOW + 2 * DAY
    monkeypatch.setattr("tlsrun.certificates.identity.load_identity", lambda sources: real(sources, now=later))
    for module in ("tls.origin", "renewal.reload"):
        monkeypatch.setattr(f"tlsrun.{module}.utc_now", lambda: later)
    assert serving.reload_changed()
    assert [one.subject.rfc4514_string() for one in serving.current()[0].chain] == ["CN=new intermediate 1"]
    (tmp_path / "root.pem").write_bytes(new.root_pem)
    with served(serving.context) as address:
        sent = openssl_s_client(address, tmp_path / "root.pem", "-showcerts").output
    assert pair.chain_pem.decode() in sent
    assert cross.decode() not in sent
    assert "Verify return code: 0" in sent
    assert serving.status()[0].last_error is None


def test_start_needs_a_certificate(paths: Paths) -> None:
    """At the start there is no last good one: the error is raised."""
    paths.key.unlink()
    with pytest.raises(CertificateError):
        certificates(paths)


def test_rotation_under_load(ca: Authority, paths: Paths, tmp_path: Path) -> None:
    """While pairs of two kinds of key are swapped as fast as it goes, every handshake is served, by a whole pair."""
    pairs = [ca.leaf(key=kind).write(tmp_path / f"{kind}{number}") for kind in ("ecdsa", "rsa") for number in (1, 2)]
    known = {one.pair.der for one in (*pairs, paths)}
    changing = certificates(paths)
    done, failures, count = threading.Event(), [], itertools.count()

    def hammer() -> None:
        while not done.is_set():
            try:
                assert der(address) in known
                next(count)
            except Exception as error:  # noqa: BLE001 -- collected
                failures.append(error)

    with served(changing.context) as address:
        clients = [threading.Thread(target=hammer) for _ in range(4)]
        for client in clients:
            client.start()
        for pair in itertools.islice(itertools.cycle(pairs), 100):
            for path in (pair.fullchain, pair.key):
                shutil.copyfile(path, paths.key.parent / path.name)
            assert changing.reload()
        done.set()
        for client in clients:
            client.join()
    assert failures == []
    assert next(count) > 50
