"""Several certificates for an endpoint: from a mapping or a folder to the sources for each name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tlsrun.certificates.findings import Findings
from tlsrun.certificates.folders import Contents, Pair, is_fixed, look_into, shown
from tlsrun.certificates.identity import Identity, IdentitySources, load_identity
from tlsrun.certificates.material import read_certificates, read_material
from tlsrun.certificates.names import alternative_names, words_of
from tlsrun.certificates.passwords import PasswordPlace
from tlsrun.certificates.sources import Source
from tlsrun.errors import CertificateError, Problem
from tlsrun.tls.origin import Reading, read
from tlsrun.tls.table import normal_name


@dataclass(frozen=True, kw_only=True)
class NamedIdentities:
    """The certificates of the setting ``sni``.

    Arguments:
        sources: host name or wildcard -> the sources of its identities, each with another type of key.
        readings: all identities as they were read, also those that are not served.
        problems: certificates that cannot be used.
        warnings: oddities.
    """

    sources: Mapping[str, tuple[IdentitySources, ...]] = field(default_factory=dict)
    readings: Mapping[IdentitySources, Reading[Identity]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def served(self) -> tuple[IdentitySources, ...]:
        """The sources of those that are served, each once."""
        return tuple(dict.fromkeys(one for several in self.sources.values() for one in several))


def source_of(value: str, given_by: str) -> Source:
    """The source for a value: PEM text, or a path with ``~`` and ``$VARIABLES`` expanded."""
    if "-----BEGIN" in value:
        return Source(given_by=given_by, text=value.encode())
    return Source(given_by=given_by, path=Path(os.path.expandvars(value)).expanduser())


def read_named(
    value: str | Mapping[str, Sequence[Mapping[str, Any]]],
    given_by: str,
    password: bytes | None,
    password_from: PasswordPlace | None = None,
) -> NamedIdentities:
    """Read the certificates of ``value``, a folder or a mapping of names.

    In a folder, each certificate serves the names in it.

    Arguments:
        given_by: the setting as the user spelled it.
        password: the password of encrypted keys.
        password_from: where the password was read from.
    """
    opening = {"password": password, "password_from": password_from}
    if isinstance(value, str):
        return _read_folder(Path(os.path.expandvars(value)).expanduser(), given_by, opening)
    named = {
        normal_name(host): tuple(_sources_of(one, f"{given_by} for {host}", opening) for one in several)
        for host, several in value.items()
    }
    collection = _Collection()
    for host, several in named.items():
        for sources in several:
            collection.read(sources, host)
    return collection.outcome()


def _sources_of(given: Mapping[str, Any], given_by: str, opening: Mapping[str, Any]) -> IdentitySources:
    return IdentitySources(
        cert=source_of(given["cert"], f"{given_by} (cert)"),
        key=source_of(given["key"], f"{given_by} (key)") if "key" in given else None,
        chain=tuple(source_of(one, f"{given_by} (chain)") for one in given.get("chain", ())),
        **opening,
    )


def _read_folder(folder: Path, given_by: str, opening: Mapping[str, Any]) -> NamedIdentities:
    try:
        contents = look_into(folder)
    except OSError as error:
        what = f"the folder {os.path.abspath(folder)} cannot be read: {error.strerror}"
        return NamedIdentities(problems=(Problem(where=given_by, what=what, remedy="Check the path", code="TLS161"),))
    notes = tuple(_passed_over(folder, contents, given_by))
    if not contents.pairs:
        what = f"the folder {os.path.abspath(folder)} holds no certificate with its key"
        remedy = "Put NAME/fullchain.pem and NAME/privkey.pem there, or NAME.crt and NAME.key"
        problem = Problem(where=given_by, what=what, remedy=remedy, code="TLS161")
        return NamedIdentities(problems=(problem,), warnings=notes)
    collection = _Collection()
    for pair in contents.pairs:
        sources = replace(sources_of_pair(pair, given_by), **opening)
        if pair.is_bundle:
            collection.read_bundle(sources)
        else:
            collection.read(sources)
    return collection.outcome(notes)


def sources_of_pair(pair: Pair, given_by: str) -> IdentitySources:
    """The sources for the files of a site in a folder."""
    return IdentitySources(
        cert=Source(given_by=given_by, path=pair.cert),
        key=None if pair.key is None else Source(given_by=given_by, path=pair.key),
    )


def _passed_over(folder: Path, contents: Contents, given_by: str) -> Iterator[Problem]:
    """Warnings about files that look like certificates and are not sites, usually authorities."""
    if contents.alone:
        what = f"passed over in {os.path.abspath(folder)}: {shown(contents.alone, folder)}; no key lies beside it"
        remedy = "If it is a site, put its key there: NAME.key beside NAME.crt, privkey.pem beside fullchain.pem"
        yield Problem(where=given_by, what=what, remedy=remedy, code="TLS164")
    if contents.closed:
        what = f"passed over in {os.path.abspath(folder)}: {shown(contents.closed, folder)}, which cannot be read"
        yield Problem(where=given_by, what=what, remedy="If it holds a site, let the server read it", code="TLS164")


class _Collection:
    """Collects certificates as they are read, and what is wrong with them."""

    def __init__(self) -> None:
        self._named: dict[str, dict[str, tuple[Identity, IdentitySources]]] = {}
        self._fingerprints: set[str] = set()
        self._readings: dict[IdentitySources, Reading[Identity]] = {}
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def read(self, sources: IdentitySources, host: str | None = None) -> None:
        """Read a certificate for ``host``, or for the names in it (from a folder). In a folder, copies count once, and
        a file that cannot be a site is skipped with a warning."""
        try:
            reading = read(sources.files, lambda: load_identity(sources))
        except CertificateError as error:
            if host is None and _is_no_site(sources.cert, error):
                self._pass_over(error)
            else:
                self._problems += error.problems
        else:
            self._take(reading, sources, host)

    def read_bundle(self, sources: IdentitySources) -> None:
        """Read a PKCS #12 file in a folder; one that the password does not open is skipped with a warning."""
        try:
            reading = read(sources.files, lambda: load_identity(sources))
        except CertificateError as error:
            self._pass_over(error)
        else:
            self._take(reading, sources, None)

    def _pass_over(self, error: CertificateError) -> None:
        self._warnings += [
            replace(problem, what=f"passed over: {problem.what}", code="TLS164") for problem in error.problems
        ]

    def _take(self, reading: Reading[Identity], sources: IdentitySources, host: str | None) -> None:
        identity = reading.value
        if host is None and identity.fingerprint in self._fingerprints:
            return
        if host is None and not identity.names:
            self._warnings.append(_nameless(sources.cert))
            return
        self._fingerprints.add(identity.fingerprint)
        self._readings[sources] = reading
        self._warnings += identity.warnings
        if host is not None and not _is_for(identity, host):
            self._warnings.append(_not_for(sources.cert, host, identity))
        for name in [host] if host is not None else map(normal_name, identity.names):
            self._warnings += _enter(self._named.setdefault(name, {}), name, identity, sources)

    def outcome(self, notes: tuple[Problem, ...] = ()) -> NamedIdentities:
        """The result, with further warnings."""
        return NamedIdentities(
            sources={host: tuple(sources for _, sources in kinds.values()) for host, kinds in self._named.items()},
            readings=self._readings,
            problems=tuple(self._problems),
            warnings=(*notes, *self._warnings),
        )


