"""What running servers say of themselves: to their user, and to root."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.tls.serving import certificates
from tlsrun import status
from tlsrun.files import read_foreign, runtime_folders

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what others run")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of this test, and a place for those of others."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_process_tells_what_it_serves(folders: Path, localhost_cert: Paths) -> None:
    """Names, end and files, until it is gone; its file is removed then."""
    status.StatusFile(server="builtin", endpoint="127.0.0.1:5000").write(certificates(localhost_cert).status())
    (told,) = status.current()
    assert told.pid == os.getpid()
    assert told.certificates[0]["names"] == ["localhost", "127.0.0.1", "::1"]
    (file,) = (folders / "tlsrun").glob("*.json")
    gone = json.loads(file.read_text()) | {"born": "1"}
    file.write_text(json.dumps(gone))
    assert status.current() == []
    assert not file.exists()


def test_a_process_that_ends_while_it_is_asked_about(
    folders: Path, localhost_cert: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file in /proc was there when it was opened, and cannot be read any more: it is gone, as any other."""
    status.StatusFile(server="builtin", endpoint="127.0.0.1:5000").write(certificates(localhost_cert).status())
    read_text = Path.read_text

    def ended(path: Path, *how: str) -> str:
        if path.name == "stat":
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        return read_text(path, *how)

    monkeypatch.setattr(Path, "read_text", ended)
    assert status.running() == []


@needs_root
def test_root_sees_everybody(folders: Path, localhost_cert: Paths) -> None:
    """What a server says that became somebody else; a file that is no status is passed over, whatever it is."""
    status.StatusFile(server="gunicorn", endpoint="127.0.0.1:5000").write(certificates(localhost_cert).status())
    (own,) = (folders / "tlsrun").glob("*.json")
    theirs = folders / "tlsrun-54321"
    theirs.mkdir()
    own.rename(theirs / "1.json")
    assert status.current() == []  # the folder is not that user's
    os.chown(theirs, 54321, 54321)
    assert theirs in runtime_folders()
    (told,) = status.current()
    assert told.server == "gunicorn"

    os.mkfifo(theirs / "2.json")
    (theirs / "3.json").symlink_to("/etc/shadow")
    good = json.loads((theirs / "1.json").read_text())
    bad = ({"certificates": [{}]}, {"certificates": [7]}, {"endpoint": 7}, {"pid": "1/../1"})
    for number, change in enumerate(bad):
        (theirs / f"bad{number}.json").write_text(json.dumps(good | change))
    assert status.current() == [told]
    # What is not ours is not removed either.
    (theirs / "1.json").write_text(json.dumps(good | {"born": "1"}))
    assert status.current() == []
    assert (theirs / "1.json").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    """Pipes, links and what is too large are refused; nobody waits for them."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "large").write_bytes(b"x" * 11)
    for name in ("pipe", "link", "large"):
        with pytest.raises(OSError, match="pipe|link|large"):
            read_foreign(tmp_path / name, at_most=10)
