"""Why a handshake failed, in words, from the error and the client's first bytes; and a rate-limited log for it."""

from __future__ import annotations

import logging
import ssl
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from tlsrun.endpoint import spell_peer
from tlsrun.redirect.plain import First, kind_of

_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}

#: OpenSSL's reasons (sslerr.h, as ssl.SSLError.reason spells them) in words.
_REASONS = {
    "NO_SHARED_CIPHER": "no common cipher",
    "NO_SUITABLE_GROUPS": "no common key exchange group",
    "NO_SUITABLE_KEY_SHARE": "no common key exchange group",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "no common signature algorithm",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "no common signature algorithm",
    "NO_APPLICATION_PROTOCOL": "no common application protocol (ALPN)",
    "HTTP_REQUEST": "plain HTTP on the HTTPS port",
    "HTTPS_PROXY_REQUEST": "a proxy request (CONNECT) on the HTTPS port",
    "WRONG_VERSION_NUMBER": "not TLS",
    "UNEXPECTED_EOF_WHILE_READING": "client closed",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "client showed no certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "certificate unknown: the client does not trust our certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "unknown CA: the client does not trust our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "bad certificate: the client does not accept our certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "unsupported certificate: the client cannot use our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "certificate expired: the client says that our certificate is out of date",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "certificate revoked: the client says that our certificate is revoked",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "client found nothing in common",
    "TLSV1_ALERT_PROTOCOL_VERSION": "client speaks none of our TLS versions",
    "TLSV1_ALERT_DECRYPT_ERROR": "client could not verify a signature",
    "TLSV1_ALERT_INTERNAL_ERROR": "client failed inside",
    "TLSV1_ALERT_USER_CANCELLED": "client gave up",
    "TLSV1_UNRECOGNIZED_NAME": "client does not know the name",
    "CALLBACK_FAILED": "no certificate for the name that the client asked for",
    "INAPPROPRIATE_FALLBACK": "client fell back to an older version without need",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "damaged data",
    "SSLV3_ALERT_BAD_RECORD_MAC": "damaged data, says the client",
}


def reason(error: BaseException, first: bytes = b"", *, timeout: float | None = None) -> str:
    """Why a handshake failed, in words for a log line.

    Arguments:
        error: what the ssl module or the socket raised.
        first: the first bytes that the client sent, as far as known; they tell versions and other protocols.
        timeout: seconds the client had, for the words of a time-out.
    """
    kind = kind_of(first)
    if kind is First.HTTP:
        return "plain HTTP on the HTTPS port"
    if kind is First.OTHER:
        return f"not TLS (it began with {first[:8].hex(' ')})"
    if isinstance(error, TimeoutError):
        return "timed out" if timeout is None else f"timed out after {timeout:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"client certificate refused: {error.verify_message or 'not valid'}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return "client closed"
    if isinstance(error, ssl.SSLError):
        return _openssl_reason(error, first)
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else type(error).__name__


def _openssl_reason(error: ssl.SSLError, first: bytes) -> str:
    name = getattr(error, "reason", None) or ""  # absent from an error that OpenSSL did not raise
    if name in ("UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW"):
        offered = offered_version(first)
        return f"client offered only {offered}" if offered else "client offered none of our TLS versions"
    words = _REASONS.get(name)
    if words is None and name.startswith(("SSLV3_ALERT_", "TLSV1_ALERT_", "TLSV13_ALERT_")):
        words = "client says: " + name.partition("_ALERT_")[2].replace("_", " ").lower()
    return words or name.replace("_", " ").lower() or "the TLS library gave no reason"


def offered_version(first: bytes) -> str | None:
    """The newest version that a ClientHello before TLS 1.3 offers (RFC 5246, section 7.4.1.2).

    Arguments:
        first: the first bytes of the connection; 11 are needed.

    Returns:
        ``"TLS 1.0"`` and so on, None if ``first`` is too short or is not a ClientHello. A TLS 1.3 client says 1.2 here.
    """
    if len(first) < 11 or kind_of(first) is not First.TLS or first[5] != 1:
        return None
    return _VERSIONS.get(int.from_bytes(first[9:11], "big"))


def silence_undecodable_server_names() -> None:
    """Keep the ssl module from writing a traceback to stderr whenever a client asks for a name that is not ASCII.

    The handshake fails either way (alert ``internal_error``) and is logged like any other. The module reports
    through sys.unraisablehook, which is the process's: only servers that own the process call this, once.
    """
    report = sys.unraisablehook

    def report_others(unraisable: Any) -> None:
        # The name is the object up to Python 3.13; since 3.14 it stands in words that name the callback.
        name = isinstance(unraisable.object, bytes) or "servername callback" in (unraisable.err_msg or "")
        if not (name and isinstance(unraisable.exc_value, UnicodeDecodeError)):
            report(unraisable)

    sys.unraisablehook = report_others


class HandshakeLog:
    """One INFO line for each failed handshake, up to a limit in each window; then one line that counts the rest.

    Safe to call from any thread. A timer, started when the first line is suppressed, writes that line at the end of the
    window.

    Arguments:
        logger: where the lines go.
        limit: lines in one window.
        window: seconds.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        *,
        limit: int = 10,
        window: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger or logging.getLogger("tlsrun.handshake")
        self._limit = limit
        self._window = window
        self._clock = clock
        self._lock = threading.Lock()
        self._began = float("-inf")
        self._written = 0
        self._held_back = 0

    def failed(self, peer: Any, why: str, *, level: int = logging.INFO) -> None:
        """Log a failed handshake, or count it.

        Arguments:
            peer: the address as the socket module gives it, or words.
            why: from `reason`.
            level: DEBUG for a client that sent nothing (a port scan, a browser's unused spare connection).
        """
        if not self._logger.isEnabledFor(level):
            return
        with self._lock:
            if self._clock() - self._began >= self._window:
                self._summarise()
                self._began = self._clock()
                self._written = 0
            if self._written >= self._limit:
                if self._held_back == 0:
                    self._start_timer()
                self._held_back += 1
                return
            self._written += 1
        self._logger.log(level, "handshake with %s failed: %s", spell_peer(peer), why)

    def flush(self) -> None:
        """Write the count of suppressed lines now."""
        with self._lock:
            self._summarise()

    def _start_timer(self) -> None:
        timer = threading.Timer(max(0.0, self._began + self._window - self._clock()), self.flush)
        timer.daemon = True
        timer.name = "tlsrun-handshake-log"
        timer.start()

    def _summarise(self) -> None:
        if self._held_back:
            self._logger.info("%d more failed handshakes in the last %g s", self._held_back, self._window)
            self._held_back = 0


#: The log that every server of this process shares.
FAILURES = HandshakeLog()
