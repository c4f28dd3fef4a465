"""What is said of a client certificate, compared with what Apache's mod_ssl says of the same certificate."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import apache as support
from tests.support.clients import Address
from tests.wsgi import forge
from tests.wsgi.forge import attribute as a
from tests.wsgi.forge import name
from tlsrun.wsgi.attribute_names import SHORT_NAMES
from tlsrun.wsgi.facts import facts_from_certificate

C, O, OU, CN = "2.5.4.6", "2.5.4.10", "2.5.4.11", "2.5.4.3"  # noqa: E741 -- their names
EMAIL, UID, DC = "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.1", "0.9.2342.19200300.100.1.25"


@pytest.fixture(scope="module")
def authority() -> forge.Forged:
    """The issuer of the clients' certificates; its own name is odd too."""
    return forge.certificate(name(a(C, "DE", forge.PRINTABLE), a(O, "A+B, GmbH & Söhne"), a(CN, " root ")))


@pytest.fixture(scope="module")
def apache(authority: forge.Forged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """An Apache that answers with mod_ssl's variables."""
    folder = tmp_path_factory.mktemp("apache")
    ca, _ = authority.write(folder, "ca")
    cert, key = forge.certificate(name(a(CN, "localhost")), issuer=authority).write(folder, "server")
    with support.apache(folder, cert=cert, key=key, ca=ca) as address:
        yield address


def compare(address: Address, forged: forge.Forged, folder: Path) -> dict[str, str]:
    """Assert that mod_ssl says the same; return what is said."""
    theirs = support.said_by_apache(address, *forged.write(folder, "client"))
    facts = facts_from_certificate(forged.certificate)
    ours = {one: value for one, value in facts.items() if one in support.CLIENT_FACTS}
    assert theirs.pop("SSL_CLIENT_CERT").split() == ours.pop("SSL_CLIENT_CERT").split()
    assert ours == theirs
    return ours


SUBJECTS = {
    "plain": name(a(C, "DE", forge.PRINTABLE), a(O, "Acme"), a(CN, "Jo")),
    "commas, quotes and the like": name(a(O, "Acme, Inc."), a(CN, 'a+b"c\\d<e>f;g=h/i*j(k)')),
    "UTF-8": name(a(O, "Grün€ 日本 \U0001f600"), a(CN, "é")),
    "several values in one part": name(a(O, "x"), (a(OU, "a+b"), a(CN, "c"), a(UID, "d"))),
    "several values, not sorted": name((a(CN, "z"), a(OU, "y"), a(CN, "a"))),
    "e-mail, domain components, user": name(
        a(DC, "test", forge.IA5), a(DC, "x", forge.IA5), a(UID, "u"), a(EMAIL, "j@x.test", forge.IA5),
    ),
    "space first": name(a(CN, " x")),
    "hash first": name(a(CN, "#x")),
    "space last": name(a(CN, "x ")),
    "spaces": name(a(CN, "  x  "), a(O, "  "), a(OU, "   ")),
    "one space": name(a(CN, " ")),
    "one hash": name(a(CN, "#")),
    "one comma": name(a(CN, ",")),
    "hash and space": name(a(CN, "# "), a(O, " #")),
    "hash of several values": name((a(CN, "#1"), a(OU, " 2 "))),
    "control characters": name(a(CN, "a\nb\x00c\x1fd\x7fe\tf"), a(O, "\n"), a(OU, "\x7f ")),
    "nothing in a value": name(a(CN, ""), a(O, "x")),
    "no name": name(),
    "unknown attribute": name(a("1.2.3.4.5.16384", "odd, this"), a("2.999.7", b"\0\x05", forge.BITS), a(CN, "x")),
    "a known attribute without text": name(
        a("2.5.4.45", b"\x00\xff", forge.BITS), a(CN, b"\0\x01", forge.BITS), a(O, "x"),
    ),
    "string types": name(
        a(O, "P", forge.PRINTABLE), a(O, "N", forge.NUMERIC), a(O, "I", forge.IA5),
        a(O, "Gr\xfcn \x80".encode("latin-1"), forge.T61), a(O, "Gr\xfcn".encode("latin-1"), forge.IA5),
        a(O, "Gr\xfcn€ ,".encode("utf-16-be"), forge.BMP),
        a(O, "Gr\xfcn\U0001f600".encode("utf-32-be"), forge.UNIVERSAL),
    ),
    "ends of a wide string": name(
        a(O, " # ".encode("utf-16-be"), forge.BMP), a(O, "#".encode("utf-16-be"), forge.BMP),
    ),
    "long": name(a(O, "x" * 300), *(a(OU, f"unit {n}") for n in range(40))),
}  # fmt: skip


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS.keys())
def test_names_are_spelled_as_mod_ssl_spells_them(
    apache: Address, authority: forge.Forged, tmp_path: Path, subject: bytes
) -> None:
    """Whatever a name holds, it reads as under Apache, and so do the other facts of the certificate."""
    compare(apache, forge.certificate(subject, issuer=authority), tmp_path)


