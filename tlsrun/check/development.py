"""The development certificate: the one that exists, or what would be issued at the start; none is made."""

from __future__ import annotations

import datetime
import socket

from tlsrun.certificates.caroot import GIVEN_BY, ROOT_NAME, explicit_caroot, own_folder
from tlsrun.check.finding import Finding, found
from tlsrun.deciding.default_identity import LoadedIdentity
from tlsrun.development.authority import find_authority
from tlsrun.development.store import find_development_identity
from tlsrun.endpoint import Endpoint
from tlsrun.errors import CertificateError


def check_development(host: str, now: datetime.datetime) -> tuple[LoadedIdentity, tuple[Finding, ...]]:
    """The certificate that is used if none is set.

    Arguments:
        host: the host to listen on.

    Returns:
        the identity, if it exists already, and the finding about it.
    """
    names = [socket.gethostname()] if Endpoint(host=host, port=0).is_wildcard else [host]
    try:
        there = find_development_identity(names, now=now)
        authority = find_authority(now)
    except CertificateError as error:
        return LoadedIdentity(problems=error.problems), ()
    if there is not None:
        what = f"no certificate is set, and {there.sources.cert.name} is served, signed by {there.ca_path}"
        loaded = LoadedIdentity.of_development(there)
    elif authority is not None:
        what = f"no certificate is set: at the start one would be signed by {authority.path}"
        loaded = LoadedIdentity(development_ca=authority.path)
    else:
        folder = explicit_caroot() or own_folder()
        what = f"no certificate is set: at the start a CA would be made in {folder}, and a certificate signed by it"
        loaded = LoadedIdentity(development_ca=folder / ROOT_NAME)
    return loaded, (found("development-certificate", GIVEN_BY, what),)
