"""The authorities and revocation lists for client certificates, read from files or text."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlsrun.certificates.names import shown_name
from tlsrun.certificates.pem import parse_pem
from tlsrun.certificates.recognise import Form, recognise
from tlsrun.certificates.sources import Source, read_source
from tlsrun.errors import CertificateError, Problem
from tlsrun.tls.authorities import authorities_of
from tlsrun.tls.context import ClientAuth, apply_client_auth
from tlsrun.tls.origin import Reading, WatchedSource

_SUFFIXES = frozenset((".pem", ".crt", ".cer"))


@dataclass(frozen=True, kw_only=True)
class ClientSources:
    """Where a `ClientAuth` is read from.

    Arguments:
        ca: a PEM file, PEM text, or a folder of PEM files.
        mode: ``optional`` or ``required``.
        crl: revocation lists.
    """

    ca: Source
    mode: str
    crl: Source | None = None


def authority_files(ca: Source) -> tuple[Path, ...]:
    """The files with authorities: the file itself, or the certificates in the folder, sorted by name."""
    if ca.path is None:
        return ()
    if not ca.path.is_dir():
        return (ca.path,)
    return tuple(sorted(path for path in ca.path.iterdir() if path.suffix.lower() in _SUFFIXES))


def load_client_auth(sources: ClientSources) -> ClientAuth:
    """Read and check the files.

    Raises:
        CertificateError: one is missing, unreadable, or cannot be used by OpenSSL.
    """
    import ssl

    if sources.ca.path is not None and sources.ca.path.is_dir() and not authority_files(sources.ca):
        what = f"the folder {sources.ca.name} holds no certificate"
        raise sources.ca.error(what, "Put the authorities there, as .pem or .crt files", "TLS160")
    files = [Source(given_by=sources.ca.given_by, path=path) for path in authority_files(sources.ca)]
    ca = b"\n".join(map(_authorities, files or [sources.ca]))
    client_auth = ClientAuth(ca=ca, mode=sources.mode, crl=None if sources.crl is None else _lists(sources.crl))
    try:
        apply_client_auth(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ClientAuth(ca=ca, mode=sources.mode))
    except CertificateError as error:
        what = f"{sources.ca.name} holds no PEM certificate that OpenSSL can use"
        raise sources.ca.error(what, "Name the file the authority published, in PEM", "TLS160") from error
    if sources.crl is not None:
        _check_crl(client_auth, sources.crl)
    return client_auth


def _authorities(source: Source) -> bytes:
    """The bytes of a file. OpenSSL ignores everything but PEM, so that an authority in DER would not be trusted."""
    data = read_source(source)
    form = recognise(data, parse_pem(data))
    if form is Form.DER_CERTIFICATE:
        what = f"{source.name} holds no certificate in PEM: it is {form.value}"
        remedy = f"Convert it: openssl x509 -inform DER -in {source.argument} -out ca.pem"
        raise source.error(what, remedy, "TLS160")
    return data


def _lists(crl: Source) -> bytes:
    """Only the revocation lists of a file: OpenSSL would trust a certificate among them."""
    blocks = [block for block in parse_pem(read_source(crl)).blocks if block.label == "X509 CRL"]
    if not blocks:
        raise CertificateError([_no_list(crl)])
    return b"".join(block.pem for block in blocks)


def _no_list(crl: Source) -> Problem:
    what = f"{crl.name} holds no PEM revocation list that OpenSSL can use"
    remedy = f"Convert it, if it is DER: openssl crl -inform DER -in {crl.argument} -out crl.pem"
    return crl.problem(what, remedy, "TLS160")


def _check_crl(client_auth: ClientAuth, crl: Source) -> None:
    import ssl

    try:
        apply_client_auth(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), client_auth)
    except CertificateError as error:
        raise CertificateError([_no_list(crl)]) from error
    try:
        authorities_of(client_auth)
    except ValueError as error:
        what = f"{crl.name} cannot be gone by, for it or one of the authorities cannot be read: {error}"
        remedy = f"Look at each: openssl crl -noout -text -in {crl.argument}; fetch it anew"
        raise crl.error(what, remedy, "TLS160") from error


def faults(client_auth: ClientAuth, sources: ClientSources, now: datetime.datetime) -> Iterator[Problem]:
    """Faults of readable revocation lists, for which clients are refused.

    Arguments:
        client_auth: as read from ``sources``.
        now: the current time, with its time zone.
    """
    authorities = authorities_of(client_auth)
    if authorities is None or sources.crl is None:
        return
    for what, remedy in authorities.faults(now):
        yield sources.crl.problem(what=f"{what} ({sources.crl.name})", remedy=remedy, code="TLS149")


def lacks(client_auth: ClientAuth, sources: ClientSources) -> Iterator[Problem]:
    """Problems for a server that requires a version 2 list from every authority (rustls-webpki).

    Arguments:
        client_auth: as read from ``sources``.
    """
    authorities = authorities_of(client_auth)
    if authorities is None or sources.crl is None:
        return
    for one in authorities.lists:
        if one.version == 1:
            yield sources.crl.problem(
                what=f"{one.name} in {sources.crl.name} is of version 1, which this server cannot read",
                remedy="Have its authority issue version 2 (openssl ca -gencrl -crlexts EXT, with "
                "`authorityKeyIdentifier = keyid` in the section EXT and a `crlnumber` file), or use another server",
                code="TLS222",
            )
    for authority in authorities.without_list():
        name = shown_name(authority.subject)
        yield sources.crl.problem(
            what=f"{sources.crl.name} has no list of {name}, and this server wants one of every authority: "
            "it would refuse all clients below that one",
            remedy=f"Add that list, take {name} out of the trusted authorities, or use another server",
            code="TLS222",
        )


def client_origin(sources: ClientSources, first: Reading[ClientAuth] | None = None) -> WatchedSource[ClientAuth]:
    """A source that reads ``sources`` again whenever their files change, also when a folder's files come and go.

    Arguments:
        first: as that of `WatchedSource`.
    """

    def find() -> tuple[Path, ...]:
        crl = () if sources.crl is None or sources.crl.path is None else (sources.crl.path,)
        try:
            return (*authority_files(sources.ca), *crl)
        except OSError:  # the folder is gone
            return crl

    return WatchedSource(load=lambda: load_client_auth(sources), files=find(), find=find, first=first)
