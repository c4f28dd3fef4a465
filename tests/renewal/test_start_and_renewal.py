"""One judgement: what the start says of files, and what a renewal says of the same ones while a good one is served."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.check.horrors import leaf
from tests.support.certs import DAY, NOW, PEM, Authority, Pair, Paths, key_pem, make_key
from tests.tls.loading import openssl
from tlsrun.deciding.default_identity import read_identity
from tlsrun.deciding.facts import Facts, ServerFacts
from tlsrun.deciding.plan import Plan, decide
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.servers.certificates import certificates_of
from tlsrun.settings.layers import flask_layer, resolve
from tlsrun.settings.mapping import Ours
from tlsrun.settings.table import SPECS

#: What is in service; this machine knows no root of these.
GOOD, NEXT, FLAT = Authority("good", intermediates=1), Authority("next", intermediates=1), Authority("flat")
SHORT = Authority("short", intermediates=1, ends=[NOW - DAY])


def but(pair: Pair, **parts: bytes) -> Pair:
    """The same with other parts."""
    return replace(pair, **parts)


def with_cross_signature() -> Pair:
    """Above the issuer that clients need stands one that has expired, which they do without."""
    pair = GOOD.leaf()
    return but(pair, chain_pem=pair.chain_pem + GOOD.cross_signed(Authority("old"), ends=NOW - DAY))


def wrong_order() -> Pair:
    pair = GOOD.leaf()
    return but(pair, cert_pem=pair.chain_pem, chain_pem=pair.cert_pem)


def der() -> Pair:
    pair = FLAT.leaf()
    return but(pair, cert_pem=pair.der)


def self_signed() -> Pair:
    certificate, key = FLAT.line[0]
    return Pair(cert_pem=certificate.public_bytes(PEM), chain_pem=b"", key_pem=key_pem(key))


def stapled() -> Pair:
    cert, key = leaf(GOOD, must_staple=True)
    return Pair(cert_pem=cert, chain_pem=GOOD.leaf().chain_pem, key_pem=key)


def by_openssl(folder: Path, digest: str, *key: str) -> Pair:
    """A leaf that an authority signed with ``digest``, with its issuer."""
    kind = key or ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    openssl("genpkey", *kind, "-out", "leaf.key", cwd=folder)
    (folder / "leaf.ext").write_text("subjectAltName=DNS:localhost")
    certificate, ca_key = GOOD.line[-1]
    (folder / "ca.pem").write_bytes(certificate.public_bytes(PEM) + key_pem(ca_key))
    openssl("req", "-new", "-key", "leaf.key", "-subj", "/CN=localhost", "-out", "leaf.csr", cwd=folder)
    openssl("x509", "-req", digest, "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.pem", "-CAcreateserial",
            "-extfile", "leaf.ext", "-out", "leaf.pem", cwd=folder)  # fmt: skip
    parts = [(folder / f"leaf.{kind}").read_bytes() for kind in ("pem", "key")]
    return Pair(cert_pem=parts[0], chain_pem=GOOD.leaf().chain_pem, key_pem=parts[1])


P_521 = ec.SECP521R1
SHORT_RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")

#: State of the files -> what the start says, and the codes of its errors or warnings; what a renewal says at its first
#: look; what it says when they are the same a minute later.
STATES: dict[str, tuple[Callable[[Path], Pair], str, str, str]] = {
    "good": (lambda folder: GOOD.leaf(), "served", "served", "served"),
    "for other names": (lambda folder: GOOD.leaf(["other.test"]), "served", "served", "served"),
    "another kind of key": (lambda folder: GOOD.leaf(key="rsa"), "served", "served", "served"),
    "of another authority": (lambda folder: NEXT.leaf(), "served", "served", "served"),
    "P-521": (lambda folder: GOOD.leaf(key=ec.generate_private_key(P_521())), "served", "served", "served"),
    "in the wrong order": (lambda folder: wrong_order(), "served TLS131", "served TLS131", "served TLS131"),
    "an expired issuer too many": (
        lambda folder: with_cross_signature(), "served TLS137", "served TLS137", "served TLS137",
    ),
    "self-signed": (
        lambda folder: self_signed(), "served TLS144 TLS146", "served TLS144 TLS146", "served TLS144 TLS146",
    ),
    "to be stapled": (lambda folder: stapled(), "served TLS123", "served TLS123", "served TLS123"),
    "without its issuer": (
        lambda folder: but(GOOD.leaf(), chain_pem=b""), "served TLS133", "kept TLS133", "served TLS133",
    ),
    "a shorter chain to an unknown root": (
        lambda folder: FLAT.leaf(), "served TLS133", "kept TLS133", "served TLS133",
    ),
    "DER": (lambda folder: der(), "served TLS133", "kept TLS133", "served TLS133"),
    "expired": (
        lambda folder: GOOD.leaf(not_before=NOW - 9 * DAY, not_after=NOW - DAY),
        "refused TLS140", "kept TLS140", "kept TLS140",
    ),
    "not yet valid": (
        lambda folder: GOOD.leaf(not_before=NOW + DAY), "refused TLS141", "kept TLS141", "kept TLS141",
    ),
    "an expired issuer that is needed": (
        lambda folder: SHORT.leaf(), "refused TLS138", "kept TLS138", "kept TLS138",
    ),
    "of another key": (
        lambda folder: but(GOOD.leaf(), key_pem=key_pem(make_key("ecdsa"))),
        "refused TLS111", "kept TLS111", "kept TLS111",
    ),
    "half written": (
        lambda folder: but(GOOD.leaf(), cert_pem=GOOD.leaf().cert_pem[:300], chain_pem=b""),
        "refused TLS118", "kept TLS118", "kept TLS118",
    ),
    "empty": (
        lambda folder: but(GOOD.leaf(), cert_pem=b"", chain_pem=b""), "refused TLS105", "kept TLS105", "kept TLS105",
    ),
    "an encrypted key": (lambda folder: GOOD.leaf(password=b"x"), "refused TLS112", "kept TLS112", "kept TLS112"),
    "SHA-1": (lambda folder: by_openssl(folder, "-sha1"), "refused TLS121", "kept TLS121", "kept TLS121"),
    "SHA-3": (lambda folder: by_openssl(folder, "-sha3-256"), "refused TLS165", "kept TLS165", "kept TLS165"),
    "a short key": (
        lambda folder: by_openssl(folder, "-sha256", *SHORT_RSA), "refused TLS120", "kept TLS120", "kept TLS120",
    ),
}  # fmt: skip


def plan_of(paths: Paths, *, http: tuple[str, ...] = ("1.1",), **more: str) -> Plan:
    """What the start decides, on an address that others can reach; raises what it says instead."""
    files = {"TLS_CERT": str(paths.fullchain), "TLS_KEY": str(paths.key)}
    resolution = resolve([flask_layer({**files, "TLS_HOST": "192.0.2.7", **more})])
    mapping = {setting: Ours("") for setting in SPECS}
    server = ServerFacts(name="builtin", title="x", version="1", missing=None, mapping=mapping, http=http)
    facts = Facts(
        now=datetime.datetime.now(datetime.timezone.utc),
        server=server,
        servers={"builtin": server},
        loaded=read_identity(resolution),
    )
    return decide(resolution, facts, framework="flask")


def said(word: str, problems: tuple[Problem, ...]) -> str:
    """As `STATES` has it."""
    return " ".join([word, *sorted(str(one.code) for one in problems)])


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Pair, str, str, str]:
    """The files' contents, and what is to be said."""
    make, *expected = STATES[request.param]
    folder = tmp_path / "made"
    folder.mkdir()
    return (make(folder), *expected)  # type: ignore[return-value]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Lets a minute pass."""
    then = datetime.datetime.now(datetime.timezone.utc)

    def pass_a_minute() -> None:
        for module in ("tls.origin", "renewal.reload"):
            monkeypatch.setattr(f"tlsrun.{module}.utc_now", lambda: then + datetime.timedelta(seconds=62))

    return pass_a_minute


