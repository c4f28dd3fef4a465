"""An immutable table from host names to contexts."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsrun.certificates.identity import Identity


def normal_name(name: str) -> str:
    """A host name in the form for comparison: lower case, without a trailing dot (RFC 4343; RFC 1034, section 3.1)."""
    return name.lower().removesuffix(".")


def wildcard_of(name: str) -> str:
    """The only wildcard that matches ``name``: its first label replaced by ``*`` (RFC 9525, section 6.3)."""
    return "*." + name.partition(".")[2]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Host names and the contexts that serve them; never changed, only replaced.

    Arguments:
        default: the context for clients that ask for no name or an unknown one.
        contexts: host name or wildcard (``*.example.org``), in the form of `normal_name` -> context.
        identities: all identities in service.
    """

    default: ssl.SSLContext
    contexts: Mapping[str, ssl.SSLContext] = field(default_factory=dict)
    identities: tuple[Identity, ...] = ()

    def covers(self, host: str) -> bool:
        """Whether one of the certificates is for ``host``, a DNS name or an address."""
        return any(identity.covers(host) for identity in self.identities)

    def choose(self, name: str | None) -> ssl.SSLContext | None:
        """The context for ``name``; an exact name takes precedence over a wildcard.

        Returns:
            None if the name is unknown; the default context may still serve it.
        """
        if name is None:
            return self.default
        name = normal_name(name)
        return self.contexts.get(name) or self.contexts.get(wildcard_of(name))
