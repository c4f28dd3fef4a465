"""What the applications of these tests answer, whatever their framework."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = bytes(range(256)) * 256

#: The folder by which tests and application talk: a file appears when something has happened.
FOLDER = "HTTP_TEST_FOLDER"


def _file(name: str) -> Path:
    return Path(os.environ[FOLDER]) / name


def seen(environ: dict[str, Any]) -> dict[str, Any]:
    """Every variable that is text, and the type of ports."""
    return {name: value for name, value in environ.items() if isinstance(value, (str, int))}


def parts(count: int) -> Iterator[bytes]:
    """``0,1,2,…``"""
    for number in range(count):
        yield b"%d," % number


def events() -> Iterator[bytes]:
    """Event 1 at once; each further one when the file ``event-N`` has appeared, three in all."""
    for number in (1, 2, 3):
        while number > 1 and not _file(f"event-{number}").exists():
            threading.Event().wait(0.02)
        yield b"data: %d\n\n" % number


def block_after_block(size: int) -> Iterator[bytes]:
    """So many bytes of repeated `BLOCK`."""
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


def digest(stream: Any) -> str:
    """Length and SHA-256 of all that ``stream`` gives."""
    length, digest = 0, hashlib.sha256()
    while part := stream.read(65536):
        length += len(part)
        digest.update(part)
    return f"{length} {digest.hexdigest()}"


def forever() -> Iterator[bytes]:
    """Blocks without an end; the file ``closed`` appears when nobody wants more."""
    try:
        while True:
            yield BLOCK
    finally:
        _file("closed").touch()


def slow(seconds: float) -> str:
    """The file ``slow`` appears when it begins."""
    _file("slow").touch()
    threading.Event().wait(seconds)
    return "slept"
