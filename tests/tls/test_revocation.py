"""What a revocation list says of a certificate."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certs import DAY, NOW, Authority, make_key
from tlsrun.tls.revocation import objection, oddities, read_lists

CA = Authority("the root", intermediates=1)
ROOT, SUB = CA.root, CA.line[1][0]
OTHER = Authority("the root")  # of the same name, with another key
UNKNOWN = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)


def point(**more: object) -> tuple[x509.ExtensionType, bool]:
    """For which certificates a list is."""
    given = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False, "only_contains_ca_certs": False,
        "only_some_reasons": None, "indirect_crl": False, "only_contains_attribute_certs": False, **more,
    }  # fmt: skip
    return x509.IssuingDistributionPoint(**given), True  # type: ignore[arg-type]


LISTS = {
    "none": (b"", None),
    "good": (CA.crl(level=0), None),
    "of others": (CA.crl(1, 2, level=0), None),
    "revoked": (CA.crl(SUB.serial_number, level=0), "it is revoked, by the revocation list of CN=the root"),
    "revoked once, by an old list": (
        CA.crl(level=0) + CA.crl(SUB.serial_number, level=0, begins=NOW - 3 * DAY, ends=NOW - DAY),
        "it is revoked, by the revocation list of CN=the root",
    ),
    "expired": (
        CA.crl(level=0, begins=NOW - 3 * DAY, ends=NOW - DAY),
        f"the revocation list of CN=the root expired on {NOW - DAY:%Y-%m-%d %H:%M} UTC",
    ),
    "expired, and its successor": (CA.crl(level=0, begins=NOW - 3 * DAY, ends=NOW - DAY) + CA.crl(level=0), None),
    "to come": (CA.crl(level=0, begins=NOW + DAY, ends=NOW + 2 * DAY), "is not valid before"),
    "forged": (CA.crl(level=0, key=make_key("ecdsa")), "is not signed by the key of CN=the root"),
    "forged, and revoked": (CA.crl(SUB.serial_number, level=0, key=make_key("ecdsa")), "is not signed by the key of"),
    "of a namesake": (OTHER.crl(SUB.serial_number), None),
    "strange": (CA.crl(level=0, extensions=[UNKNOWN]), "critical extension that is not known here (1.2.3.4)"),
    "delta": (CA.crl(level=0, extensions=[(x509.DeltaCRLIndicator(1), True)]), None),
    "delta, and revoked": (
        CA.crl(SUB.serial_number, level=0, extensions=[(x509.DeltaCRLIndicator(1), True)]), "it is revoked",
    ),
    "for users": (CA.crl(level=0, extensions=[point(only_contains_user_certs=True)]), None),
    "for users, expired": (
        CA.crl(level=0, begins=NOW - 3 * DAY, ends=NOW - DAY, extensions=[point(only_contains_user_certs=True)]), None,
    ),
    "for authorities, expired": (
        CA.crl(level=0, begins=NOW - 3 * DAY, ends=NOW - DAY, extensions=[point(only_contains_ca_certs=True)]),
        "expired on",
    ),
    "indirect": (CA.crl(level=0, extensions=[point(indirect_crl=True)]), None),
}  # fmt: skip


@pytest.mark.parametrize("which", LISTS)
def test_an_authority(which: str) -> None:
    """Is refused when it is revoked, or nobody can say that it is not; not where its issuer has no list for it."""
    lists, words = LISTS[which]
    found = objection(SUB, ROOT, read_lists(lists), NOW)
    assert found is None if words is None else words in (found or "")


def test_a_root_is_on_no_list_but_its_own() -> None:
    """An old list says nothing against the end of all paths; a list of its own that names it does."""
    old = CA.crl(level=0, begins=NOW - 3 * DAY, ends=NOW - DAY)
    assert objection(ROOT, ROOT, read_lists(old), NOW) is None
    assert "revoked" in (objection(ROOT, ROOT, read_lists(CA.crl(ROOT.serial_number, level=0)), NOW) or "")


def test_an_authority_that_may_not_sign_lists() -> None:
    """keyUsage without cRLSign (RFC 5280, section 4.2.1.3)."""
    key = make_key("ecdsa")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mute")])
    usage = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    mute = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    lists = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(NOW - DAY).next_update(NOW + DAY)
    pem = lists.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    assert "may not sign lists" in (objection(SUB, mute, read_lists(pem), NOW) or "")


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("good", ""),
        ("revoked", ""),
        ("expired", "expired on"),
        ("to come", "is not valid before"),
        ("forged", "is not signed by the key of CN=the root"),
        ("strange", "has a critical extension"),
        ("delta", "a delta list"),
        ("indirect", "an indirect list"),
    ],
)
def test_oddities(which: str, words: str) -> None:
    """What is said at the start."""
    found = [what for one in read_lists(LISTS[which][0]) for what, _ in oddities(one, [ROOT], NOW)]
    assert (len(found) == 1 and words in found[0]) if words else found == []


def test_names_are_compared_as_names() -> None:
    """Without case, with single spaces (RFC 5280, section 7.1)."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The  ROOT")])
    lists = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(NOW - DAY).next_update(NOW + DAY)
    entry = x509.RevokedCertificateBuilder().serial_number(SUB.serial_number).revocation_date(NOW).build()
    pem = lists.add_revoked_certificate(entry).sign(CA.line[0][1], hashes.SHA256()).public_bytes(Encoding.PEM)
    assert "revoked" in (objection(SUB, ROOT, read_lists(pem), NOW) or "")


