"""systemd's ``Type=notify-reload``: it hears when a reload begins, and when it is over (sd_notify(3))."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.reloading.site import FLAGS, Site, serving
from tests.support.certs import Paths
from tests.support.systemd import Manager

#: An import that takes its time: until there is a file.
WAITS = """
while not os.path.exists(os.path.join(os.path.dirname(__file__), "go")):
    threading.Event().wait(0.02)
"""
PATIENCE = "WATCHDOG_USEC=3000000"


def told(site: Site, manager: Manager, seen: int) -> list[str]:
    """What systemd has heard since it had heard so many words, up to the end of a reload; signs of life left out."""

    def words() -> list[str]:
        return [word for word in manager.hear()[seen:] if word.startswith(("RELOADING", "MONO", "READY", "STOPPING"))]

    site.server.wait_for(lambda: "READY=1" in words(), what="the end of the reload")
    return words()


def longer(manager: Manager, seen: int) -> bool:
    """Whether systemd was asked for minutes of patience meanwhile; in the end it has what it was started with."""
    asked = [word for word in manager.hear()[seen:] if word.startswith("WATCHDOG_USEC=")]
    assert asked[-1] == PATIENCE
    return any(int(word.partition("=")[2]) >= 60_000_000 for word in asked)


def until_alive(site: Site, manager: Manager, signs: int) -> None:
    """Wait for so many further signs of life."""
    seen = manager.hear().count("WATCHDOG=1")
    site.server.wait_for(lambda: manager.hear().count("WATCHDOG=1") >= seen + signs, what="signs of life")


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", FLAGS)
def test_a_reload_is_told(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """RELOADING with the time, no earlier than the signal; READY when the new code serves, and no word before; so
    too when it is refused, and the old code serves. Of who systemd believes.

    Its watchdog hears signs of life while the new code is tried, and is asked for patience before it is executed."""
    with Manager(tmp_path / "notify") as manager:
        env = dict([PATIENCE.split("=")], NOTIFY_SOCKET=str(manager.path))
        with serving(server, localhost_cert, ca_file, tmp_path, **env) as site:
            site.server.wait_for(lambda: "READY=1" in manager.hear(), what="READY=1")
            for number, (more, expected) in enumerate([("", "v0"), ("raise RuntimeError\n", "v0"), (WAITS, "v2")]):
                seen, asked = len(manager.hear()), time.monotonic_ns() // 1000
                site.write(f"v{number}", more=more)
                site.hang_up()
                if more == WAITS:
                    until_alive(site, manager, 2)
                    (tmp_path / "go").touch()
                words = told(site, manager, seen)
                assert words[0] == "RELOADING=1", words
                assert words[2:] == ["READY=1"], words
                assert longer(manager, seen) is (expected == f"v{number}")
                assert asked <= int(words[1].removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
                # Old workers have been told to leave the sockets by then, and may still take who is there already.
                assert site.until_served_by_all(expected, 5)
            until_alive(site, manager, 1)
        assert "STOPPING=1" in manager.hear()
    # uWSGI's master would say it of itself, too early; its unit says NotifyAccess=all.
    assert ({pid for _, pid in manager.said} == {site.server.pid}) is (server != "uwsgi")
    if server == "uwsgi":
        assert site.server.pid not in {pid for word, pid in manager.said if word == "READY=1"}
