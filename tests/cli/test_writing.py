"""A file that a command writes is never another one's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tlsrun.cli.writing import write_file
from tlsrun.errors import ConfigurationError


def test_a_new_file(tmp_path: Path) -> None:
    """Readable by everybody, as certificates are."""
    assert write_file(tmp_path / "a.pem", b"one", force=False)
    assert (tmp_path / "a.pem").read_bytes() == b"one"
    assert stat.S_IMODE((tmp_path / "a.pem").stat().st_mode) == 0o644


def test_the_same_again(tmp_path: Path) -> None:
    """Is no reason to complain."""
    write_file(tmp_path / "a.pem", b"one", force=False)
    assert not write_file(tmp_path / "a.pem", b"one", force=False)


def test_another_file(tmp_path: Path) -> None:
    """Stays, unless the user says so."""
    (tmp_path / "a.pem").write_bytes(b"his")
    with pytest.raises(ConfigurationError, match="it exists, and holds something else"):
        write_file(tmp_path / "a.pem", b"one", force=False)
    assert (tmp_path / "a.pem").read_bytes() == b"his"
    assert write_file(tmp_path / "a.pem", b"one", force=True)
    assert (tmp_path / "a.pem").read_bytes() == b"one"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A folder that is not there, or a folder in the file's place."""
    with pytest.raises(ConfigurationError, match="it cannot be written: No such file or directory"):
        write_file(tmp_path / "no" / "a.pem", b"one", force=False)
    with pytest.raises(ConfigurationError, match="it cannot be written: Is a directory"):
        write_file(tmp_path, b"one", force=False)
