"""User and group in the files of servers: who answers is them, as the system sees it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.export import fronts, programs, reading
from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.process import ROOT, Server, run

#: Hypercorn's command becomes nobody else, and its file is refused.
_COLUMNS = [("uwsgi-ini", "edge"), ("uwsgi-ini", "native"), ("gunicorn-conf", "")]
#: A change of account leaves the right to read everything: the test's Python may lie where only root can read it.
_READING_ALL = ["setpriv", "--groups", "0,1,2", "--securebits", "+no_setuid_fixup"]
_NOBODY, _DAEMON = 65534, 1
_IDS = ("Uid", "Gid", "Groups")  # proc_pid_status(5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("column", _COLUMNS, ids="-".join)
def test_who_answers(column: tuple[str, str], project: Path, place: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """Worker processes are the user's and the group's."""
    target, form = column
    port = free_port()
    asking = [
        programs.python_of(column), "-m", "tlsrun", "export", target, "inflask:app",
        *(["--upstream", form] if form else []), "--cert", localhost_cert.fullchain, "--key", localhost_cert.key,
        "--host", "127.0.0.1", "--port", str(port), "--user", "nobody", "--group", "daemon",
        *(["--socket", place / "s"] if form == "edge" else []),
    ]  # fmt: skip
    done = run(asking, cwd=project, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    os.chown(place, _NOBODY, _DAEMON)

    def ready(server: Server) -> programs.Serving:
        return programs.Serving(port=port, plain=0, text=done.stdout, program=server, ca=ca_file)

    with programs.started(column, done.stdout, place, project, ready, before=_READING_ALL) as server:
        told = json.loads(server.ask().body)
        status = Path("/proc", told["process"].removeprefix("pid="), "status").read_text()
        uids, gids, groups = (set(re.findall(rf"^{name}:(.*)$", status, re.M)[0].split()) for name in _IDS)
        assert (uids, gids) == ({str(_NOBODY)}, {str(_DAEMON)})
        assert "0" not in groups, "it has kept a group of root's"


@pytest.mark.parametrize("form", ["tls", "http", "uwsgi"])
def test_the_account_of_a_unit(form: str, project: Path, place: Path, localhost_cert: Paths) -> None:
    """As systemd reads it."""
    words = ["--cert", localhost_cert.fullchain, "--key", localhost_cert.key] if form == "tls" else []
    text = fronts.export(project, "systemd", "inflask:app", "--upstream", form, "--user", "nobody", "--group", "daemon",
                         *words)  # fmt: skip
    assert reading.account(text, place) == ("nobody", "daemon")