def test_removed_from_the_list() -> None:
    """A certificate that was on hold, and is not any more (RFC 5280, section 5.3.1)."""
    removed = x509.RevokedCertificateBuilder().serial_number(SUB.serial_number).revocation_date(NOW)
    removed = removed.add_extension(x509.CRLReason(x509.ReasonFlags.remove_from_crl), critical=False)
    lists = x509.CertificateRevocationListBuilder().issuer_name(ROOT.subject).last_update(NOW - DAY)
    lists = lists.next_update(NOW + DAY).add_revoked_certificate(removed.build())
    pem = lists.sign(CA.line[0][1], hashes.SHA256()).public_bytes(Encoding.PEM)
    assert objection(SUB, ROOT, read_lists(pem), NOW) is None


def test_an_entry_that_cannot_be_read() -> None:
    """It revokes all the same: here its certificateIssuer has an X.400 address, which the library does not read."""
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.29"), bytes.fromhex("3004a3023000"))
    entry = x509.RevokedCertificateBuilder().serial_number(SUB.serial_number).revocation_date(NOW)
    lists = x509.CertificateRevocationListBuilder().issuer_name(ROOT.subject).last_update(NOW - DAY)
    lists = lists.next_update(NOW + DAY).add_revoked_certificate(entry.add_extension(strange, critical=False).build())
    pem = lists.sign(CA.line[0][1], hashes.SHA256()).public_bytes(Encoding.PEM)
    assert "it is revoked" in (objection(SUB, ROOT, read_lists(pem), NOW) or "")


def test_versions() -> None:
    """Of version 1 there are no extensions; OpenSSL reads it, Granian does not."""
    assert [one.version for one in read_lists(CA.crl(level=0))] == [2]
    assert [one.version for one in read_lists(version_1(CA))] == [1]


def version_1(authority: Authority) -> bytes:
    """A list of version 1 of the root's, empty: what `openssl ca -gencrl` makes without crl_extensions."""
    issuer, key = authority.line[0]

    def part(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = (
            bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
        )
        return bytes([tag]) + length + content

    algorithm = part(0x30, bytes.fromhex("06082a8648ce3d040302"))  # ecdsa-with-SHA256
    times = b"".join(part(0x17, f"{when:%y%m%d%H%M%SZ}".encode()) for when in (NOW - DAY, NOW + DAY))
    tbs = part(0x30, algorithm + issuer.subject.public_bytes() + times)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    whole = part(0x30, tbs + algorithm + part(0x03, b"\x00" + signature))
    return x509.load_der_x509_crl(whole).public_bytes(Encoding.PEM)


def test_what_cannot_be_read() -> None:
    """Is no list, at once."""
    with pytest.raises(ValueError, match="parsing"):
        read_lists(b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
    assert read_lists(CA.root_pem) == ()
