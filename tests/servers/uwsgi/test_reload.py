"""uWSGI's reload: the program is executed anew in the same process, the port stays open, no request is lost."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.servers.uwsgi.site import IMPORTS, MODULE, asking, in_flight, serving
from tests.support.certs import Authority, Paths
from tests.support.process import ROOT, eventually


@pytest.fixture
def own_cert(ca: Authority, tmp_path: Path) -> Paths:
    """A certificate that a test may replace."""
    return ca.leaf().write(tmp_path / "own")


@pytest.mark.parametrize("kept", [False, True], ids=["new connections", "kept connections"])
def test_no_request_is_lost(kept: bool, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Under load, SIGHUP twice: every request is answered, by processes that executed the program again."""
    imports = tmp_path / "imports"
    with serving(localhost_cert, ca_file, workers=2, env={IMPORTS: str(imports)}) as site:
        with asking(site, kept=kept) as asked:
            for _ in range(2):
                site.reload()
                count = asked.answers
                eventually(lambda: asked.answers > count + 100)  # noqa: B023 -- called at once
        assert not asked.failures
        # Each reload is tried first, in a process of its own.
        pids = imports.read_text().split()
        assert pids.count(str(site.server.pid)) == 3
        assert len(pids) == 5


def test_requests_in_flight_finish(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A request that began before the reload is answered by a worker of before, and the next one by a new one."""
    with in_flight(localhost_cert, ca_file, tmp_path, 1) as (site, result):
        before = site.children()
        site.server.signal(signal.SIGHUP)
        eventually(lambda: site.get()["pid"] not in before)
        assert result() == 200


@pytest.mark.parametrize("way", ["script", "module", "console script"])
def test_every_way_to_start(way: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A relative script, ``-m`` and a script on the path are found again, though the application left the folder."""
    program: list[str | Path] = list(MODULE)
    cwd = ROOT
    if way != "module":
        folder = tmp_path / "in a folder"
        folder.mkdir()
        shutil.copy(ROOT / "tests/servers/uwsgi/site.py", folder / "site.py")
        cwd = tmp_path
        program = ["in a folder/site.py"] if way == "script" else [folder / "site.py"]
    with serving(localhost_cert, ca_file, program=program, cwd=cwd, leave_for="/") as site:
        first = site.get()
        site.reload()
        second = site.get()
        assert first["folder"] == second["folder"] == "/"
        assert first["argv"] == second["argv"]
        assert Path(f"/proc/{site.server.pid}/cmdline").read_bytes().count(b"\0") == len(program) + 4


def test_a_new_certificate(own_cert: Paths, ca: Authority, ca_file: Path) -> None:
    """What lies in the files is served after the reload."""
    with serving(own_cert, ca_file, reload=False) as site:
        renewed = ca.leaf().write(own_cert.key.parent).pair
        assert site.ask().tls.certificate == own_cert.pair.der
        site.reload()
        assert site.ask().tls.certificate == renewed.der


def test_a_broken_certificate_prevents_it(own_cert: Paths, ca: Authority, ca_file: Path) -> None:
    """The last good one stays in service and the log says why; mended, the next reload goes through."""
    with serving(own_cert, ca_file, workers=2) as site:
        before = site.children()
        whole = own_cert.fullchain.read_bytes()
        own_cert.fullchain.write_bytes(whole[:200])
        site.server.signal(signal.SIGHUP)
        site.server.until_logged("not reloaded, what runs goes on")
        assert str(own_cert.fullchain) in site.server.log()
        assert site.ask().tls.certificate == own_cert.pair.der
        assert site.children() == before
        own_cert.fullchain.write_bytes(whole)
        site.reload()
        assert not set(before) & set(site.children())


def test_a_renewed_certificate_needs_no_reload(own_cert: Paths, ca: Authority, ca_file: Path) -> None:
    """The edge serves it within seconds; no process is started again."""
    with serving(own_cert, ca_file) as site:
        before = site.children()
        renewed = ca.leaf().write(own_cert.key.parent).pair
        eventually(lambda: site.ask().tls.certificate == renewed.der)
        assert site.children() == before


def test_touch_reload(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """uWSGI's option reloads as SIGHUP does: nothing is lost."""
    touched = tmp_path / "touched"
    touched.touch()
    with serving(localhost_cert, ca_file, server_options={"touch_reload": str(touched)}) as site:
        before = site.get()["pid"]
        with asking(site, kept=True) as asked:
            # uWSGI looks at whole seconds.
            eventually(lambda: touched.touch() or before not in site.children())
            site.server.until_tls(site.address)
        assert not asked.failures
