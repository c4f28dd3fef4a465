"""The CAs and revocation lists given to Granian, chosen so that it decides as OpenSSL does under the other servers.

Granian's verifier (2.8.9, rustls-webpki) checks every certificate of a chain but the trust anchor for revocation, and
refuses those whose issuer has no list. It ignores nextUpdate, trusts a given CA even if a list revokes it, and aborts
the process on a list that it cannot parse. So:

- a CA that a list revokes is left out;
- a list that is not in force is left out, which refuses all certificates of its issuer, as under the other servers;
- without any list Granian would not check revocation at all, so a list of a CA that has issued nothing is always added.
"""

from __future__ import annotations

import datetime
import functools
import ssl
from collections.abc import Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tlsrun.tls.authorities import Authorities
from tlsrun.tls.context import ClientAuth


def handed_over(clients: ClientAuth | None, authorities: Authorities | None) -> ClientAuth | None:
    """The CAs and lists of ``clients`` that Granian is given.

    Arguments:
        authorities: the CAs that ``clients`` trusts, with their revocation lists; None without lists.
    """
    if clients is None or authorities is None:
        return clients
    rejected = authorities.objections()
    trusted = [der for der in authorities.trusted if der not in rejected]
    nobody, nobodys_list = _nobody()
    return replace(
        clients,
        ca=_pem(trusted, "CERTIFICATE") or nobody,
        crl=_pem([one.der for one in authorities.in_force()], "X509 CRL") + nobodys_list,
    )


def state_of(authorities: Authorities | None) -> tuple[object, ...]:
    """A value that changes when a list comes into force or expires, and so `handed_over` changes, with no file read."""
    return () if authorities is None else (frozenset(authorities.objections()), authorities.in_force())


def _pem(several: Sequence[bytes], label: str) -> bytes:
    return b"".join(ssl.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", label).encode() for der in several)


@functools.cache
def _nobody() -> tuple[bytes, bytes]:
    """A CA whose key is discarded, and its empty revocation list; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tlsrun: nobody")])
    begins = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    ends = begins + datetime.timedelta(days=3650)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
    certificate = builder.add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, hashes.SHA256())
    lists = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(begins).next_update(ends)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    lists = lists.add_extension(x509.CRLNumber(1), critical=False).add_extension(identifier, critical=False)
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), lists.sign(key, hashes.SHA256()).public_bytes(pem)
