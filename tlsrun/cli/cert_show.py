"""`tlsrun cert show`: the contents of a certificate, from a file or from a running server."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.describe import describe, title
from tlsrun.certificates.findings import Findings
from tlsrun.certificates.keys import certificate_spki, key_type
from tlsrun.certificates.material import Material, read_certificates, read_material
from tlsrun.certificates.names import covers, issuer_address, shown_name
from tlsrun.certificates.pem import Block
from tlsrun.certificates.roots import known_root
from tlsrun.certificates.sources import Source
from tlsrun.check.live import probes
from tlsrun.check.live.chain import chain_line
from tlsrun.check.live.client import HandshakeResult
from tlsrun.check.live.observation import Verification
from tlsrun.check.live.target import Deadline, ProbeTarget, target_of_url
from tlsrun.check.trust import read_trust
from tlsrun.cli.console import fail
from tlsrun.errors import CertificateError, ConfigurationError, TLSRunError

#: Time limit for each of two handshakes, in seconds.
_PATIENCE = 10.0


@click.command("show")
@click.argument("place", metavar="FILE|URL")
def show_command(place: str) -> None:
    """Print a certificate the way a person wants to read it.

    \b
    tlsrun cert show fullchain.pem            the certificates in a file: PEM, DER or PKCS #12
    tlsrun cert show https://example.org      those that a server sends, and whether this system trusts them
    tlsrun cert show -                        from standard input

    The password of a PKCS #12 file is asked for, or taken from TLSRUN_KEY_PASSWORD. Keys are never shown.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    try:
        lines = list(_server_lines(place, now) if "://" in place else _file_lines(place, now))
    except TLSRunError as error:
        fail(error)
    for line in lines:
        click.echo(line)


def _file_lines(place: str, now: datetime.datetime) -> Iterator[str]:
    material = _read(place)
    findings = Findings()
    certificates = [one.certificate for one in read_certificates(material, findings)]
    form = f", {material.binary.value}" if material.binary else ""
    yield f"{place}{form}: {_count(len(certificates))}"
    yield from _certificate_lines(certificates, now)
    yield ""
    for block in material.pem.keys:
        yield f"key:   {_key_words(block, certificates)}"
    yield from _chain_words(certificates, corrected=bool(findings.warnings))


def _read(place: str) -> Material:
    if place == "-":
        source = Source(given_by="standard input", text=sys.stdin.buffer.read())
    else:
        source = Source(given_by=place, path=Path(place))
    password = os.environ.get("TLSRUN_KEY_PASSWORD", "").encode() or None
    try:
        return read_material(source, password)
    except CertificateError as error:
        codes = [problem.code for problem in error.problems]
        if codes == ["TLS112"] and sys.stdin is not None and sys.stdin.isatty():
            asked: str = click.prompt(f"Password of {place}", hide_input=True, err=True)
            return read_material(source, asked.encode())
        if codes == ["TLS101"] and "/" not in place and ("." in place or ":" in place):
            remedy = f"Check the path; if it is a server: tlsrun cert show https://{place}"
            raise ConfigurationError.of(where=place, what=error.problems[0].what, remedy=remedy) from error
        raise


def _server_lines(url: str, now: datetime.datetime) -> Iterator[str]:
    target = _target(url)
    shaken = probes.handshake(target, Deadline(_PATIENCE))
    if not isinstance(shaken, HandshakeResult):
        remedy = "Check host and port; `tlsrun check --url` looks closer"
        raise ConfigurationError.of(where=url, what=f"no handshake came to an end: {shaken}", remedy=remedy)
    certificates = list(shaken.certificates)
    part = "" if shaken.whole else " (this Python tells only the first)"
    yield f"{target.url} sends {_count(len(certificates))}{part}, over {shaken.version}, {shaken.suite}"
    yield from _certificate_lines(certificates, now)
    yield ""
    yield _trust_words(probes.verdict(target, read_trust(None), Deadline(_PATIENCE)))
    yield _name_words(certificates[0], target)
    if shaken.whole:
        yield from _chain_words(certificates, corrected=False)


def _target(url: str) -> ProbeTarget:
    try:
        return target_of_url(url)
    except ConfigurationError as error:
        problem = error.problems[0]
        raise ConfigurationError.of(where=url, what=problem.what, remedy=problem.remedy) from error


def _count(number: int) -> str:
    return "1 certificate" if number == 1 else f"{number} certificates"


def _certificate_lines(certificates: Sequence[x509.Certificate], now: datetime.datetime) -> Iterator[str]:
    for number, certificate in enumerate(certificates, start=1):
        yield ""
        yield click.style(f"{number}  {title(certificate)}", bold=True)
        for fact in describe(certificate, now):
            text = click.style(fact.text, fg="red") if fact.alarming else fact.text
            yield f"   {fact.label:<10} {text}"


def _key_words(block: Block, certificates: Sequence[x509.Certificate]) -> str:
    """The type of a private key and its certificate; never the key itself."""
    if block.is_encrypted:
        return "a private key, encrypted"
    try:
        key = load_pem_private_key(block.pem, None)
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "a private key, which cannot be read"
    owner = next((number for number, one in enumerate(certificates, start=1) if certificate_spki(one) == spki), None)
    whose = "of none of these certificates" if owner is None else f"of certificate {owner}"
    return f"a private key, {key_type(key)}, {whose}"


def _chain_words(certificates: Sequence[x509.Certificate], *, corrected: bool) -> Iterator[str]:
    """Whether the certificates form a chain, and whether this machine knows its root."""
    line = chain_line(certificates)
    yield f"chain: {' <- '.join(map(title, line))}"
    if line != list(certificates) or corrected:
        yield "       not as a server should send it; `tlsrun cert bundle` puts it right"
    last = line[-1]
    if read_trust(None).is_private((last,)):
        yield "       signed by the development CA of this machine; `tlsrun trust --check` says who trusts it"
    elif is_signed_by(last, last):
        known = "known to this machine" if known_root(last) else "unknown to this machine"
        yield f"       it ends at its own root, {known}"
    elif known_root(last):
        yield f"       signed by {shown_name(last.issuer)}, which this machine knows"
    else:
        address = issuer_address(last)
        where = f"; it is at {address}" if address else ""
        yield f"       signed by {shown_name(last.issuer)}, which is not here, and unknown to this machine{where}"


def _trust_words(verdict: Verification | None) -> str:
    if verdict is None:
        return "trust: this cannot be told; the second handshake failed"
    if verdict.trusted:
        return f"trust: {click.style('this system trusts it', fg='green')}"
    hint = "; it is the development CA's: tlsrun trust" if verdict.by_development_ca else ""
    return f"trust: {click.style('this system does not trust it', fg='red')}: {verdict.reason}{hint}"


def _name_words(leaf: x509.Certificate, target: ProbeTarget) -> str:
    if covers(leaf, target.host):
        return f"name:  it is for {target.host}"
    return f"name:  {click.style(f'it is not for {target.host}', fg='red')}: browsers refuse it there"
