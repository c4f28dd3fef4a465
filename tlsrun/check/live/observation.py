"""What was seen of a running server, as values; what nobody could find out is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509

from tlsrun.check.live.http import ResponseHead
from tlsrun.check.live.target import ProbeTarget
from tlsrun.check.live.walk import Walk


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a client that verifies says.

    Arguments:
        trusted: whether it links the chain to a root that it knows.
        reason: why not, as OpenSSL says it.
        code: OpenSSL's number of the reason (X509_STORE_CTX_get_error(3)).
        by_development_ca: whether it does with this machine's development CA.
    """

    trusted: bool
    reason: str = ""
    code: int = 0
    by_development_ca: bool = False


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """How many connections of several resumed a session."""

    resumed: int
    tried: int

    @property
    def is_whole(self) -> bool:
        """Whether all did."""
        return self.resumed == self.tried


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A server, from outside.

    Arguments:
        target: what was asked.
        unreachable: why there was no connection; None when there was.
        failure: why no handshake came to an end; None when one did.
        certificates: as sent, the server's own first.
        whole: whether these are all that was sent.
        verdict: what a client that verifies says.
        versions: which versions it speaks.
        weak: what is wrong -> a suite of that kind that it accepts.
        other: a suite that it accepts, is sound, and not in Mozilla's profile.
        asks: whether it asks for client certificates.
        refused_without_certificate: whether it answers nothing to a client without one.
        resumption: by version.
        answer: to a request over TLS.
        plain: to a request without TLS on the same port.
        redirect: to a request on the port of plain HTTP; None when nothing listens there.
        way: through the redirects of the page that was asked for.
        stalls: whether silent clients keep it from answering others.
        unfinished: the questions that there was no time for.
    """

    target: ProbeTarget
    unreachable: str | None = None
    failure: str | None = None
    certificates: tuple[x509.Certificate, ...] = ()
    whole: bool = False
    verdict: Verification | None = None
    versions: Mapping[str, bool] = field(default_factory=dict)
    weak: Mapping[str, str] = field(default_factory=dict)
    other: str | None = None
    asks: bool = False
    refused_without_certificate: bool = False
    resumption: Mapping[str, Resumption] = field(default_factory=dict)
    answer: ResponseHead | None = None
    plain: ResponseHead | None = None
    redirect: ResponseHead | None = None
    way: Walk | None = None
    stalls: bool | None = None
    unfinished: tuple[str, ...] = ()
