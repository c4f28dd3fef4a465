"""Which files answer an ACME challenge, and which never do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tlsrun.redirect.challenge import MAX_SIZE, PREFIX, NotServed, is_challenge, read_challenge

CONTENT = b"LoqXcYV8.jxCxnmI4"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of challenges in a webroot, with secrets around it."""
    folder = tmp_path / "webroot" / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "LoqXcYV8").write_bytes(CONTENT)
    (folder / "with.dot").write_text("secret")
    for around in (tmp_path, tmp_path / "webroot", folder.parent):
        (around / "secret").write_text("secret")
    return folder


def read(webroot: Path, token: str) -> bytes:
    return read_challenge(webroot, PREFIX + token)


@pytest.mark.parametrize("token", ["LoqXcYV8", "LoqXcYV8?a=b", "LoqXcYV8?"])
def test_token_is_read(folder: Path, token: str) -> None:
    """A token's file is read, whatever query comes with it."""
    assert read(folder.parents[1], token) == CONTENT


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "../secret", "../../secret", "..%2fsecret", "%2e%2e/secret", "a/../LoqXcYV8", "LoqXcYV8/",
     "./LoqXcYV8", "/LoqXcYV8", "/etc/passwd", "with.dot", "LoqXcYV8%00", "LoqXcYV8\0", "LoqXcYV8\n",
     "..\\secret", "LoqXcYV8;", "x" * 256, "Löq", "missing", "*"],
)  # fmt: skip
def test_anything_else_is_not(folder: Path, token: str) -> None:
    """What is no token of RFC 8555's alphabet, or has no file, is not served, and is nothing odd."""
    with pytest.raises(NotServed) as caught:
        read(folder.parents[1], token)
    assert not caught.value.is_odd


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    """A link that stays in the folder is followed, also through a folder that is swapped whole."""
    (folder / "..data").mkdir()
    (folder / "..data" / "file").write_bytes(CONTENT)
    (folder / "linked").symlink_to("..data/file")
    assert read(folder.parents[1], "linked") == CONTENT


def test_webroot_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    """The webroot itself is where the user says, link or not."""
    (tmp_path / "current").symlink_to(folder.parents[1])
    assert read(tmp_path / "current", "LoqXcYV8") == CONTENT


@pytest.mark.parametrize("target", ["../secret", "../../secret", "../../../secret", "/etc/passwd", "..", "."])
def test_links_out_of_the_folder_are_not(folder: Path, target: str) -> None:
    """A link that leaves the folder is not served, and the operator is told."""
    (folder / "link").symlink_to(target)
    with pytest.raises(NotServed, match="leads out") as caught:
        read(folder.parents[1], "link")
    assert caught.value.is_odd


def test_folder_that_leads_out_is_not(folder: Path, tmp_path: Path) -> None:
    """A folder of challenges that is a link out of the webroot is not served."""
    webroot = tmp_path / "other"
    (webroot / ".well-known").mkdir(parents=True)
    (webroot / ".well-known" / "acme-challenge").symlink_to(folder)
    with pytest.raises(NotServed, match="leads out"):
        read(webroot, "LoqXcYV8")


def test_loop_of_links_is_said(folder: Path) -> None:
    """Links in a circle are an odd file, not a crash."""
    (folder / "loop").symlink_to("loop")
    with pytest.raises(NotServed, match="cannot be read") as caught:
        read(folder.parents[1], "loop")
    assert caught.value.is_odd


def test_only_regular_files(folder: Path) -> None:
    """A FIFO, which would block whoever opens it, and a folder are not served."""
    os.mkfifo(folder / "fifo")
    (folder / "sub").mkdir()
    for name in ("fifo", "sub"):
        with pytest.raises(NotServed, match="not a regular file"):
            read(folder.parents[1], name)


def test_size_is_bounded(folder: Path) -> None:
    """64 KiB are served, one byte more is not."""
    (folder / "large").write_bytes(b"x" * MAX_SIZE)
    assert len(read(folder.parents[1], "large")) == MAX_SIZE
    (folder / "large").write_bytes(b"x" * (MAX_SIZE + 1))
    with pytest.raises(NotServed, match="larger than 65536 bytes"):
        read(folder.parents[1], "large")


def test_missing_webroot_serves_nothing(tmp_path: Path) -> None:
    """A webroot that is not there yet is no error: certbot makes the folders below it."""
    with pytest.raises(NotServed, match="does not exist"):
        read(tmp_path / "nowhere", "LoqXcYV8")


def test_descriptors_are_closed(folder: Path) -> None:
    """No answer, good or bad, keeps a file open."""
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo")
    before = len(os.listdir("/proc/self/fd"))
    for token in ("LoqXcYV8", "link", "fifo", "missing"):
        try:
            read(folder.parents[1], token)
        except NotServed:
            continue
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/.well-known/acme-challenge/x", True), ("/.well-known/acme-challenge/", True),
     ("/.well-known/acme-challenge", False), ("//.well-known/acme-challenge/x", False),
     ("/.well-known/acme-challengeX/x", False), ("/x/.well-known/acme-challenge/x", False)],
)  # fmt: skip
def test_is_challenge(path: str, expected: bool) -> None:
    """Only what lies below the fixed prefix is a challenge."""
    assert is_challenge(path) is expected
