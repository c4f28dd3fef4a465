"""An expiring certificate is not silent, under any server: the log says it once for each stage, the status too."""

from __future__ import annotations

import datetime
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.matrix.test_rotation import in_place
from tests.matrix.test_start_and_renewal import shown
from tests.support.certs import Authority, Pair, Paths
from tests.support.process import eventually, run
from tests.support.servers import ALL_SERVERS, need
from tests.support.sites import Serve, Site, serving

SECOND = datetime.timedelta(seconds=1)


def now() -> datetime.datetime:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def short_lived(ca: Authority, seconds: int) -> Pair:
    """It ends in so many seconds; it is in the last sixth of its lifetime since a while, and soon in the twentieth."""
    this = now().replace(microsecond=0)
    return ca.leaf(not_before=this - 7 * seconds * SECOND, not_after=this + seconds * SECOND)


def lines(site: Site, words: str) -> list[str]:
    """The lines of the log that hold ``words``."""
    return [line for line in site.server.log().splitlines() if words in line]


def status(folder: Path) -> tuple[int, str]:
    """`tlsrun status` of the servers whose runtime folder that is; no others'."""
    done = run([sys.executable, "-m", "tlsrun", "status"], env={"XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(folder)})
    return done.returncode, done.stdout


def test_it_is_said_once_for_each_stage(ca: Authority, ca_file: Path, localhost_cert: Paths, tmp_path: Path) -> None:
    """At the start, at the last stage, and within 10 s of the end that it has expired: each once, however many workers
    there are. `tlsrun status` ends with 1, then 2, with 0 once a new one is served, and with 2 when nothing
    runs any more. All servers side by side, since most of it is waiting."""
    for name in ALL_SERVERS:
        need(name)
    with ThreadPoolExecutor(len(ALL_SERVERS)) as pool:
        ends = {
            name: pool.submit(check, serving(name, ca_file, localhost_cert), ca, tmp_path / name)
            for name in ALL_SERVERS
        }
    wrong = {name: end.exception() for name, end in ends.items() if end.exception()}
    assert not wrong


def check(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """Under one of them, two workers where there are any; its files and what it says of itself are in ``tmp_path``."""
    # A machine that is busy with other things may take half a minute for the start.
    assert any(was_soon_enough(serve, ca, tmp_path / str(seconds), seconds) for seconds in (30, 60, 120))


def was_soon_enough(serve: Serve, ca: Authority, tmp_path: Path, seconds: int) -> bool:
    """Whether it was started before its certificate had expired; then it did all that it should."""
    tmp_path.mkdir(mode=0o700, parents=True)
    live = short_lived(ca, seconds).write(tmp_path / "live")
    end = live.pair.certificate.not_valid_after_utc
    with serve(cert=live, XDG_RUNTIME_DIR=str(tmp_path)) as site:
        site.server.wait_for(lambda: lines(site, "the certificate for localhost"), what="a first word")
        if now() > end - seconds / 2 * SECOND:
            return False
        code, told = status(tmp_path)
        assert (code, "EXPIRES SOON expires in " in told) == (1, True) or now() > end, told
        eventually(lambda: lines(site, "expired on"), seconds + 15, what="that it has expired")
        assert now() - end < 10 * SECOND
        code, told = status(tmp_path)
        assert code == 2, told
        assert "EXPIRED      expired on" in told
        # Whatever its chain looks like: nobody accepts what is in service.
        new = replace(ca.leaf(), chain_pem=b"")
        in_place(live, new)
        eventually(lambda: status(tmp_path)[0] == 0, 20, what="a status that all is well")
        assert shown(site.address) == {new.der}
        expires, expired = lines(site, "expires in"), lines(site, "expired on")
        log = site.server.log()
    assert status(tmp_path)[0] == 2, "nothing runs any more"
    assert 1 <= len(expires) <= 2, log
    assert len(expired) == 1, log
    assert f"the certificate for localhost, 127.0.0.1, ::1 ({live.fullchain}, {live.key}) expired on" in expired[0]
    assert "Traceback" not in log
    return True
