"""Packs a request's head as the variables of a uwsgi packet."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from tlsrun.edge.names import RULES, TRUSTED_RULES
from tlsrun.edge.variables import pair, sized
from tlsrun.http1.fields import Fields
from tlsrun.http1.head import Head

# Constant parts of a packet.
_METHODS = {name: pair(b"REQUEST_METHOD", name) for name in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH")}
_URI, _PATH, _QUERY, _HTTP_HOST = map(sized, (b"REQUEST_URI", b"PATH_INFO", b"QUERY_STRING", b"HTTP_HOST"))
_HTTP11 = pair(b"SERVER_PROTOCOL", b"HTTP/1.1")
_HTTP10 = pair(b"SERVER_PROTOCOL", b"HTTP/1.0")
_COOKIE = sized(b"HTTP_COOKIE")


class Packing:
    """Packs the heads of one client's requests; repeated header lines are not packed again.

    Arguments:
        trusted: whether the client is a trusted proxy, whose forwarded headers are kept.
    """

    __slots__ = ("_fields", "_packed", "_rules")

    def __init__(self, *, trusted: bool = False) -> None:
        self._rules = TRUSTED_RULES if trusted else RULES
        self._fields: Fields | None = None
        self._packed = b""

    def variables(self, head: Head) -> bytes:
        """The variables of a request, without CONTENT_LENGTH."""
        if head.fields is not self._fields:
            self._packed = self._pack(head.fields)
            self._fields = head.fields
        path, query, host = head.path, head.query, head.host
        uri = path if query is None else path + b"?" + query
        decoded = unquote_to_bytes(path) if b"%" in path else path
        parts = [
            _METHODS.get(head.method) or pair(b"REQUEST_METHOD", head.method),
            _URI, len(uri).to_bytes(2, "little"), uri,
            _PATH, len(decoded).to_bytes(2, "little"), decoded,
            _QUERY, sized(query) if query else b"\0\0",
            _HTTP10 if head.http10 else _HTTP11,
            self._packed,
        ]  # fmt: skip
        if host is not None:
            parts += (_HTTP_HOST, len(host).to_bytes(2, "little"), host)
        return b"".join(parts)

    def _pack(self, fields: Fields) -> bytes:
        rules = self._rules
        told: dict[bytes, bytes] = {}
        for name, value in fields.lines:
            variable = rules[name]
            if variable is not None:
                if variable in told:
                    value = told[variable] + (b"; " if variable == _COOKIE else b", ") + value
                told[variable] = value
        # Connection names headers for this hop only, which are dropped; but not Content-Type, which describes the body.
        for name in fields.connection - {b"content-type"}:
            told.pop(rules[name] or b"", None)
        parts: list[bytes] = []
        for variable, value in told.items():
            parts += (variable, len(value).to_bytes(2, "little"), value)
        return b"".join(parts)
