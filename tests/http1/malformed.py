"""Requests that must never reach an application: what two HTTP parsers could read in two ways."""

from __future__ import annotations

_OK = b"Host: localhost\r\n"


def _with(*lines: bytes, body: bytes = b"") -> bytes:
    return b"POST /seen HTTP/1.1\r\n" + _OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _chunked(body: bytes) -> bytes:
    return _with(b"Transfer-Encoding: chunked", body=body)


_SMUGGLED = b"GET /seen HTTP/1.1\r\nHost: localhost\r\n\r\n"

#: What a well-formed head of a chunked body is; the fault is behind it.
CHUNKED_HEAD = _chunked(b"")

#: Name -> bytes that are answered with 400 and the end of the connection.
MALFORMED = {
    # Two lengths.
    "length and chunked": _with(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + _SMUGGLED),
    "chunked and length": _with(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + _SMUGGLED),
    "two lengths": _with(b"Content-Length: 5", b"Content-Length: 6", body=b"hello" + _SMUGGLED),
    "the same length twice": _with(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "a list of lengths": _with(b"Content-Length: 5, 5", body=b"hello"),
    # Lengths that are no number.
    "length with plus": _with(b"Content-Length: +5", body=b"hello"),
    "negative length": _with(b"Content-Length: -5", body=b"hello"),
    "length with a space in it": _with(b"Content-Length: 5 0", body=b"hello"),
    "hexadecimal length": _with(b"Content-Length: 0x5", body=b"hello"),
    "length with underscore": _with(b"Content-Length: 1_0", body=b"helloworld"),
    "length with a dot": _with(b"Content-Length: 5.0", body=b"hello"),
    "empty length": _with(b"Content-Length: ", body=b"hello"),
    "length that overflows": _with(b"Content-Length: 18446744073709551621", body=b"hello"),
    "length in other digits": _with("Content-Length: \u0665".encode(), body=b"hello"),
    "length in latin-1 digits": _with(b"Content-Length: \xb2", body=b"he"),
    # Transfer codings.
    "unknown coding": _with(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "identity": _with(b"Transfer-Encoding: identity", body=b""),
    "chunked, then another": _with(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "another, then chunked": _with(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunked twice in a list": _with(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "chunked twice": _with(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunked in quotes": _with(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "chunked with a vertical tab": _with(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "chunked with a parameter": _with(b"Transfer-Encoding: chunked;a=b", body=b"0\r\n\r\n"),
    "empty coding": _with(b"Transfer-Encoding:", body=b"0\r\n\r\n"),
    "chunked in HTTP/1.0": b"POST /seen HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # Line ends.
    "bare LF after the request line": b"GET /seen HTTP/1.1\nHost: localhost\r\n\r\n",
    "bare LF everywhere": b"GET /seen HTTP/1.1\nHost: localhost\n\n",
    "bare LF after a header": b"GET /seen HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n",
    "bare LF as the empty line": b"GET /seen HTTP/1.1\r\nHost: localhost\r\n\n",
    "bare CR after the request line": b"GET /seen HTTP/1.1\rHost: localhost\r\n\r\n",
    "bare CR in a value": _with(b"X-A: b\rContent-Length: 5"),
    "bare LF in a value": _with(b"X-A: b\nContent-Length: 5"),
    "CR CR LF": b"GET /seen HTTP/1.1\r\nHost: localhost\r\r\n\r\n",
    "LF before the request": b"\nGET /seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CR before the request": b"\rGET /seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "many empty lines": b"\r\n" * 9 + _SMUGGLED,
    # Control characters.
    "NUL in a value": _with(b"X-A: b\x00c"),
    "NUL in a name": _with(b"X-\x00A: b"),
    "NUL in the target": b"GET /se\x00en HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "escaped NUL in the target": b"GET /seen%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "escape character in a value": _with(b"X-A: \x1b[31m"),
    "DEL in a value": _with(b"X-A: \x7f"),
    # Header lines.
    "folded header": _with(b"X-A: b", b" c"),
    "folded with a tab": _with(b"X-A: b", b"\tTransfer-Encoding: chunked"),
    "space before the colon": _with(b"Content-Length : 5", body=b"hello"),
    "tab before the colon": _with(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"),
    "space in a name": _with(b"Transfer Encoding: chunked"),
    "space before the first header": b"GET /seen HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "no name": _with(b": b"),
    "no colon": _with(b"X-A"),
    "a name in quotes": _with(b'"X-A": b'),
    "a name that is not ASCII": _with(b"X-\xe4: b"),
    "a name with a slash": _with(b"X/A: b"),
    "no Host": b"GET /seen HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /seen HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "empty Host": b"GET /seen HTTP/1.1\r\nHost:\r\n\r\n",
    "a path in Host": b"GET /seen HTTP/1.1\r\nHost: localhost/x\r\n\r\n",
    "a user in Host": b"GET /seen HTTP/1.1\r\nHost: a@localhost\r\n\r\n",
    "a list of Hosts": b"GET /seen HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "two Content-Types": _with(b"Content-Type: a/b", b"Content-Type: c/d"),
    "Connection that names no header": _with(b"Connection: a b"),
    # Request lines.
    "no version": b"GET /seen\r\nHost: localhost\r\n\r\n",
    "lower-case version": b"GET /seen http/1.1\r\nHost: localhost\r\n\r\n",
    "two digits of version": b"GET /seen HTTP/1.10\r\nHost: localhost\r\n\r\n",
    "version without a dot": b"GET /seen HTTP/11\r\nHost: localhost\r\n\r\n",
    "space after the version": b"GET /seen HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    "two spaces": b"GET  /seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tab for a space": b"GET\t/seen\tHTTP/1.1\r\nHost: localhost\r\n\r\n",
    "space before the method": b" GET /seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method with a colon": b"GE:T /seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method that is not ASCII": b"G\xcbT /seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a raw space in the target": b"GET /se en HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a target that is not ASCII": b"GET /s\xc3\xa9en HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a fragment": b"GET /seen#x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a target without a slash": b"GET seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an asterisk with GET": b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a URL of another scheme": b"GET ftp://localhost/seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a URL without a host": b"GET http:///seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a URL with a user": b"GET http://a@localhost/seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "nothing but a line": b"hello\r\n\r\n",
    # Other protocols.
    "the PROXY protocol": b"PROXY TCP4 6.6.6.6 127.0.0.1 1 443\r\n" + _SMUGGLED,
    "the PROXY protocol, unknown": b"PROXY UNKNOWN\r\n" + _SMUGGLED,
    "the PROXY protocol's second version": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + _SMUGGLED,
    "PROXY as a method": b"PROXY /seen HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    # Chunked bodies.
    "a chunk size that is no number": _chunked(b"x\r\nhello\r\n0\r\n\r\n"),
    "an empty chunk size": _chunked(b"\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with 0x": _chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with plus": _chunked(b"+5\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk size": _chunked(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with underscore": _chunked(b"0_5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size after a space": _chunked(b" 5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size before a space": _chunked(b"5 \r\nhello\r\n0\r\n\r\n"),
    "a chunk size that overflows": _chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "a chunk longer than its size": _chunked(b"3\r\nhello\r\n0\r\n\r\n"),
    "a chunk without its end": _chunked(b"5\r\nhello0\r\n\r\n"),
    "bare LF after the chunk size": _chunked(b"5\nhello\r\n0\r\n\r\n"),
    "bare LF after the chunk": _chunked(b"5\r\nhello\n0\r\n\r\n"),
    "bare LF after the last chunk": _chunked(b"5\r\nhello\r\n0\n\n"),
    "bare CR after the chunk size": _chunked(b"5\rhello\r\n0\r\n\r\n"),
    "LF in a chunk extension": _chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "CR in a chunk extension": _chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "NUL in a chunk extension": _chunked(b"5;a\x00b\r\nhello\r\n0\r\n\r\n"),
    "a chunk extension without a semicolon": _chunked(b"5 a=b\r\nhello\r\n0\r\n\r\n"),
    "an endless chunk extension": _chunked(b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
    "chunk extensions without end": _chunked(b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n" * 4000 + b"0\r\n\r\n"),
    "a trailer without a colon": _chunked(b"0\r\nX-A\r\n\r\n"),
    "a folded trailer": _chunked(b"0\r\nX-A: b\r\n c\r\n\r\n"),
    "a bare LF in a trailer": _chunked(b"0\r\nX-A: b\nc: d\r\n\r\n"),
    "trailers without end": _chunked(b"0\r\n" + b"X-A: bbbbbbbbbbbbbbbbbbbbbbbbb\r\n" * 4000 + b"\r\n"),
}

#: Name -> bytes, and the status when it is another one; the connection ends as well.
OTHERWISE_REFUSED = {
    "CONNECT": (b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n", 405),
    "another expectation": (_with(b"Content-Length: 5", b"Expect: 200-ok", body=b"hello"), 417),
    "HTTP/2.0": (b"GET /seen HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /seen HTTP/0.9\r\nHost: localhost\r\n\r\n", 505),
    "HTTP/3.0": (b"GET /seen HTTP/3.0\r\nHost: localhost\r\n\r\n", 505),
    "a long request line": (b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a request line without end": (b"GET /" + b"a" * 17000, 414),
    "large headers": (_with(*[b"X-A: " + b"a" * 8000] * 9), 431),
    "a header without end": (b"GET /seen HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 66000, 431),
    "many headers": (_with(*[b"X-A: b"] * 201), 431),
}