def test_all_attribute_names(apache: Address, authority: forge.Forged, tmp_path: Path) -> None:
    """Every attribute that we know by name has that name under Apache, and so have their neighbours, and what never
    stands in names: the table does not lag behind the OpenSSL that is here."""
    kinds = [f"{arc}.{number}" for arc in {kind.rpartition(".")[0] for kind in SHORT_NAMES} for number in range(1, 120)]
    kinds += ["2.5.29.17", "1.2.840.113549.1.1.1", "1.3.6.1.5.5.7.3.2", "2.16.840.1.101.3.4.2.1", "1.2.3.4"]
    assert set(SHORT_NAMES) < set(kinds)
    for start in range(0, len(kinds), 200):
        subject = name(*(a(kind, "x") for kind in kinds[start : start + 200]))
        compare(apache, forge.certificate(subject, issuer=authority), tmp_path)


@pytest.mark.parametrize(
    ("serial", "said"),
    [(b"\x05", "05"), (b"\x00\x80\xaa", "80AA"), (b"\x00", "00"), (b"\xff\x7f", "-81"), (b"\x12" * 20, "12" * 20)],
)
def test_serial_numbers(apache: Address, authority: forge.Forged, tmp_path: Path, serial: bytes, said: str) -> None:
    """A serial number is hexadecimal, in whole octets."""
    forged = forge.certificate(name(a(CN, "x")), issuer=authority, serial=serial)
    assert compare(apache, forged, tmp_path)["SSL_CLIENT_M_SERIAL"] == said


@pytest.mark.parametrize(
    ("dns", "emails"),
    [
        ((b"a.test", b"*.b.test"), (b"jo@a.test", b"al@b.test")),
        ((b"one.test",), ()),
        ((b"a\\b\n,c\x00.test", b"gr\xfcn.test"), (b'"x, y"@a.test', b" # ")),
        ((b"", b"second.test"), (b"", b"second@a.test")),
    ],
)
def test_alternative_names(
    apache: Address, authority: forge.Forged, tmp_path: Path, dns: tuple[bytes, ...], emails: tuple[bytes, ...]
) -> None:
    """DNS names and e-mail addresses are counted from 0, each kind for itself; nothing in them can pass for two."""
    compare(apache, forge.certificate(name(a(CN, "x")), issuer=authority, dns=dns, emails=emails), tmp_path)


@pytest.mark.parametrize("days", [0.5, 1.5, 400.5])
def test_dates(apache: Address, authority: forge.Forged, tmp_path: Path, days: float) -> None:
    """Dates read as under Apache, and the days that remain are whole ones."""
    facts = compare(apache, forge.certificate(name(a(CN, "x")), issuer=authority, days=days), tmp_path)
    assert facts["SSL_CLIENT_V_REMAIN"] == str(int(days))
    assert ssl.cert_time_to_seconds(facts["SSL_CLIENT_V_END"])
