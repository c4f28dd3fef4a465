"""What a client does not take yet: put in by one thread, sent by another, bounded, and let go of."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support.process import eventually
from tlsrun.connections.output_buffer import OutputBuffer, OutputSink
from tlsrun.spool import Room

KIB = 1024


@dataclass
class Line:
    """A client that reads when it is told to, and the output buffer for it.

    Arguments:
        flows: what the loop was told: to send, or to cease.
    """

    ours: socket.socket
    theirs: socket.socket
    output_buffer: OutputBuffer
    room: Room
    flows: list[bool] = field(default_factory=list)

    def read(self, size: int) -> bytes:
        """So many bytes, while the loop pours."""
        data = b""
        while len(data) < size:
            self.pour()
            data += self.theirs.recv(size - len(data))
        return data

    def pour(self) -> bool:
        """As the loop does; False while the client has to read first."""
        try:
            return self.output_buffer.pour()
        except BlockingIOError:
            return False


def line(*, most: int = 64 * KIB, room: int = KIB * KIB, patience: float | None = 20.0) -> Line:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(20)
    shared, flows = Room(room), []
    sink = OutputSink(flow=flows.append, leave=lambda: True, most=most, room=shared)
    return Line(
        ours=ours, theirs=theirs, output_buffer=OutputBuffer(ours.send, sink, patience), room=shared, flows=flows
    )


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """Those of a test, which are closed."""
    made: list[Line] = []
    yield made
    for one in made:
        one.output_buffer.discard()
        one.ours.close()
        one.theirs.close()


def adding(one: Line, data: bytes) -> tuple[threading.Thread, list[BaseException]]:
    """A thread that puts it in, and what it ran into."""
    errors: list[BaseException] = []

    def add() -> None:
        try:
            one.output_buffer.add(memoryview(data))
        except BaseException as error:  # noqa: BLE001 -- handed to the test
            errors.append(error)

    thread = threading.Thread(target=add)
    thread.start()
    return thread, errors


def waits(one: Line, thread: threading.Thread, held: int) -> None:
    """Wait until all is in, and see that its thread goes on waiting."""
    eventually(lambda: one.output_buffer.held == held, what="what was put in")
    thread.join(0.05)
    assert thread.is_alive()


def test_in_order_and_counted(lines: list[Line]) -> None:
    """Through memory and a file, with the parts that the socket took in halves; the loop is told once to begin."""
    lines.append(one := line(most=8 * KIB * KIB))
    data = os.urandom(700 * KIB)
    for at in range(0, len(data), 7000):
        one.output_buffer.add(memoryview(data[at : at + 7000]))
    assert one.output_buffer.held == len(data)
    assert one.flows == [True]
    assert one.read(len(data)) == data
    assert (one.output_buffer.held, one.output_buffer.moved) == (0, len(data))
    assert one.pour()
    assert one.flows == [True]
    one.output_buffer.add(memoryview(b"again"))
    assert one.flows == [True, True]


def test_nothing_is_no_reason_to_begin(lines: list[Line]) -> None:
    """Some applications write empty pieces."""
    lines.append(one := line())
    one.output_buffer.add(memoryview(b""))
    assert one.flows == []
    assert one.pour()


def test_others_have_their_turn(lines: list[Line]) -> None:
    """A client that takes all there is gets so many pieces, and no more, at once."""
    lines.append(one := line(most=8 * KIB * KIB))
    one.output_buffer = OutputBuffer(lambda part: min(len(part), 1000), OutputSink(
        flow=one.flows.append, leave=lambda: True, most=8 * KIB * KIB, room=one.room), 20.0)  # fmt: skip
    one.output_buffer.add(memoryview(bytes(100_000)))
    assert not one.output_buffer.pour()
    assert one.output_buffer.held == 100_000 - 64 * 1000
    assert one.output_buffer.pour()


def test_the_thread_waits_beyond_the_bound_until_all_is_taken(lines: list[Line]) -> None:
    """It is let go when nothing is left to be sent from the spool, however much the client reads before."""
    lines.append(one := line(most=256 * KIB))
    data = os.urandom(600 * KIB)
    thread, errors = adding(one, data)
    waits(one, thread, len(data))
    assert one.read(100 * KIB) == data[: 100 * KIB]
    thread.join(0.05)
    assert thread.is_alive()
    assert one.read(500 * KIB) == data[100 * KIB :]
    thread.join(10)
    assert (thread.is_alive(), errors) == (False, [])


def test_no_thread_waits_below_the_bound(lines: list[Line]) -> None:
    """Nobody pours, and the thread goes on."""
    lines.append(one := line(most=256 * KIB))
    thread, errors = adding(one, bytes(200 * KIB))
    thread.join(10)
    assert (thread.is_alive(), errors) == (False, [])


def test_a_client_that_takes_nothing(lines: list[Line]) -> None:
    """The thread waits for its patience, and no longer; the answer has failed."""
    lines.append(one := line(most=KIB, patience=0.1))
    with pytest.raises(ConnectionResetError, match=r"read too little in 0\.1 s"):
        one.output_buffer.add(memoryview(bytes(600 * KIB)))


def test_one_that_takes_a_little_is_waited_for(lines: list[Line]) -> None:
    """Patience counts from the last byte that left."""
    lines.append(one := line(most=KIB, patience=1.5))
    data = bytes(600 * KIB)
    thread, errors = adding(one, data)
    waits(one, thread, len(data))
    beat = threading.Event()
    for _ in range(9):
        one.read(20 * KIB)
        beat.wait(0.25)
    assert thread.is_alive()
    one.read(len(data) - 180 * KIB)
    thread.join(10)
    assert (thread.is_alive(), errors) == (False, [])


@pytest.mark.parametrize("patience", [None, 20.0])
def test_a_client_that_has_gone(lines: list[Line], patience: float | None) -> None:
    """Who waits is told, and whoever comes later; nothing is kept, and the loop ceases."""
    lines.append(one := line(most=KIB, patience=patience))
    thread, errors = adding(one, bytes(600 * KIB))
    waits(one, thread, 600 * KIB)
    one.output_buffer.fail(BrokenPipeError("gone"))
    thread.join(10)
    (error,) = errors
    assert isinstance(error, ConnectionResetError)
    assert isinstance(error.__cause__, BrokenPipeError)
    assert one.output_buffer.held == 0
    assert one.flows == [True, False]
    with pytest.raises(ConnectionResetError, match="the client has gone"):
        one.output_buffer.add(memoryview(b"more"))
    assert one.pour()


def test_what_is_let_go_of_is_given_back(lines: list[Line]) -> None:
    """To all who share the room, and the file is closed."""
    before = len(os.listdir("/proc/self/fd"))
    lines.append(one := line(most=8 * KIB * KIB, room=300 * KIB))
    one.output_buffer.add(memoryview(bytes(200 * KIB)))
    one.output_buffer.discard()
    one.output_buffer.discard()
    assert one.flows == [True, False]
    assert not one.room.exhausted
    one.room.take(300 * KIB - 1)
    assert not one.room.exhausted
    assert len(os.listdir("/proc/self/fd")) == before + 2


def test_a_room_that_others_fill(lines: list[Line]) -> None:
    """The thread waits though its own answer is small; not when all of that has left."""
    lines.append(one := line(room=100 * KIB))
    one.room.take(100 * KIB)
    thread, errors = adding(one, bytes(KIB))
    waits(one, thread, KIB)
    assert one.read(KIB) == bytes(KIB)
    thread.join(10)
    assert (thread.is_alive(), errors) == (False, [])


def test_two_threads(lines: list[Line]) -> None:
    """One puts in while the other pours as fast as it can: every byte arrives, in order."""
    lines.append(one := line(most=32 * KIB))
    data = os.urandom(2 * KIB * KIB)

    def put() -> None:
        for at in range(0, len(data), 3001):
            one.output_buffer.add(memoryview(data[at : at + 3001]))

    thread = threading.Thread(target=put)
    thread.start()
    got, ended = bytearray(), threading.Event()

    def read() -> None:
        while len(got) < len(data):
            got.extend(one.theirs.recv(65536))
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    while not ended.wait(0.0005):
        one.pour()
    thread.join(10)
    reader.join(10)
    assert bytes(got) == data
    assert one.output_buffer.held == 0
