"""What was observed of a running server; None for what could not be found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509

from tlsrun.check.live.http import ResponseHead
from tlsrun.check.live.target import ProbeTarget
from tlsrun.check.live.walk import Walk


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The result of verifying the chain as a client.

    Arguments:
        trusted: whether the chain leads to a known root.
        reason: OpenSSL's words for the failure.
        code: OpenSSL's error code (X509_STORE_CTX_get_error(3)).
        by_development_ca: whether the chain leads to a development CA of this machine.
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
        """Whether every connection resumed."""
        return self.resumed == self.tried


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A server as seen from outside.

    Arguments:
        target: the address that was asked.
        unreachable: why no connection could be made; None if one could.
        failure: why no handshake succeeded; None if one did.
        certificates: as sent, the server's own first.
        whole: whether these are all that were sent.
        verdict: the result of verifying the chain.
        versions: version -> whether the server speaks it.
        weak: fault -> a suite with that fault that the server accepts.
        other: a sound suite outside Mozilla's profile that it accepts.
        asks: whether it requests client certificates.
        refused_without_certificate: whether it refuses clients without one.
        resumption: version -> how many sessions were resumed.
        answer: the response to a request over TLS.
        plain: the response to a request without TLS on the same port.
        redirect: the response on the port for plain HTTP; None if nothing listens there.
        way: the page that was asked for and its redirects.
        stalls: whether silent clients keep it from answering others.
        unfinished: the questions for which there was no time.
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
