"""Certificates that change while they are served: one base context, and a table that is replaced as a whole.

The rules, each with what goes wrong otherwise:

- ``load_cert_chain()`` is never called on a context that handshakes use: between loading certificate and key they do
  not match, and under load the interpreter crashes.
- The base context has the policy and the ticket keys and never changes, so that sessions resume across a renewal. It
  gets a successor when clients lose trust, since a resumed session is not verified again.
- A new table is completed and then published by one assignment; an identity that cannot be served changes nothing.
- No handshake or request reads from the disk; the `Watcher` does, in a thread of its own.
"""

from __future__ import annotations

import datetime
import logging
import ssl
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar, cast

from tlsrun.certificates.identity import Identity, IdentitySources, Source, load_renewed
from tlsrun.certificates.roots import known_root
from tlsrun.certificates.validity import first_to_end
from tlsrun.connections.server_context import ServerContext
from tlsrun.connections.sockets import ServerSocket
from tlsrun.errors import CertificateError, ConfigurationError, Problem
from tlsrun.renewal.acceptance import objection
from tlsrun.renewal.status import Status as Status
from tlsrun.renewal.status import client_status_of, describe, describe_client, status_of
from tlsrun.tls.authorities import authorities_of
from tlsrun.tls.context import ClientAuth, apply_client_auth, create_context
from tlsrun.tls.distrust import takes_trust_away
from tlsrun.tls.handshake_messages import AuthorityCheck, observe_messages, own_name, remember_hello
from tlsrun.tls.origin import Reading, Slot, Times, WatchedSource, utc_now
from tlsrun.tls.policy import Policy
from tlsrun.tls.table import Table, normal_name

_log = logging.getLogger("tlsrun.reload")

#: Usually one; several for the same names have different types of key (RSA beside ECDSA).
Origins: TypeAlias = Sequence[WatchedSource[Identity]]

_AnyContext = TypeVar("_AnyContext", bound=ssl.SSLContext)


def identity_origin(
    sources: IdentitySources,
    *,
    renewed: datetime.timedelta | None = None,
    first: Reading[Identity] | None = None,
) -> WatchedSource[Identity]:
    """A source that reads ``sources`` again whenever their files change.

    Arguments:
        renewed, first: as those of `WatchedSource`.
    """
    return WatchedSource(load=lambda: load_renewed(sources), files=sources.files, renewed=renewed, first=first)


