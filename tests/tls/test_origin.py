"""A value that is read from files, and read again when they change."""

from __future__ import annotations

import datetime
import logging
import os
from pathlib import Path

import pytest

from tests.tls.serving import link
from tlsrun.errors import CertificateError, Problem
from tlsrun.tls import origin as module
from tlsrun.tls.origin import Slot, Times, WatchedSource, utc_now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that holds a value."""
    path = tmp_path / "value"
    path.write_text("one")
    return path


class Loader:
    """Reads a file, and counts."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.loads = 0

    def __call__(self) -> str:
        self.loads += 1
        text = self.file.read_text()
        if text.startswith("bad"):
            raise CertificateError([Problem(where="value", what=text, remedy="Mend it")])
        return text


def slot(file: Path) -> tuple[Slot[str], Loader]:
    """A slot for ``file`` that refuses the value "unwanted"."""
    loader = Loader(file)

    def validate(old: str, new: str) -> None:
        if new == "unwanted":
            raise ValueError(f"{new} after {old}")

    return Slot(
        WatchedSource(load=loader, files=(file,)), validate=validate, describe=lambda value: f"value {value}"
    ), loader


def looked(one: Slot[str]) -> bool:
    """What a watcher does in two seconds."""
    return any(one.changed() and one.read() for _ in range(2))


def test_reads_one_look_after_the_change(file: Path) -> None:
    """The first look waits for the second file of a pair; the second one reads."""
    one, _ = slot(file)
    file.write_text("two")
    assert not one.changed()
    assert one.changed()
    assert one.read()
    assert one.value == "two"
    assert not one.changed()


def test_loads_only_what_has_new_contents(file: Path) -> None:
    """A touched file, or the same bytes in a new file, are not loaded again."""
    one, loader = slot(file)
    os.utime(file, (1, 1))
    assert not looked(one)
    file.unlink()
    file.write_text("one")
    assert not looked(one)
    assert loader.loads == 1
    assert one.read(even_unchanged=True)
    assert loader.loads == 2


def test_sees_every_way_to_change_a_file(tmp_path: Path) -> None:
    """A rename, an in-place write of the same size and time, a link turned over, and one further up the path."""
    file = tmp_path / "value"
    file.write_text("a")
    one, _ = slot(file)
    (tmp_path / "new").write_text("b")
    (tmp_path / "new").replace(file)
    assert looked(one)
    before = file.stat()
    file.write_text("c")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert looked(one)
    for name in ("d", "e"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "value").write_text(name)
    link(tmp_path / "d" / "value", file)
    assert looked(one)
    assert one.value == "d"
    link(tmp_path / "d", tmp_path / "..data")
    two, _ = slot(tmp_path / "..data" / "value")
    link(tmp_path / "e", tmp_path / "..data")
    assert looked(two)
    assert two.value == "e"


def test_keeps_the_last_good_value(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be read or served changes nothing, is said once, and again when it is something else."""
    one, loader = slot(file)

    def said() -> list[str]:
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return messages

    file.write_text("bad one")
    assert not looked(one)
    assert said() == [f"kept value one; not reloaded from {file}: value: bad one. Mend it."]
    assert one.error == "value: bad one. Mend it."
    assert one.error_at is not None
    loads = loader.loads
    assert not looked(one)
    assert loader.loads == loads
    os.utime(file, (1, 1))
    assert not looked(one)
    assert said() == []
    file.write_text("unwanted")
    assert not looked(one)
    assert said() == [f"kept value one; not reloaded from {file}: ValueError: unwanted after one"]
    file.unlink()
    assert not looked(one)
    assert "FileNotFoundError" in said()[0]
    assert one.value == "one"
    file.write_text("two")
    assert looked(one)
    assert (one.value, one.error) == ("two", None)
    assert said() == []


def test_the_old_contents_end_the_error(file: Path) -> None:
    """Putting the old file back mends a failure without a load."""
    one, loader = slot(file)
    file.write_text("bad")
    looked(one)
    file.write_text("one")
    loads = loader.loads
    assert not looked(one)
    assert one.error is None
    assert loader.loads == loads


def test_says_nothing_of_a_file_that_is_being_written(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A load that fails while the file changes is no failure; the next look reads again."""
    one, loader = slot(file)

    class Writing(Loader):
        def __call__(self) -> str:
            file.write_text("two")
            raise ValueError("half of it")

    one.origin = WatchedSource(load=Writing(file), files=(file,))
    file.write_text("tw")
    assert not looked(one)
    assert caplog.records == []
    assert one.error is None
    one.origin = WatchedSource(load=loader, files=(file,))
    assert looked(one)


def test_tries_again_without_a_change(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure that time alone may mend (not yet valid) is tried again, silently."""
    one, loader = slot(file)
    file.write_text("bad")
    looked(one)
    caplog.clear()
    monkeypatch.setattr(module, "RETRY", 0)
    loads = loader.loads
    assert one.changed()
    assert not one.read()
    assert loader.loads == loads + 1
    assert caplog.records == []


def test_text_has_nothing_to_watch(caplog: pytest.LogCaptureFixture) -> None:
    """A value without files never changes by itself, and is loaded again when asked."""
    caplog.set_level(logging.INFO)
    values = iter("ab")
    one = Slot(WatchedSource(load=lambda: next(values)), validate=lambda old, new: None, describe=str)
    assert not one.changed()
    assert not one.changed()
    assert one.read()
    assert one.value == "b"
    assert one.origin.spelled == "inline text"


def test_what_was_refused_is_looked_at_again_when_the_value_in_service_ends(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, though nothing has changed and the last attempt was a moment ago."""
    now = utc_now()
    ends = now + datetime.timedelta(seconds=30)
    loader = Loader(file)
    one = Slot(
        WatchedSource(load=loader, files=(file,)),
        validate=lambda old, new: None,
        describe=str,
        times=lambda value: Times(ends=ends),
    )
    file.write_text("bad")
    looked(one)
    assert not one.changed()
    monkeypatch.setattr(module, "utc_now", lambda: ends)
    assert not one.changed()
    monkeypatch.setattr(module, "utc_now", lambda: ends + datetime.timedelta(seconds=1))
    assert one.changed()
    assert not one.read()
    assert not one.changed()


def test_a_value_that_time_changes_is_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, when the moment has come, from files that are what they were."""
    change = utc_now() + datetime.timedelta(days=1)
    loader = Loader(file)
    one = Slot(
        WatchedSource(load=loader, files=(file,)),
        validate=lambda old, new: None,
        describe=str,
        times=lambda value: Times(changes=(change,)),
    )
    assert not one.changed()
    monkeypatch.setattr(module, "utc_now", lambda: change + datetime.timedelta(seconds=1))
    assert one.changed()
    assert one.read()
    assert loader.loads == 2
    assert not one.changed()


def test_the_same_contents_refused_twice_are_settled(file: Path) -> None:
    """Whoever decides learns that nobody is writing them any more."""
    settled: list[bool] = []

    def validate(old: str, new: str) -> None:
        settled.append(one.settled)
        if not one.settled:
            raise ValueError("too early")

    one = Slot(WatchedSource(load=Loader(file), files=(file,)), validate=validate, describe=str)
    for text in ("two", "three"):
        file.write_text(text)
        assert not looked(one)
    assert one.read()
    assert settled == [False, False, True]
    assert one.value == "three"
