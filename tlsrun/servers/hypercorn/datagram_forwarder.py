"""HTTP/3 with several workers: forwards a datagram to the worker that has its connection, by connection ID.

The kernel selects a worker's socket by the addresses of a datagram. When a client's address changes (a phone leaves the
Wi-Fi, a router rebinds its NAT mapping), the connection goes on under its connection ID (RFC 9000, section 9), but the
kernel may select another worker. So a connection ID encodes the worker that issued it, and a worker forwards datagrams
of other workers' connections. The same happens while a worker drains and its successor already reads the socket.

A filter in the kernel (SO_ATTACH_REUSEPORT_CBPF) would not do: it exists on Linux only, and selects sockets, not one of
the two processes that may share a socket.

An ID is made of ``seat ^ mask, check, nonce``, where mask and check are a keyed hash of the nonce: only this server can
tell which of them belong to the same client or worker (RFC 9000, section 5.1).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from aioquic.quic.connection import QuicConnection

from tlsrun.servers.hypercorn.retry_tokens import RetryTokens

_SEAT, _CHECK, _NONCE = 2, 1, 8  # bytes
#: Bytes of a connection ID.
LENGTH = _SEAT + _CHECK + _NONCE
_DATAGRAM = 65535
_HEAD = 128  # maximum length in bytes of the address in a forwarded message
_AT_ONCE = 64  # messages read before other events get their turn


class DatagramForwarder:
    """Socket pairs between the workers, and the connection IDs. Created before the fork.

    Arguments:
        seats: maximum number of workers of one program, including draining ones.
        kept: the `state` of the program that a reload has replaced. Its workers are still draining, in seats and with
            sockets of their own.

    Attributes:
        first: the first seat of this program's workers.
        proof: issues and validates the Retry tokens by which clients prove their address (RFC 9000, section 8.1.2).
    """

    def __init__(self, seats: int, kept: Mapping[str, Any] | None = None) -> None:
        self._seats = seats
        self._secret = bytes.fromhex(kept["secret"]) if kept else os.urandom(32)
        self.proof = RetryTokens()
        self._boxes = [(_found(one), _found(other)) for one, other in kept["boxes"]] if kept else []
        self.first = 0
        if kept and kept["first"] < seats:
            self.first = kept["first"] + kept["seats"]
        # A connected pair queues up to a number of bytes; an unconnected socket only a handful of datagrams.
        for _ in range(self.first + seats - len(self._boxes)):
            self._boxes.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
        for box in self._boxes:
            for end in box:
                end.setblocking(False)

    @property
    def state(self) -> dict[str, Any]:
        """What the next program needs after an exec(2)."""
        boxes = [[end.fileno() for end in box] for box in self._boxes]
        return {"secret": self._secret.hex(), "boxes": boxes, "first": self.first, "seats": self._seats}

    @property
    def descriptors(self) -> list[int]:
        """File descriptors listed in `state`, which the next program must inherit."""
        return [end.fileno() for box in self._boxes for end in box]

    def close(self) -> None:
        """Close the sockets, when no more workers will be forked."""
        for box in self._boxes:
            for end in box:
                end.close()

    # Connection IDs.

    def name(self, seat: int) -> bytes:
        """Return a new connection ID for the worker in ``seat``."""
        nonce = os.urandom(_NONCE)
        mask = self._hash(nonce)
        masked = seat ^ int.from_bytes(mask[:_SEAT], "big")
        return masked.to_bytes(_SEAT, "big") + mask[_SEAT:] + nonce

    def seat_of(self, name: bytes) -> int | None:
        """Return the seat of the worker that issued a connection ID; None (with rare exceptions) for a client's own."""
        if len(name) != LENGTH:
            return None
        mask = self._hash(name[_SEAT + _CHECK :])
        seat = int.from_bytes(name[:_SEAT], "big") ^ int.from_bytes(mask[:_SEAT], "big")
        if mask[_SEAT:] != name[_SEAT : _SEAT + _CHECK] or seat >= len(self._boxes):
            return None
        return seat

    def call(self, quic: QuicConnection, seat: int) -> None:
        """Make a new connection issue such IDs; aioquic (1.7) has random ones, and no public API to change that."""
        first = quic._host_cids[0]
        first.cid = quic.host_cid = quic._local_initial_source_connection_id = self.name(seat)
        replenish = quic._replenish_connection_ids

        def named() -> None:
            known = len(quic._host_cids)
            replenish()
            for more in quic._host_cids[known:]:
                more.cid = self.name(seat)

        quic._replenish_connection_ids = named  # type: ignore[method-assign]

    def _hash(self, nonce: bytes) -> bytes:
        return hashlib.blake2b(nonce, key=self._secret, digest_size=_SEAT + _CHECK).digest()

    # Messages between workers.

    def box(self, seat: int) -> socket.socket:
        """Return the socket that the worker in ``seat`` reads; messages left by its predecessor are discarded."""
        box = self._boxes[seat][0]
        with contextlib.suppress(BlockingIOError):
            while True:
                box.recv(1)
        return box

    def send(self, seat: int, data: bytes, address: tuple[Any, ...]) -> None:
        """Forward a datagram from ``address``; it is dropped if the queue is full, as datagrams may be."""
        with contextlib.suppress(OSError):
            self._boxes[seat][1].send("\t".join(map(str, address)).encode() + b"\n" + data)

    def letters(self, seat: int) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
        """Yield the datagrams forwarded to the worker in ``seat``, each with its source address."""
        for _ in range(_AT_ONCE):
            try:
                letter = self._boxes[seat][0].recv(_DATAGRAM + _HEAD)
            except BlockingIOError:
                return
            head, _, data = letter.partition(b"\n")
            host, *numbers = head.decode().split("\t")
            yield data, (host, *map(int, numbers))


def _found(number: int) -> socket.socket:
    end = socket.socket(fileno=number)
    end.set_inheritable(False)
    return end


def name_in(data: bytes) -> bytes:
    """Return a datagram's destination connection ID (RFC 8999, section 5), in short headers of our length."""
    if data[:1] and data[0] & 0x80:
        return data[6 : 6 + data[5]] if len(data) > 5 else b""
    return data[1 : 1 + LENGTH]
