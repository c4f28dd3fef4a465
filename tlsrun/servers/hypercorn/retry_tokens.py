"""QUIC Retry tokens, by which clients prove their address under load: aioquic's, with a mark that they are ours."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any

from aioquic.quic.retry import QuicRetryTokenHandler

_MARK = 8  # bytes


class RetryTokens:
    """Made before the workers are forked: what one has asked for, another may be shown.

    aioquic's handler has had other arguments before its version 1.7, which Python 3.10 does not get; so they pass
    through as they come.
    """

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._handler: Any = QuicRetryTokenHandler()

    def made(self, token: bytes) -> bool:
        """Whether a client was given this token by us, and so has to be answered as one that has proved its address."""
        return hmac.compare_digest(token[:_MARK], self._mark(token[_MARK:]))

    def create_token(self, *arguments: Any, **named: Any) -> bytes:
        """As QuicRetryTokenHandler.create_token."""
        token: bytes = self._handler.create_token(*arguments, **named)
        return self._mark(token) + token

    def validate_token(self, *arguments: Any, **named: Any) -> Any:
        """As QuicRetryTokenHandler.validate_token.

        Raises:
            ValueError: it is none of ours, or is another client's.
        """
        if "token" in named:
            return self._handler.validate_token(*arguments, **named | {"token": named["token"][_MARK:]})
        return self._handler.validate_token(*arguments[:-1], arguments[-1][_MARK:])

    def _mark(self, token: bytes) -> bytes:
        return hashlib.blake2b(token, key=self._secret, digest_size=_MARK).digest()
