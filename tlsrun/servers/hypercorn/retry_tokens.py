"""QUIC Retry tokens, by which clients prove their address under load: aioquic's, prefixed with a MAC of ours."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any

from aioquic.quic.retry import QuicRetryTokenHandler

_MARK = 8  # bytes


class RetryTokens:
    """Created before the fork, so that a worker accepts tokens issued by another one.

    aioquic changed the arguments of its handler in version 1.7, which does not support Python 3.10; so this class
    passes all arguments through.
    """

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._handler: Any = QuicRetryTokenHandler()

    def made(self, token: bytes) -> bool:
        """Whether we issued this token; then the client's next Initial packet has to be validated with it."""
        return hmac.compare_digest(token[:_MARK], self._mark(token[_MARK:]))

    def create_token(self, *arguments: Any, **named: Any) -> bytes:
        """As QuicRetryTokenHandler.create_token."""
        token: bytes = self._handler.create_token(*arguments, **named)
        return self._mark(token) + token

    def validate_token(self, *arguments: Any, **named: Any) -> Any:
        """As QuicRetryTokenHandler.validate_token.

        Raises:
            ValueError: the token is not ours, or belongs to another client address.
        """
        if "token" in named:
            return self._handler.validate_token(*arguments, **named | {"token": named["token"][_MARK:]})
        return self._handler.validate_token(*arguments[:-1], arguments[-1][_MARK:])

    def _mark(self, token: bytes) -> bytes:
        return hashlib.blake2b(token, key=self._secret, digest_size=_MARK).digest()
