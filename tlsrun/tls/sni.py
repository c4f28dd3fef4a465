"""Several certificates for one endpoint: which sources serve which name, from a mapping or from a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlsrun.errors import CertificateError, Problem
from tlsrun.tls.identity import Identity, IdentitySources, load_identity
from tlsrun.tls.sources import Source
from tlsrun.tls.table import normal_name


@dataclass(frozen=True, kw_only=True)
class NamedIdentities:
    """What was found, and what is wrong with the rest.

    Arguments:
        sources: host name or wildcard -> its identities, each with another type of key.
        identities: each as it was read.
        places: where the certificate of each came from, in the same order.
    """

    sources: Mapping[str, tuple[IdentitySources, ...]] = field(default_factory=dict)
    identities: tuple[Identity, ...] = ()
    places: tuple[Source, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def source_of(value: str, given_by: str) -> Source:
    """A value as a place to read from: PEM text itself, or a path (``~`` and ``$VARIABLES`` expanded)."""
    if "-----BEGIN" in value:
        return Source(given_by=given_by, text=value.encode())
    return Source(given_by=given_by, path=Path(os.path.expandvars(value)).expanduser())


def read_named(
    value: str | Mapping[str, Sequence[Mapping[str, Any]]], given_by: str, password: bytes | None
) -> NamedIdentities:
    """Read the certificates of ``value``, a folder or a mapping of names.

    In a folder the certificates say themselves which names they are for.

    Arguments:
        given_by: the setting as the user spelled it.
        password: of encrypted keys.
    """
    if isinstance(value, str):
        return _read_folder(Path(os.path.expandvars(value)).expanduser(), given_by, password)
    named = {
        normal_name(host): tuple(_sources_of(one, f"{given_by} for {host}", password) for one in several)
        for host, several in value.items()
    }
    return _read(((sources, host) for host, several in named.items() for sources in several))


def _sources_of(given: Mapping[str, Any], given_by: str, password: bytes | None) -> IdentitySources:
    return IdentitySources(
        cert=source_of(given["cert"], f"{given_by} (cert)"),
        key=source_of(given["key"], f"{given_by} (key)") if "key" in given else None,
        chain=tuple(source_of(one, f"{given_by} (chain)") for one in given.get("chain", ())),
        password=password,
    )


def _read_folder(folder: Path, given_by: str, password: bytes | None) -> NamedIdentities:
    try:
        pairs = list(_pairs(folder))
    except OSError as error:
        what = f"the folder {os.path.abspath(folder)} cannot be read: {error.strerror}"
        return NamedIdentities(problems=(Problem(where=given_by, what=what, remedy="Check the path", code="TLS161"),))
    if not pairs:
        what = f"the folder {os.path.abspath(folder)} holds no certificate with its key"
        remedy = "Put NAME/fullchain.pem and NAME/privkey.pem there, or NAME.crt and NAME.key"
        return NamedIdentities(problems=(Problem(where=given_by, what=what, remedy=remedy, code="TLS161"),))
    return _read(
        (
            IdentitySources(
                cert=Source(given_by=given_by, path=cert), key=Source(given_by=given_by, path=key), password=password
            ),
            None,
        )
        for cert, key in pairs
    )


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and (path / "fullchain.pem").exists():
            yield path / "fullchain.pem", path / "privkey.pem"
        elif path.suffix == ".crt":
            yield path, path.with_suffix(".key")


def _read(candidates: Iterator[tuple[IdentitySources, str | None]]) -> NamedIdentities:
    named: dict[str, dict[str, tuple[Identity, IdentitySources]]] = {}
    identities: list[Identity] = []
    places: list[Source] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for sources, host in candidates:
        try:
            identity, odd = load_identity(sources)
        except CertificateError as error:
            problems += error.problems
            continue
        identities.append(identity)
        places.append(sources.cert)
        warnings += odd
        if host is not None and not _is_for(identity, host):
            warnings.append(_not_for(sources.cert, host, identity))
        for name in [host] if host is not None else map(normal_name, identity.names):
            warnings += _enter(named.setdefault(name, {}), name, identity, sources)
    return NamedIdentities(
        sources={host: tuple(sources for _, sources in by_type.values()) for host, by_type in named.items()},
        identities=tuple(identities),
        places=tuple(places),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def _enter(
    by_type: dict[str, tuple[Identity, IdentitySources]], name: str, identity: Identity, sources: IdentitySources
) -> Iterator[Problem]:
    """One certificate for each type of key: of two alike, the one that is valid longer."""
    kind = identity.key_type.partition(" ")[0]
    there = by_type.get(kind)
    if there is None or there[0].not_after < identity.not_after:
        by_type[kind] = (identity, sources)
    if there is not None and there[1].cert != sources.cert:
        served, other = (sources, there[1]) if by_type[kind][1] is sources else (there[1], sources)
        yield Problem(
            where=other.cert.given_by,
            what=f"{other.cert.name} is not served for {name}: {served.cert.name} has the same type of key ({kind}), "
            "and is valid as long or longer",
            remedy="Leave one of them out",
            code="TLS163",
        )


def _is_for(identity: Identity, host: str) -> bool:
    return host in map(normal_name, identity.names) or (not host.startswith("*.") and identity.covers(host))


def _not_for(source: Source, host: str, identity: Identity) -> Problem:
    what = f"the certificate in {source.name} is not for {host}, but for {', '.join(identity.names) or 'no name'}"
    remedy = "Clients will refuse it; name a certificate for this host"
    return Problem(where=source.given_by, what=what, remedy=remedy, code="TLS162")
