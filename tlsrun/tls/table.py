"""Which certificate answers which name: an immutable table from host names to contexts."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsrun.certificates.identity import Identity


def normal_name(name: str) -> str:
    """A host name as it is compared: lower case, without the root's dot (RFC 4343; RFC 1034, section 3.1)."""
    return name.lower().removesuffix(".")


def wildcard_of(name: str) -> str:
    """The only wildcard that ``name`` can match: its first label replaced (RFC 9525, section 6.3)."""
    return "*." + name.partition(".")[2]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Names and the contexts that serve them; never changed, only replaced.

    Arguments:
        default: for clients that ask for no name, or for one that is not here.
        contexts: host names and wildcards (``*.example.org``), in the spelling of `normal_name`.
        identities: all that are served.
    """

    default: ssl.SSLContext
    contexts: Mapping[str, ssl.SSLContext] = field(default_factory=dict)
    identities: tuple[Identity, ...] = ()

    def covers(self, host: str) -> bool:
        """Whether one of the certificates is for ``host``, a DNS name or an address."""
        return any(identity.covers(host) for identity in self.identities)

    def choose(self, name: str | None) -> ssl.SSLContext | None:
        """The context for ``name``; the exact name goes before a wildcard.

        Returns:
            None when the table does not know the name: the default may serve it.
        """
        if name is None:
            return self.default
        name = normal_name(name)
        return self.contexts.get(name) or self.contexts.get(wildcard_of(name))
