"""A real browser: a page on a development certificate has a warning before `tlsrun trust`, and none after it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import free_port
from tests.support.process import Server, run
from tests.trust.chromium import Chromium, installed
from tests.trust.standing_in import needs

HELLO = """\
PAGE = b"<!doctype html><title>hello</title><h1>Hello over TLS</h1>"


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]
"""


@contextlib.contextmanager
def serving(folder: Path, *flags: str) -> Iterator[str]:
    """A site of ours; its URL."""
    (folder / "hello.py").write_text(HELLO)
    port = free_port()
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", "--port", str(port), *flags]
    with Server(command, cwd=folder) as site:
        site.until_tls(("127.0.0.1", port))
        yield f"https://localhost:{port}/"


@pytest.fixture
def url(home: Path, tmp_path: Path) -> Iterator[str]:
    """A site of ours on a development certificate; browser and CA share the test's home."""
    installed()
    with serving(tmp_path) as url:
        yield url


def look(url: str, picture: Path) -> tuple[str | None, str]:
    """The network error, and what a person reads; the picture is kept beside."""
    with Chromium() as browser:
        error = browser.open(url)
        browser.screenshot(picture)
        return error, browser.text()


def pictures(tmp_path: Path) -> Path:
    """Where pictures are kept: ``$TLSRUN_TEST_PICTURES``, to look at, else the test's own folder."""
    folder = Path(os.environ.get("TLSRUN_TEST_PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)
    return folder


def tlsrun(*words: str | Path) -> str:
    """What `tlsrun` prints; it must succeed."""
    done = run([sys.executable, "-m", "tlsrun", *words])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def has_warning(url: str, picture: Path) -> bool:
    """Whether the interstitial stands in the page's place; nothing else but the page may."""
    error, text = look(url, picture)
    if error is None:
        assert text == "Hello over TLS"
        return False
    assert error == "net::ERR_CERT_AUTHORITY_INVALID"
    assert "Your connection is not private" in text
    assert "NET::ERR_CERT_AUTHORITY_INVALID" in text
    return True


def test_a_warning_before_and_none_after(url: str, tmp_path: Path) -> None:
    """The browser has run before, and has made its own database; removing the CA brings the warning back."""
    folder = pictures(tmp_path)
    assert has_warning(url, folder / "before.png")
    said = tlsrun("trust", "--store", "nss")
    assert "trusted now  Chromium" in said
    assert "Restart the browsers that run." in said
    assert not has_warning(url, folder / "after.png")
    assert "removed      Chromium" in tlsrun("trust", "--store", "nss", "--remove")
    assert has_warning(url, folder / "removed.png")


def test_a_browser_that_never_ran(url: str, home: Path, tmp_path: Path) -> None:
    """Its database is made where every Chromium looks, old or new, and readable by this user only."""
    assert "trusted now  Chromium" in tlsrun("trust", "--store", "nss")
    assert (home / ".pki/nssdb").stat().st_mode & 0o777 == 0o700
    assert not has_warning(url, pictures(tmp_path) / "first.png")


def test_leaves_of_both_makers(home: Path, tmp_path: Path) -> None:
    """mkcert's CA, which we trust here, signs mkcert's leaf and ours: neither has a warning."""
    installed()
    needs("mkcert", "mkcert")
    theirs, theirs_key = tmp_path / "theirs.pem", tmp_path / "theirs-key.pem"
    done = run(["mkcert", "-cert-file", theirs, "-key-file", theirs_key, "localhost"])
    assert done.returncode == 0, done.stderr
    tlsrun("cert", "localhost", "--out", str(tmp_path))
    tlsrun("trust", "--store", "nss")
    for cert, key in ((theirs, theirs_key), (tmp_path / "localhost.pem", tmp_path / "localhost-key.pem")):
        with serving(tmp_path, "--cert", str(cert), "--key", str(key)) as url:
            assert not has_warning(url, pictures(tmp_path) / f"{cert.stem}.png")
