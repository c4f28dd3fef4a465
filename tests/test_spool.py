"""Bytes that wait, in memory and in a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tlsrun.spool import Room, Spool


def open_files() -> int:
    """Descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def test_it_is_filled_while_it_is_emptied() -> None:
    """What goes in comes out in order, from memory, from a file, and from memory again once the file is empty."""
    before, spool = open_files(), Spool(10)
    taken = b""
    for number in range(100):
        spool.append(b"%04d" % number)
        if number % 3 == 2:
            taken += spool.take(7)
    assert open_files() == before + 1
    while spool.held:
        taken += spool.take(7)
    assert taken == b"".join(b"%04d" % number for number in range(100))
    assert spool.take(7) == b""
    assert open_files() == before
    spool.append(b"small")
    assert open_files() == before


def test_full() -> None:
    """At so many bytes; the file has to be emptied before there is place again, for it only grows."""
    spool = Spool(0, most=10)
    spool.append(b"12345")
    assert not spool.full
    spool.append(b"67890")
    spool.take(9)
    assert spool.full
    spool.take(9)
    assert not spool.full


def test_shared_room() -> None:
    """What one holds the others cannot; taking and closing give it back."""
    room = Room(10)
    one, other = Spool(100, room=room), Spool(100, room=room)
    one.append(b"1234567890")
    assert one.full
    assert other.full
    one.take(100)
    assert not other.full
    other.append(b"1234567890")
    assert one.full
    other.close()
    assert not one.full


def test_a_disk_without_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`append` raises and keeps nothing; `keep` holds it in memory, and it is full."""
    spool = Spool(5)
    spool.append(b"12345")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(OSError, match="missing"):
        spool.append(b"6")
    assert not spool.full
    spool.keep(b"6")
    spool.keep(b"7")
    assert spool.full
    assert spool.take(100) + spool.take(100) == b"1234567"
    assert not spool.full
