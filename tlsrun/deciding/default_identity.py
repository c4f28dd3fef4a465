"""The certificate and key that the settings name, read and checked; or one for development."""

from __future__ import annotations

import dataclasses
import datetime
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlsrun.certificates.folders import the_pair
from tlsrun.certificates.identity import Identity, IdentitySources, encrypted_key, load_identity
from tlsrun.certificates.passwords import PasswordPlace
from tlsrun.endpoint import Endpoint
from tlsrun.errors import CertificateError, Problem
from tlsrun.settings.layers import Resolution
from tlsrun.tls.origin import Reading, read
from tlsrun.tls.sni import source_of, sources_of_pair

if TYPE_CHECKING:
    from tlsrun.development.store import DevelopmentIdentity


@dataclass(frozen=True, kw_only=True)
class LoadedIdentity:
    """The outcome of reading a certificate and its key."""

    sources: IdentitySources | None = None
    reading: Reading[Identity] | None = None
    problems: tuple[Problem, ...] = ()
    development_ca: Path | None = None

    @property
    def identity(self) -> Identity | None:
        """What was read; None if it cannot be served."""
        return None if self.reading is None else self.reading.value

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What was corrected or looks odd."""
        return () if self.identity is None else self.identity.warnings

    @classmethod
    def of_development(cls, made: DevelopmentIdentity) -> LoadedIdentity:
        """A development certificate, whose files are not rewritten as long as it is good."""
        reading = read(made.sources.files, lambda: made.identity)
        return cls(sources=made.sources, reading=reading, development_ca=made.ca_path)


def read_password(resolution: Resolution) -> tuple[bytes | None, tuple[Problem, ...]]:
    """The password of the key, from wherever the settings say; None without one. And the problems of reading it."""
    if resolution.settings.key_password is not None:
        return resolution.settings.key_password.encode(), ()
    place = password_place(resolution)
    if place is None:
        return None, ()
    try:
        return place.read(), ()
    except CertificateError as error:
        return None, error.problems


def password_place(resolution: Resolution) -> PasswordPlace | None:
    """The file or command that yields the key's password; None if the password itself is set, or nothing is."""
    settings = resolution.settings
    if settings.key_password is not None:
        return None
    for name in ("key_password_file", "key_password_command"):
        if (value := getattr(settings, name)) is not None:
            is_command = name == "key_password_command"
            return PasswordPlace(given_by=resolution.spelling(name), value=value, is_command=is_command)
    return None


def _sources(resolution: Resolution) -> tuple[IdentitySources | None, tuple[Problem, ...]]:
    settings = resolution.settings
    if not settings.names_certificate:
        return None, ()
    password, problems = read_password(resolution)
    assert settings.cert is not None  # noqa: S101 -- for the type checker: `names_certificate` says so
    cert = source_of(settings.cert, resolution.spelling("cert"))
    key = None if settings.key is None else source_of(settings.key, resolution.spelling("key"))
    if key is None and cert.path is not None and cert.path.is_dir() and (pair := the_pair(cert.path)):
        inside = sources_of_pair(pair, cert.given_by)
        cert, key = inside.cert, inside.key
    sources = IdentitySources(
        cert=cert,
        key=key,
        chain=tuple(source_of(one, resolution.spelling("chain")) for one in settings.chain),
        password=password,
        password_from=password_place(resolution),
    )
    return sources, problems


def read_identity(resolution: Resolution, *, ask_password: Callable[[str], bytes] | None = None) -> LoadedIdentity:
    """Read the certificate and key that the settings name.

    Arguments:
        ask_password: asks the user for the key's password, told which setting names the key; None if nobody can be
            asked.
    """
    sources, problems = _sources(resolution)
    if sources is None:
        return LoadedIdentity(problems=problems)
    if ask_password is not None and sources.password is None and not problems and encrypted_key(sources):
        password = ask_password((sources.key or sources.cert).given_by)
        sources = dataclasses.replace(sources, password=password)
    try:
        reading = read(sources.files, lambda: load_identity(sources))
    except CertificateError as error:
        # A missing password only follows from the file or command that did not yield one.
        others = [one for one in error.problems if not (problems and one.code == "TLS112")]
        return LoadedIdentity(sources=sources, problems=(*problems, *others))
    return LoadedIdentity(sources=sources, reading=reading, problems=problems)


def make_development_identity(hosts: Iterable[str], now: datetime.datetime) -> LoadedIdentity:
    """A certificate from the local development CA for ``hosts``; for a wildcard address, for this machine's name."""
    from tlsrun.development.store import development_identity

    names = [socket.gethostname() if Endpoint(host=host, port=0).is_wildcard else host for host in hosts]
    try:
        made = development_identity(list(dict.fromkeys(names)), now=now)
    except CertificateError as error:
        return LoadedIdentity(problems=error.problems)
    return LoadedIdentity.of_development(made)
