"""Names in a certificate: those that it is valid for (RFC 9525), its subject, and the URL of its issuer."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from tlsrun.http1.authority import a_labels

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """An extension of a certificate; None if it is absent, or cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return None


def alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """DNS names and IP addresses of the SAN extension, in its order (RFC 5280, section 4.2.1.6)."""
    names = extension(certificate, x509.SubjectAlternativeName)
    return tuple(str(name.value) for name in names or () if isinstance(name, (x509.DNSName, x509.IPAddress)))


def words_of(names: Sequence[str], most: int | None = None) -> str:
    """Names for a message, at most ``most`` of them: ``a.test, b.test``, or ``no name``."""
    return ", ".join(names[:most]) or "no name"


def shown_name(name: x509.Name) -> str:
    """A distinguished name for a message: the common name if there is one, else the whole (RFC 4514)."""
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return f"CN={common[0].value!s}" if common else name.rfc4514_string() or "(no name)"


def issuer_address(certificate: x509.Certificate) -> str | None:
    """The caIssuers URL (RFC 5280, section 4.2.2.1); None without one."""
    access = extension(certificate, x509.AuthorityInformationAccess)
    for description in access or ():
        location = description.access_location
        if description.access_method != AuthorityInformationAccessOID.CA_ISSUERS:
            continue
        if isinstance(location, x509.UniformResourceIdentifier) and location.value.startswith("http"):
            return location.value
    return None


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Whether ``certificate`` is valid for ``host``.

    A wildcard is the whole left-most label, matches exactly one label (RFC 9525, section 6.3), and has at least two
    labels after it, as OpenSSL requires. IP addresses are compared as addresses. The common name is ignored.

    Arguments:
        host: a DNS name (Unicode or A-labels) or an IP address; IPv6 with or without brackets.
    """
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return False
    address = _address(host)
    if address is not None:
        return address in names.get_values_for_type(x509.IPAddress)
    wanted = _dns(host)
    parent = wanted.partition(".")[2]
    accepted = {wanted, f"*.{parent}"} if "." in parent else {wanted}
    well_formed = all(wanted.split("."))  # a wildcard must not match an empty label
    return well_formed and any(_dns(name) in accepted for name in names.get_values_for_type(x509.DNSName))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        return None


def _dns(name: str) -> str:
    """A DNS name for comparison: A-labels, lower case, without the root's dot."""
    bare = name.lower().removesuffix(".")
    try:
        return a_labels(bare)
    except ValueError:
        return bare