def _is_no_site(cert: Source, error: CertificateError) -> bool:
    """Whether a file in a folder cannot be a site: its certificate names no host, like that of an authority (whose key
    is usually encrypted), or it has no certificate, and its name is not one that ACME clients use."""
    try:
        given = read_certificates(read_material(cert), Findings())
    except CertificateError:
        return cert.path is not None and not is_fixed(cert.path) and any(one.code == "TLS107" for one in error.problems)
    return not any(alternative_names(one.certificate) for one in given)


def _nameless(source: Source) -> Problem:
    what = f"passed over: the certificate in {source.name} names no host (an authority's does not)"
    return source.problem(what=what, remedy="Nothing, if it is no site", code="TLS164")


def _enter(
    by_type: dict[str, tuple[Identity, IdentitySources]], name: str, identity: Identity, sources: IdentitySources
) -> Iterator[Problem]:
    """Keep one certificate for each type of key: the one that is valid longer."""
    kind = identity.key_type.partition(" ")[0]
    there = by_type.get(kind)
    if there is None or there[0].not_after < identity.not_after:
        by_type[kind] = (identity, sources)
    if there is not None and there[1].cert != sources.cert:
        served, other = (sources, there[1]) if by_type[kind][1] is sources else (there[1], sources)
        yield other.cert.problem(
            what=f"{other.cert.name} is not served for {name}: {served.cert.name} has the same type of key ({kind}), "
            "and is valid as long or longer",
            remedy="Leave one of them out",
            code="TLS163",
        )


def _is_for(identity: Identity, host: str) -> bool:
    return host in map(normal_name, identity.names) or (not host.startswith("*.") and identity.covers(host))


def _not_for(source: Source, host: str, identity: Identity) -> Problem:
    what = f"the certificate in {source.name} is not for {host}, but for {words_of(identity.names)}"
    remedy = "Clients will refuse it; name a certificate for this host"
    return source.problem(what=what, remedy=remedy, code="TLS162")
