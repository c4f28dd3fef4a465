"""Parses PEM (RFC 7468), whatever other text surrounds the blocks."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from dataclasses import dataclass, field

_MARKER = re.compile(rb"-----(BEGIN|END) ([A-Z0-9][A-Z0-9 #]*?)-----")
_COLUMNS = 64

#: ``X509 CERTIFICATE`` is an old name that OpenSSL still reads.
CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One PEM block: a BEGIN line, its END line, and what is between them.

    Arguments:
        label: ``CERTIFICATE``, ``PRIVATE KEY``, …
        headers: the header lines of an encrypted key in OpenSSL's traditional format (RFC 1421, section 4.6).
        body: the base64 text without white space; it may be damaged.
    """

    label: str
    headers: tuple[str, ...] = ()
    body: bytes = field(repr=False)

    @property
    def is_certificate(self) -> bool:
        """Whether its label says that it is a certificate."""
        return self.label in CERTIFICATE_LABELS

    @property
    def is_key(self) -> bool:
        """Whether its label says that it is a private key, encrypted or not."""
        return self.label.endswith("PRIVATE KEY")

    @property
    def is_encrypted(self) -> bool:
        """Whether a password is needed to read it."""
        return self.label == "ENCRYPTED PRIVATE KEY" or any("ENCRYPTED" in line for line in self.headers)

    @property
    def der(self) -> bytes:
        """The decoded body.

        Raises:
            ValueError: it is not base64.
        """
        try:
            return base64.b64decode(self.body, validate=True)
        except binascii.Error as error:
            raise ValueError("its base64 text is damaged") from error

    @property
    def pem(self) -> bytes:
        """The block in standard form: markers on lines of their own, 64 columns."""
        lines = [f"-----BEGIN {self.label}-----".encode()]
        if self.headers:
            lines += [*(line.encode() for line in self.headers), b""]
        lines += [self.body[start : start + _COLUMNS] for start in range(0, len(self.body), _COLUMNS)]
        lines.append(f"-----END {self.label}-----".encode())
        return b"\n".join(lines) + b"\n"


@dataclass(frozen=True, kw_only=True)
class Pem:
    """The blocks of one file.

    Arguments:
        blocks: in file order.
        unfinished: labels of blocks whose END line is missing.
        glued: whether two share a line (``-----END …----------BEGIN …-----``), which OpenSSL cannot read.
    """

    blocks: tuple[Block, ...] = ()
    unfinished: tuple[str, ...] = ()
    glued: bool = False

    @property
    def certificates(self) -> tuple[Block, ...]:
        """The certificates among the blocks."""
        return tuple(block for block in self.blocks if block.is_certificate)

    @property
    def keys(self) -> tuple[Block, ...]:
        """The private keys among the blocks, each once."""
        return tuple(dict.fromkeys(block for block in self.blocks if block.is_key))

    @property
    def labels(self) -> frozenset[str]:
        """The labels of all blocks."""
        return frozenset(block.label for block in self.blocks)


def parse_pem(data: bytes) -> Pem:
    """Find the blocks in ``data``.

    Any text may surround them (comments, ``Bag Attributes``, a byte order mark); lines may end in CRLF,
    be indented, or be joined to one.
    """
    text = _readable(data)
    blocks: list[Block] = []
    unfinished: list[str] = []
    glued = False
    opened: tuple[str, int] | None = None
    last_end: int | None = None
    for marker in _MARKER.finditer(text):
        label = marker[2].decode()
        if marker[1] == b"BEGIN":
            if opened is not None:
                unfinished.append(opened[0])
            glued = glued or (last_end is not None and _is_one_line(text[last_end : marker.start()]))
            opened = (label, marker.end())
        elif opened is not None:
            if opened[0] == label:
                blocks.append(_block(label, text[opened[1] : marker.start()]))
                last_end = marker.end()
            else:
                unfinished.append(opened[0])
            opened = None
    if opened is not None:
        unfinished.append(opened[0])
    return Pem(blocks=tuple(blocks), unfinished=tuple(unfinished), glued=glued)


def _is_one_line(text: bytes) -> bool:
    return b"\n" not in text and b"\r" not in text


def _readable(data: bytes) -> bytes:
    """Undo what editors and environment variables do to text: UTF-16, and ``\\n`` spelled out."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", errors="replace").encode()
    if re.search(rb"-----(\\r)?\\n", data):
        data = data.replace(b"\\r", b"").replace(b"\\n", b"\n")
    return data


def _block(label: str, content: bytes) -> Block:
    lines = [line.strip() for line in content.strip().splitlines()]
    headers: list[str] = []
    if lines and b":" in lines[0]:
        end = lines.index(b"") if b"" in lines else len(lines)
        headers = [line.decode("latin-1") for line in lines[:end]]
        lines = lines[end:]
    return Block(label=label, headers=tuple(headers), body=b"".join(b"".join(lines).split()))