def test_what_the_start_says_a_renewal_says(
    state: tuple[Pair, str, str, str], tmp_path: Path, clock: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """What it would serve is served, a minute later where the file may have been cut; what it refuses never is. Both
    say the same words."""
    pair, at_the_start, *renewal = state
    start, words = _start(pair.write(tmp_path))
    assert start == at_the_start
    live = GOOD.leaf().write(tmp_path)
    serving = certificates_of(plan_of(live))
    pair.write(tmp_path)
    begun = serving.current()[0]
    for expected in renewal:
        caplog.clear()
        before = serving.current()[0]
        for _ in range(3):
            serving.reload_changed()
        (status,) = serving.status()
        verdict, _, codes = expected.partition(" ")
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        if verdict == "kept":
            assert serving.current()[0] is begun
            assert all(one in (status.last_error or "") for one in words)
            assert codes == at_the_start.partition(" ")[2]
        else:
            assert status.last_error is None
            assert serving.current()[0].key == pair.key_pem
            # Once, when it begins to be served.
            newly = before is begun
            assert [any(one in line for line in told) for one in words] == [newly] * len(words)
        clock()


def test_a_key_that_http_3_cannot_use(tmp_path: Path) -> None:
    """Refused at the start, and at a renewal, with the same reason; over TCP alone it is served."""
    odd = GOOD.leaf(key=ec.generate_private_key(P_521()))
    with pytest.raises(ConfigurationError, match="HTTP/3 cannot sign with a key of the kind ECDSA P-521") as refused:
        plan_of(odd.write(tmp_path), http=("3", "1.1"))
    assert [one.code for one in refused.value.problems] == ["TLS219"]
    serving = certificates_of(plan_of(GOOD.leaf().write(tmp_path), http=("3", "1.1")))
    begun = serving.current()[0]
    odd.write(tmp_path)
    assert not serving.reload()
    assert serving.current()[0] is begun
    assert "HTTP/3 cannot sign with a key of the kind ECDSA P-521. Have a" in str(serving.status()[0].last_error)


def test_a_key_that_no_suite_is_for(tmp_path: Path) -> None:
    """TLS 1.2 alone, and suites for ECDSA alone: RSA is refused at both; where TLS 1.3 is spoken it is not."""
    settings = {"TLS_MAX_VERSION": "1.2", "TLS_CIPHERS": "ECDHE-ECDSA-AES256-GCM-SHA384"}
    odd = GOOD.leaf(key="rsa")
    words = "no suite of 'ECDHE-ECDSA-AES256-GCM-SHA384' works with a key of the kind RSA 2048"
    with pytest.raises(ConfigurationError, match=words) as refused:
        plan_of(odd.write(tmp_path), **settings)
    assert [one.code for one in refused.value.problems] == ["TLS208"]
    assert plan_of(odd.write(tmp_path), TLS_CIPHERS=settings["TLS_CIPHERS"]).policy.max_version is None
    serving = certificates_of(plan_of(GOOD.leaf().write(tmp_path), **settings))
    begun = serving.current()[0]
    odd.write(tmp_path)
    assert not serving.reload()
    assert serving.current()[0] is begun
    assert words in str(serving.status()[0].last_error)


@pytest.mark.parametrize("setting", ["TLS_KEY_PASSWORD_FILE", "TLS_KEY_PASSWORD_COMMAND"])
def test_a_password_that_changes_with_its_key(setting: str, tmp_path: Path, clock: Callable[[], None]) -> None:
    """It is read again where it comes from, as at a start; one that does not open the key leaves the old one."""
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    value = str(secret) if setting.endswith("FILE") else f"cat {secret}"
    live = GOOD.leaf(password=b"first").write(tmp_path)
    serving = certificates_of(plan_of(live, **{setting: value}))
    begun = serving.current()[0]
    new = GOOD.leaf(password=b"second").write(tmp_path)
    for _ in range(3):
        serving.reload_changed()
    assert serving.current()[0] is begun
    assert "the password does not open the private key" in str(serving.status()[0].last_error)
    secret.write_text("second\n")
    clock()
    serving.reload_changed()
    assert serving.status()[0].last_error is None
    assert serving.current()[0].certificate == new.pair.certificate


def _start(paths: Paths) -> tuple[str, list[str]]:
    """What the start says, and the words of it."""
    try:
        warnings = plan_of(paths).warnings
    except ConfigurationError as error:
        return said("refused", error.problems), [one.what for one in error.problems]
    return said("served", warnings), [one.what for one in warnings]
