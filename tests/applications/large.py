"""The application of the tests of slow clients: large answers, and bodies that are read to their end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

MIB = 1 << 20
_LINES = 4096  # of 16 bytes each


def parts(mebibytes: int) -> Iterator[bytes]:
    """So many bytes, of which no two lines are the same."""
    for first in range(0, mebibytes * MIB // 16, _LINES):
        yield b"".join(b"%015d\n" % line for line in range(first, first + _LINES))


def digest(mebibytes: int) -> str:
    """What tells whether somebody got all of them, in order."""
    read = hashlib.sha256()
    for part in parts(mebibytes):
        read.update(part)
    return read.hexdigest()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """``/N`` answers with N MiB; of a body it says the size and the digest, of nothing "hello"."""
    number = environ["PATH_INFO"].strip("/")
    if environ["REQUEST_METHOD"] == "POST":
        data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        answer = f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()
    elif number:
        start_response("200 OK", [("Content-Length", str(int(number) * MIB))])
        return parts(int(number))
    else:
        answer = b"hello"
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
