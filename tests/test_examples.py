"""Every command of every example's README does what the README says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clients import curl, free_port
from tests.support.process import ROOT, Server, handles
from tests.support.servers import SERVERS, need

EXAMPLES = ROOT / "examples"

#: A command, and behind it the address where it serves.
LINE = re.compile(r"^(?P<command>\S[^#\n]*?) +# (?P<scheme>https?)://127\.0\.0\.1:(?P<port>\d+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One command of one example, and the address that its comment promises."""

    example: str
    command: str
    scheme: str
    port: str


def shown() -> list[Shown]:
    """All commands in the fenced blocks of all examples; a line that promises no address is a mistake."""
    found = []
    for readme in sorted(EXAMPLES.glob("*/README.md")):
        for block in re.findall(r"^```sh\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL):
            lines = list(LINE.finditer(block))
            assert len(lines) == len(block.splitlines()), f"{readme}: a line without its address"
            found += [Shown(example=readme.parent.name, **line.groupdict()) for line in lines]
    return found


def copy(example: str, folder: Path, port: str, free: str) -> Path:
    """Copy an example, with its port changed for one that is free."""
    copied = Path(shutil.copytree(EXAMPLES / example, folder / example, ignore=shutil.ignore_patterns("__pycache__")))
    for path in [*copied.rglob("*.py"), *copied.rglob("*.ini")]:
        path.write_text(path.read_text().replace(port, free))
    return copied


@pytest.mark.parametrize("line", shown(), ids=lambda line: f"{line.example}: {line.command}")
def test_does_what_its_readme_says(line: Shown, tmp_path: Path) -> None:
    """Started as written, it answers at the promised address, on a certificate of the CA that the banner names."""
    for server in SERVERS:
        if server in line.command + line.example:
            need(server)
    free = str(free_port())
    folder = copy(line.example, tmp_path, line.port, free)
    command = shlex.split(line.command.replace(line.port, free))
    env = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "TLSRUN_PORT": free}
    with Server(["env", *command], cwd=folder, env=env) as program:
        address = ("127.0.0.1", int(free))
        if line.scheme == "https":
            program.until_tls(address)
        else:
            program.until_listening(address)
        url = f"{line.scheme}://127.0.0.1:{free}/"
        answer = curl(url, trusted(program.log(), line.scheme))
        assert answer.status == 200, answer
        assert url in answer.body
        if "uwsgi --ini" in line.command:  # its workers lose what they are told before they can hear it
            heard = lambda: all(handles(pid, signal.SIGTERM) for pid in program.members())  # noqa: E731
            program.wait_for(heard, what="handlers of SIGTERM")


def trusted(log: str, scheme: str) -> Path:
    """The development CA that the banner names."""
    if scheme == "http":
        return Path(os.devnull)
    found = re.search(r"trust the CA: (/.*\.pem)$", log, re.MULTILINE)
    assert found, log
    return Path(found[1])


def test_every_example_has_a_command() -> None:
    """No example stands there without saying how to run it."""
    assert {line.example for line in shown()} == {folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()}