class Certificates:
    """The certificates of one endpoint, and the context that serves them.

    Pass `context` to the server before it forks; start a `Watcher` in each process that serves.

    Arguments:
        default: for clients that ask for no name or an unknown one; one for each type of key.
        policy: TLS versions, suites and ALPN for all certificates.
        table: host name or wildcard (``*.example.org``) -> the sources of its certificates.
        client: client CA, mode and revocation lists; None requests no client certificates.
        handshake_timeout: seconds for a client's whole handshake.
        strict: whether to refuse names without a certificate (alert ``unrecognized_name``, RFC 6066, section 3).
        hook: called whenever a context is made, with a function that makes the default one; returns that context,
            possibly changed.
        unfit: returns why clients cannot use a key here though OpenSSL accepts it; None if they can.

    Attributes:
        context: never changes; may get a `ServerContext.successor`.
        authorities: what revocation lists say of the client authorities; None without lists.

    Raises:
        CertificateError: one of them cannot be served.
    """

    def __init__(
        self,
        default: Origins,
        policy: Policy,
        *,
        table: Mapping[str, Origins] | None = None,
        client: WatchedSource[ClientAuth] | None = None,
        handshake_timeout: float = 10.0,
        strict: bool = False,
        hook: Callable[[Callable[[], ssl.SSLContext]], ssl.SSLContext] | None = None,
        unfit: Callable[[Identity], Problem | None] = lambda identity: None,
    ) -> None:
        self._hook = hook
        self._unfit = unfit
        self._policy = policy
        self._strict = strict
        self._default = tuple(default)
        self._hosts = {normal_name(host): tuple(origins) for host, origins in (table or {}).items()}
        # Computed once: to look for them each second would take time quadratic in their number.
        self._served_by = _hosts_by_origin(self._hosts)
        self._lock = threading.Lock()
        self._client = None if client is None else Slot(client, validate=_validate_client, describe=describe_client)
        self._trusted = self._client.value if self._client else None
        self._slots = {
            origin: Slot(origin, validate=partial(self._validate, origin), describe=describe, times=_times)
            for origin in dict.fromkeys((*self._default, *(one for some in self._hosts.values() for one in some)))
        }
        self.authorities = authorities_of(self._trusted)
        self.context = self._make_base()
        self._table = self._make_table()
        self.context.handshake_timeout = handshake_timeout
        self.context.allowed_host = self.covers

    def current(self) -> tuple[Identity, ClientAuth | None]:
        """The default identity in service, and the client CA (None without one), for a server that cannot use a
        context."""
        with self._lock:
            return self._slots[self._default[0]].value, self._client.value if self._client else None

    def covers(self, host: str) -> bool:
        """Whether a certificate in service is for ``host`` (no port, no brackets)."""
        return self._table.covers(host)

    def reload(self) -> bool:
        """Read everything again now; what cannot be served is logged, and the last good one stays.

        Returns:
            whether all of it can be served.
        """
        with self._lock:
            slots = self._all_slots()
            self._publish([slot for slot in slots if slot.read(even_unchanged=True)])
            return all(slot.error is None for slot in slots)

    def reload_changed(self) -> bool:
        """Read again what has changed on the disk; a `Watcher` calls this each second.

        Returns:
            whether something was read, so that `status` may have changed.
        """
        with self._lock:
            changed = [slot for slot in self._all_slots() if slot.changed()]
            self._publish([slot for slot in changed if slot.read()])
            for words in self.authorities.news() if self.authorities else ():
                _log.warning("%s", words)
            return bool(changed)

    def catch_up(self) -> None:
        """Read at once what has changed, in a process that was forked long after this was created."""
        with self._lock:
            self._publish([slot for slot in self._all_slots() if slot.stale() and slot.read()])

    def status(self) -> tuple[Status, ...]:
        """The certificates in service, the default first."""
        with self._lock:
            served = [status_of(slot, self._served_by.get(origin, ())) for origin, slot in self._slots.items()]
            clients = None if self._client is None else client_status_of(self._client)
            return (replace(served[0], clients=clients), *served[1:])

    def _choose(self, sock: ssl.SSLObject, name: str | None, base: ssl.SSLContext) -> int | None:
        # Called during the handshake: it must not wait or raise.
        connection = cast(ServerSocket, sock)
        connection.tls_sni = name = own_name(connection, name)
        table = self._table
        context = table.choose(name)
        if context is None:
            if self._strict and name is not None and not table.covers(name):
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            context = table.default
        if context is not base:
            connection.context = context
        return None

    def _all_slots(self) -> list[Slot[Identity] | Slot[ClientAuth]]:
        return [*self._slots.values(), *([self._client] if self._client else [])]

    def _publish(self, renewed: Sequence[Slot[Identity] | Slot[ClientAuth]]) -> None:
        if not renewed:
            return
        if self._client is not None and self._client in renewed:
            trusted, self._trusted = self._trusted, self._client.value
            self.authorities = authorities_of(self._trusted)
            if trusted is not None and takes_trust_away(trusted, self._trusted):
                self.context.successor = self._make_base()
        self._table = self._make_table()
        for slot in renewed:
            described = describe(slot.value) if isinstance(slot.value, Identity) else describe_client(slot.value)
            _log.info("reloaded %s from %s", described, slot.origin.spelled)

    def _make_base(self) -> ServerContext:
        context = self._build(self._default, ServerContext)
        context.sni_callback = self._choose
        if context.minimum_version < ssl.TLSVersion.TLSv1_3:
            observe_messages(context, remember_hello)
        return context

    def _make_table(self) -> Table:
        contexts = {origins: self._build(origins, ssl.SSLContext) for origins in {self._default, *self._hosts.values()}}
        if self.authorities is not None:
            # Messages are observed until the handshake is complete; then the connection gets a context without that.
            nobody = self._build(self._default, ssl.SSLContext, self.authorities.trusted)
            afterwards = self._build(self._default, ssl.SSLContext)
            for origins, context in contexts.items():
                rejecting = partial(self._build, origins, ssl.SSLContext)
                check = AuthorityCheck(self.authorities, rejecting=rejecting, nobody=nobody, afterwards=afterwards)
                observe_messages(context, check)
        return Table(
            default=contexts[self._default],
            contexts={host: contexts[origins] for host, origins in self._hosts.items()},
            identities=tuple(slot.value for slot in self._slots.values()),
        )

    def _build(
        self,
        origins: tuple[WatchedSource[Identity], ...],
        context_class: type[_AnyContext],
        rejected: Collection[bytes] = (),
    ) -> _AnyContext:
        first, *others = (self._slots[origin].value for origin in origins)
        client_auth = self._client.value if self._client else None

        def default() -> _AnyContext:
            return create_context(
                first,
                self._policy,
                also=others,
                client_auth=client_auth,
                rejected=rejected,
                context_class=context_class,
            )

        if self._hook is None:
            return default()
        context = self._hook(default)
        if not isinstance(context, context_class):
            # Another class would do the handshake inside accept(), where one silent client blocks all others.
            raise ConfigurationError.of(
                where="context_hook",
                what=f"it returned {type(context).__name__}, not the context that its second argument makes",
                remedy="Return that context, changed as you like: context = default(); …; return context",
            )
        return context

    def _validate(self, origin: WatchedSource[Identity], old: Identity, new: Identity) -> None:
        source, settled = _source(origin), self._slots[origin].settled
        if (unfit := self._unfit(new)) is not None and self._unfit(old) is None:
            raise CertificateError([unfit])
        if (problem := objection(old, new, source, now=utc_now(), settled=settled)) is not None:
            raise CertificateError([problem])
        create_context(new, self._policy)
        lost = sorted(set(old.names) - set(new.names))
        if lost:
            _log.warning("the new %s is no longer for %s", describe(new), ", ".join(lost))
        said = {(one.code, one.what) for one in old.warnings}
        for odd in new.warnings:
            if (odd.code, odd.what) not in said:
                _log.warning("the new certificate: %s", odd)


