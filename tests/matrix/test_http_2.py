"""HTTP/2 by clients that no library would be: frames that RFC 9113 forbids, and floods of frames that ask for nothing.

The cases are those of h2spec (https://github.com/summerwind/h2spec), which is not packaged where tests run.
"""

from __future__ import annotations

import contextlib
import re
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import client_context, tls_connect
from tests.support.frames import HEADERS, PING, SETTINGS, frame, http_2_hello
from tests.support.frameworks import MODERN, Site, beginning
from tests.support.process import in_time

DATA, PRIORITY, RST_STREAM, PUSH_PROMISE, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 2, 3, 5, 7, 8, 9
_GET = b"\x82\x87\x04\x01/\x01\x09localhost"  # GET, https, /, localhost: RFC 7541, appendix A
_POST = b"\x83\x87\x04\x07/upload\x01\x09localhost"
_OPEN, _WHOLE = 4, 5  # END_HEADERS; and END_STREAM

MALFORMED = {
    "5.1 DATA on an idle stream": frame(DATA, b"x", stream=1),
    "5.1 RST_STREAM on an idle stream": frame(RST_STREAM, b"\0\0\0\x08", stream=1),
    "5.1 WINDOW_UPDATE on an idle stream": frame(WINDOW_UPDATE, b"\0\0\0\x64", stream=1),
    "5.1.1 an even stream": frame(HEADERS, _GET, flags=_WHOLE, stream=2),
    "5.1.1 a smaller stream": frame(HEADERS, _GET, flags=_WHOLE, stream=5) + frame(HEADERS, _GET, flags=5, stream=3),
    "6.1 DATA without a stream": frame(DATA, b"x"),
    "6.2 HEADERS without a stream": frame(HEADERS, _GET, flags=_WHOLE),
    "6.2 too much padding": frame(HEADERS, b"\xff" + _GET, flags=_WHOLE | 8, stream=1),
    "6.4 RST_STREAM without a stream": frame(RST_STREAM, b"\0\0\0\x08"),
    "6.5 SETTINGS of 3 bytes": frame(SETTINGS, b"\0\0\0"),
    "6.5 SETTINGS on a stream": frame(SETTINGS, stream=1),
    "6.5 an acknowledgement with a payload": frame(SETTINGS, b"\0\3\0\0\0\x64", flags=1),
    "6.5.2 a push setting of 2": frame(SETTINGS, b"\0\2\0\0\0\2"),
    "6.5.2 a window above 2^31-1": frame(SETTINGS, b"\0\4\x80\0\0\0"),
    "6.5.2 a frame size below the least": frame(SETTINGS, b"\0\5\0\0\x3f\xff"),
    "6.6 PUSH_PROMISE": frame(HEADERS, _POST, flags=_OPEN, stream=1)
    + frame(PUSH_PROMISE, b"\0\0\0\2" + _GET, flags=_OPEN, stream=1),
    "6.7 PING of 6 bytes": frame(PING, b"ping!!"),
    "6.7 PING on a stream": frame(PING, b"pingpong", stream=1),
    "6.8 GOAWAY on a stream": frame(GOAWAY, bytes(8), stream=1),
    "6.9 WINDOW_UPDATE of 0": frame(WINDOW_UPDATE, bytes(4)),
    "6.9.1 a window that overflows": frame(WINDOW_UPDATE, b"\x7f\xff\xff\xff") * 2,
    "6.10 CONTINUATION alone": frame(CONTINUATION, _GET, flags=_OPEN, stream=1),
    "6.10 a PING amid headers": frame(HEADERS, _GET[:4], flags=1, stream=1) + frame(PING, b"pingpong"),
    "8.1 a header in capitals": frame(HEADERS, _GET + b"\x00\x01A\x01b", flags=_WHOLE, stream=1),
    "8.2.2 connection": frame(HEADERS, _GET + b"\x00\x0aconnection\x05close", flags=_WHOLE, stream=1),
    "8.3 no path": frame(HEADERS, b"\x82\x87\x01\x09localhost", flags=_WHOLE, stream=1),
    "8.3 two methods": frame(HEADERS, b"\x82" + _GET, flags=_WHOLE, stream=1),
    "8.1.1 a length that is not the body's": frame(HEADERS, _POST + b"\x0f\x0d\x013", flags=_OPEN, stream=1)
    + frame(DATA, b"12345", flags=1, stream=1),
    "HPACK an index that is not there": frame(HEADERS, _GET + b"\xfe", flags=_WHOLE, stream=1),
    "HPACK the index 0": frame(HEADERS, _GET + b"\x80", flags=_WHOLE, stream=1),
}

FLOODS = {
    "PING": frame(PING, b"pingpong"),
    "SETTINGS": frame(SETTINGS, b"\0\3\0\0\0\x64"),
    "PRIORITY": b"".join(frame(PRIORITY, struct.pack("!IB", 0, 15), stream=stream) for stream in range(3, 2003, 2)),
    "an unknown frame": frame(0xBB, b"x"),
    "empty DATA": frame(DATA, stream=1),
    "empty CONTINUATION": frame(CONTINUATION, stream=3),
}


#: What servers say of faults of their own; Flask says of itself that a body broke off.
_BROKEN = {"a connection failed", "event loop", "panicked"}


@pytest.fixture(params=MODERN, scope="module")
def site(
    request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site that the tests of this module share; what is below the framework is looked at, so one is enough."""
    with beginning(request.param, "flask", localhost_cert, ca_file, tmp_path_factory.mktemp("site"))() as running:
        yield running


def _connect(site: Site) -> ssl.SSLSocket:
    context = client_context(site.ca)
    context.set_alpn_protocols(["h2"])
    tls = tls_connect(site.address, None, context=context, timeout=60)
    tls.sendall(http_2_hello())
    return tls


def _frames(tls: ssl.SSLSocket) -> Iterator[int]:
    """The kinds of the frames that come, until the end."""
    buffer = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := tls.recv(65536):
            buffer += data
            while len(buffer) >= 9 and len(buffer) >= (size := 9 + int.from_bytes(buffer[:3], "big")):
                yield buffer[3]
                buffer = buffer[size:]


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_forbidden(site: Site, case: str) -> None:
    """It ends the stream or the connection, and costs nobody else anything."""
    with _connect(site) as tls:
        tls.sendall(MALFORMED[case])
        for kind in _frames(tls):  # or the connection ends without a word
            if kind in (RST_STREAM, GOAWAY):
                break
    assert not _BROKEN.intersection(re.findall("|".join(_BROKEN), site.server.log()))
    assert site.curl("/", "--http2").status == 200


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood(site: Site, flood: str) -> None:
    """Hypercorn's client is sent away; under every server another one has its page meanwhile."""
    piece = FLOODS[flood]
    with _connect(site) as tls:
        if flood == "empty DATA":
            tls.sendall(frame(HEADERS, _POST, flags=_OPEN, stream=1))
        elif flood == "empty CONTINUATION":
            tls.sendall(frame(HEADERS, _GET[:4], flags=1, stream=3))
        sent_away = False
        tls.settimeout(1)  # a server that answers what is not read does not read any more
        try:
            for _ in range(10):
                tls.sendall(piece * (20_000 // len(piece) + 1))
        except (ConnectionError, ssl.SSLError):
            sent_away = True
        except TimeoutError:
            pass
        assert in_time(lambda: site.curl("/", "--http2"), 3).status == 200
        if site.name == "hypercorn" and not sent_away:
            tls.settimeout(60)
            assert GOAWAY in _frames(tls)
    assert not _BROKEN.intersection(re.findall("|".join(_BROKEN), site.server.log()))
