"""A file that cannot be read is said with who gave it, its absolute path, and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tls.loading import NOBODY, common_folder, without_rights
from tlsrun.certificates.sources import LARGEST, Source, may_read, read_source
from tlsrun.errors import CertificateError, Problem


def refusal(path: Path) -> Problem:
    with pytest.raises(CertificateError) as caught:
        read_source(Source(given_by="--cert", path=path))
    (problem,) = caught.value.problems
    assert problem.where == "--cert"
    return problem


def test_a_source_is_a_path_or_a_text() -> None:
    """Neither, or both, cannot be made."""
    with pytest.raises(ValueError, match="path or a text"):
        Source(given_by="--cert")
    with pytest.raises(ValueError, match="path or a text"):
        Source(given_by="--cert", path=Path("a"), text=b"b")


def test_text_is_read_as_it_is() -> None:
    """And never shown."""
    source = Source(given_by="--cert", text=b"secret")
    assert read_source(source) == b"secret"
    assert source.name == "the text given"
    assert "secret" not in repr(source)


def test_a_missing_relative_path_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The absolute path, and where relative ones start."""
    monkeypatch.chdir(tmp_path)
    problem = refusal(Path("ssl/cert.pem"))
    assert problem.what == f"the file {tmp_path}/ssl/cert.pem does not exist"
    assert f"a relative path starts at the working directory, which is {tmp_path}" in problem.remedy


def test_a_missing_absolute_path_needs_no_explanation(tmp_path: Path) -> None:
    """Only the path is said; a file in the place of a folder is the same mistake."""
    assert refusal(tmp_path / "no.pem").remedy == "Check the path"
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / "file" / "no.pem").what == f"the file {tmp_path}/file/no.pem does not exist"


def test_a_broken_link_is_said(tmp_path: Path) -> None:
    """With what it points to, as after a certbot that was removed."""
    link = tmp_path / "cert.pem"
    link.symlink_to("../archive/cert1.pem")
    problem = refusal(link)
    assert problem.what == f"{link} is a link to {tmp_path.parent}/archive/cert1.pem, which does not exist"


def test_a_folder_is_said(tmp_path: Path) -> None:
    """With the file in it that is meant, when it looks like certbot's."""
    assert refusal(tmp_path).what == f"{tmp_path} is a folder"
    (tmp_path / "fullchain.pem").write_text("x")
    assert refusal(tmp_path).remedy == "Name a file in it (fullchain.pem?)"


@pytest.mark.parametrize("content", [b"", b" \n\r\n"])
def test_an_empty_file_is_said(tmp_path: Path, content: bytes) -> None:
    """White space is nothing too."""
    path = tmp_path / "cert.pem"
    path.write_bytes(content)
    assert refusal(path).what == f"{path} is empty"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """A device or database given by mistake does not fill the memory."""
    assert "larger than 8 MiB" in refusal(Path("/dev/zero")).what
    path = tmp_path / "large.pem"
    path.write_bytes(b"x" * LARGEST)
    assert len(read_source(Source(given_by="--cert", path=path))) == LARGEST


def test_other_failures_are_said_in_the_system_s_words(tmp_path: Path) -> None:
    """A loop of links, a name that is too long, a zero byte."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "Too many levels of symbolic links" in refusal(loop).what
    assert "File name too long" in refusal(tmp_path / ("x" * 300)).what
    assert "null byte" in refusal(Path("a\0b")).what


def test_an_unreadable_file_names_the_reader_and_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user that reads, and the commands that let a group of it in."""
    with common_folder() as folder:
        path = folder / "a key.pem"
        path.write_bytes(b"x")
        path.chmod(0o000)
        with without_rights():
            problem = refusal(path)
            assert not may_read(path)
            uid = os.geteuid()
    assert problem.what.startswith(f"{path} cannot be read by the user ")
    assert f"(uid {uid})" in problem.what
    assert f"'{path}' && chmod 640 '{path}'" in problem.remedy
    assert "start the server as the file's owner" in problem.remedy


def test_a_closed_folder_is_named() -> None:
    """As certbot's archive behind its links: the folder is the obstacle, not the file."""
    with common_folder() as folder:
        (folder / "archive").mkdir(mode=0o700)
        (folder / "archive" / "key.pem").write_bytes(b"x")
        (folder / "key.pem").symlink_to("archive/key.pem")
        if os.geteuid() != 0:
            (folder / "archive").chmod(0)
        with without_rights():
            problem = refusal(folder / "key.pem")
        (folder / "archive").chmod(0o700)
    assert problem.what.endswith(f"the folder {folder}/archive is closed to it")
    assert f"chmod g+x {folder}/archive" in problem.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_a_user_without_a_name_is_said_by_number() -> None:
    """A container's arbitrary uid is no traceback."""
    with common_folder() as folder:
        path = folder / "key.pem"
        path.write_bytes(b"x")
        path.chmod(0o600)
        os.setegid(NOBODY - 1234)
        os.seteuid(NOBODY - 1234)
        try:
            problem = refusal(path)
        finally:
            os.seteuid(0)
            os.setegid(0)
    assert f"the user with the uid {NOBODY - 1234}" in problem.what
    assert f"chgrp {NOBODY - 1234} " in problem.remedy


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("pkcs11:token=web;object=key", "Keys in tokens (PKCS #11, TPM) are not supported"),
        ("engine:pkcs11:web", "Keys in tokens (PKCS #11, TPM) are not supported"),
        ("file:///etc/ssl/key.pem", "Name the file by its path alone"),
        ("https://example.org/ca.pem", "Name a file in PEM"),
    ],
)
def test_a_uri_is_no_file(given: str, remedy: str) -> None:
    """Said as what it is, and not as a file that does not exist."""
    with pytest.raises(CertificateError) as caught:
        read_source(Source(given_by="--key", path=Path(given)))
    (problem,) = caught.value.problems
    assert problem.code == "TLS124"
    assert "is a URI" in problem.what
    assert remedy in problem.remedy


def test_a_file_with_a_colon_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is read, if it is there."""
    monkeypatch.chdir(tmp_path)
    Path("pkcs11:key").write_bytes(b"pem")
    assert read_source(Source(given_by="--key", path=Path("pkcs11:key"))) == b"pem"