def _hosts_by_origin(
    hosts: Mapping[str, tuple[WatchedSource[Identity], ...]],
) -> dict[WatchedSource[Identity], tuple[str, ...]]:
    found: dict[WatchedSource[Identity], list[str]] = {}
    for host, origins in hosts.items():
        for origin in dict.fromkeys(origins):
            found.setdefault(origin, []).append(host)
    return {origin: tuple(names) for origin, names in found.items()}


def _times(identity: Identity) -> Times:
    """An expired issuer further up is left out of the chain (see `tlsrun.certificates.chain.build_chain`)."""
    limit = first_to_end(identity.certificate, identity.chain, known_root=known_root)
    return Times(ends=limit.not_valid_after_utc, changes=tuple(one.not_valid_after_utc for one in identity.chain[1:]))


def _source(origin: WatchedSource[Identity]) -> Source:
    if origin.files:
        return Source(given_by="new certificate", path=origin.files[0])
    return Source(given_by="new certificate", text=b"")


def _validate_client(old: ClientAuth, new: ClientAuth) -> None:
    if old.mode != new.mode:
        # The verify mode is that of the base context, which never changes.
        raise CertificateError.of(
            where="client CA", what=f"its mode changed from {old.mode} to {new.mode}", remedy="Restart"
        )
    apply_client_auth(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), new)
