"""The questions: functions that connect, find out one thing, and return within their deadline."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping

from cryptography import x509

from tlsrun.certificates.parsing import parse_certificate
from tlsrun.check.live import suites
from tlsrun.check.live.client import (
    HandshakeResult,
    connect,
    development_context,
    later_session,
    open_context,
    shake,
    verifying_context,
)
from tlsrun.check.live.hello import Flight, ask, client_hello
from tlsrun.check.live.http import ResponseHead, get, get_plain
from tlsrun.check.live.observation import Resumption, Verification
from tlsrun.check.live.target import Deadline, ProbeTarget
from tlsrun.check.trust import Trust

#: Number of connections that try to resume a session.
_RESUMPTIONS = 4
#: Number of clients that stay silent, half of them after a few bytes; most servers have fewer threads.
_SILENT = 8
#: Seconds to wait for an answer to plain HTTP; many servers send none.
_PLAIN_SECONDS = 2.0
#: Seconds that a handshake may take while silent clients are connected.
_STALLED_SECONDS = 3.0


def reason(error: Exception) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def reach(target: ProbeTarget, deadline: Deadline) -> str | None:
    """Why no connection can be made; None if one can."""
    try:
        socket.create_connection(target.connect_to, timeout=deadline.left).close()
    except (OSError, UnicodeError) as error:
        return reason(error)
    return None


def handshake(target: ProbeTarget, deadline: Deadline) -> HandshakeResult | str:
    """A handshake that accepts anything, or why it failed."""
    try:
        return shake(target, open_context(), deadline)
    except (OSError, ValueError) as error:
        return reason(error)


def verdict(target: ProbeTarget, trust: Trust, deadline: Deadline) -> Verification | None:
    """The result of verifying the chain; None if the handshake fails for another reason."""
    try:
        shake(target, verifying_context(trust), deadline)
    except ssl.SSLCertVerificationError as error:
        known = bool(trust.development) and _shakes_hands(target, development_context(trust), deadline)
        return Verification(trusted=False, reason=reason(error), code=error.verify_code, by_development_ca=known)
    except (OSError, ValueError):
        return None
    return Verification(trusted=True)


def _shakes_hands(target: ProbeTarget, context: ssl.SSLContext, deadline: Deadline) -> bool:
    try:
        shake(target, context, deadline)
    except (OSError, ValueError):
        return False
    return True


def speaks(target: ProbeTarget, version: str, deadline: Deadline) -> bool:
    """Whether the server speaks ``version``."""
    if version == "TLS 1.3":
        return _shakes_hands(target, open_context(version), deadline)
    offered = suites.FOR_OLD_VERSIONS if version != "TLS 1.2" else tuple(suites.NAMES)
    return ask(target, version, offered, deadline) is not None


def accepts(target: ProbeTarget, offered: Mapping[int, str], deadline: Deadline) -> str | None:
    """The suite that the server chooses from ``offered`` with TLS 1.2; None if it chooses none."""
    flight = ask(target, "TLS 1.2", offered, deadline)
    return None if flight is None else offered.get(flight.suite)


def first_flight(target: ProbeTarget, deadline: Deadline) -> Flight | None:
    """The first flight for an ordinary TLS 1.2 client."""
    return ask(target, "TLS 1.2", tuple(suites.NAMES), deadline)


def certificates_in(flight: Flight) -> tuple[x509.Certificate, ...]:
    """The certificates of a first flight."""
    with contextlib.suppress(ValueError):
        return tuple(parse_certificate(one) for one in flight.certificates)
    return ()


def resumes(target: ProbeTarget, version: str, deadline: Deadline) -> Resumption | None:
    """How often a session is resumed; None if the first handshake fails."""
    context = open_context(version)
    resumed = tried = 0
    try:
        with connect(target, context, deadline) as tls:
            session = later_session(tls, deadline)
        while session is not None and tried < _RESUMPTIONS:
            tried += 1
            with connect(target, context, deadline, session=session) as tls:
                resumed += bool(tls.session_reused)
                session = later_session(tls, deadline) or session
    except OSError:
        if not tried:
            return None
    return Resumption(resumed=resumed, tried=tried or _RESUMPTIONS)


def answer(target: ProbeTarget, deadline: Deadline) -> ResponseHead | str:
    """The response over TLS, or why there is none."""
    try:
        with connect(target, open_context(), deadline) as tls:
            return get(tls, target, deadline)
    except (OSError, ValueError) as error:
        return reason(error)


def plain(target: ProbeTarget, deadline: Deadline) -> ResponseHead | None:
    """The response to plain HTTP on the TLS port."""
    return get_plain(target.connect_to, target, Deadline(min(_PLAIN_SECONDS, deadline.left)))


def redirect(target: ProbeTarget, deadline: Deadline) -> ResponseHead | None:
    """The response on the port for plain HTTP; None if nothing listens there, or no redirect is expected."""
    if target.http_port is None:
        return None
    return get_plain((target.connect_to[0], target.http_port), target, deadline)


def stalls(target: ProbeTarget, deadline: Deadline) -> bool | None:
    """Whether a few silent clients keep the server from completing a handshake with another one."""
    half = client_hello(0x0303, tuple(suites.NAMES), None if target.is_address else target.host)[:60]
    with contextlib.ExitStack() as stack:
        for number in range(_SILENT):
            try:
                silent = socket.create_connection(target.connect_to, timeout=deadline.left)
                stack.enter_context(silent)
                if number % 2:
                    silent.sendall(half)
            except OSError:
                return None
        patience = Deadline(min(_STALLED_SECONDS, deadline.left))
        try:
            shake(target, open_context(), patience)
        except TimeoutError:
            return True
        except OSError:
            return None
    return False
