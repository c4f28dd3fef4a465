"""The system's store on Linux: Debian's by its real program in folders of the test's own, others by their commands."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from tests.support.certs import NOW, Authority
from tests.support.clients import free_port
from tests.support.process import Server, run
from tests.trust.conftest import MakeMachine
from tests.trust.standing_in import Program, needs
from tlsrun.development.issue import make_authority
from tlsrun.trust import Goal, Held, Machine, Root, StoreAction, apply_task, decide, find_stores
from tlsrun.trust.linux import FAMILIES, Family, SystemStore, system_store

HELLO = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def debian(folder: Path) -> Machine:
    """A Debian below ``folder``, whose update is the real program."""
    needs("update-ca-certificates", "ca-certificates")
    for name in ("usr/local/share/ca-certificates", "etc/ssl/certs", "usr/share/ca-certificates", "hooks"):
        (folder / name).mkdir(parents=True)
    (folder / "ca-certificates.conf").write_text("# none\n")
    (folder / "usr/local/share/ca-certificates/other.crt").write_bytes(make_authority("me@host", now=NOW).pem)
    program = shutil.which("update-ca-certificates")
    update = Program(folder / "bin", "update-ca-certificates", f"""exec {program} "$@" \
        --certsconf {folder}/ca-certificates.conf --certsdir {folder}/usr/share/ca-certificates \
        --localcertsdir {folder}/usr/local/share/ca-certificates --etccertsdir {folder}/etc/ssl/certs \
        --hooksdir {folder}/hooks""")  # fmt: skip
    tools = {"update-ca-certificates": str(update.path)}
    return Machine(system="linux", home=None, is_root=True, root=folder, tools=tools)


def the_store(machine: Machine) -> SystemStore:
    found = system_store(machine)
    assert found is not None
    return found


def act(goal: Goal, store: SystemStore, root: Root) -> bool:
    """Decide and do; whether the store is as it was wanted."""
    task = decide(goal, store, store.held(root), root)
    assert task.verdict is StoreAction.DO
    return apply_task(goal, task, root, ask=False).done


def test_debian(root: Root, tmp_path: Path) -> None:
    """The certificate alone is copied, for everybody to read, reaches the bundle, and goes again without a trace."""
    store = the_store(debian(tmp_path))
    assert store.title == "the system's store (Debian, Ubuntu, Alpine)"
    assert store.held(root) == Held(trusted=False)
    assert act(Goal.TRUST, store, root)
    file = tmp_path / "usr/local/share/ca-certificates" / f"{root.file_name}.crt"
    assert file.read_bytes() == root.pem
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert store.held(root) == Held(trusted=True, names=(str(file),))
    assert root.is_in((tmp_path / "etc/ssl/certs/ca-certificates.crt").read_bytes())
    assert decide(Goal.TRUST, store, store.held(root), root).verdict is StoreAction.TRUSTED
    assert act(Goal.REMOVE, store, root)
    assert store.held(root) == Held(trusted=False)
    assert not file.exists()
    left = {path.name for path in (tmp_path / "etc/ssl/certs").iterdir() if not path.name.endswith(".0")}
    assert left == {"ca-certificates.crt", "other.pem"}


def test_a_file_of_mkcerts_or_anybody_elses(root: Root, tmp_path: Path) -> None:
    """Found by what is in it, whatever its name; others stay."""
    store = the_store(debian(tmp_path))
    folder = tmp_path / "usr/local/share/ca-certificates"
    (folder / f"mkcert_development_CA_{root.certificate.serial_number}.crt").write_bytes(root.pem)
    (folder / "by-hand.crt").write_bytes(root.der)
    (folder / "no-certificate.txt").write_bytes(root.pem)
    held = store.held(root)
    assert held.trusted is False
    assert [Path(name).name for name in held.names] == ["by-hand.crt", f"mkcert_{root.file_name.partition('_')[2]}.crt"]
    (folder / "by-hand.crt").unlink()  # update-ca-certificates takes PEM only
    assert act(Goal.TRUST, store, root)
    assert len(store.held(root).names) == 2
    assert act(Goal.REMOVE, store, root)
    assert sorted(path.name for path in folder.iterdir()) == ["no-certificate.txt", "other.crt"]


def test_the_key_stays(root: Root, tmp_path: Path) -> None:
    """No byte of it is in anything that is written."""
    store = the_store(debian(tmp_path))
    assert act(Goal.TRUST, store, root)
    secret = root.path.with_name("rootCA-key.pem").read_bytes().splitlines()[1]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert written
    assert all(secret not in path.read_bytes() for path in written)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.title)
def test_every_family(family: Family, root: Root, machine: MakeMachine, tmp_path: Path) -> None:
    """Its folder, suffix and command; another program than its own update is not started."""
    (tmp_path / family.folder).mkdir(parents=True)
    bundle = tmp_path / family.bundle
    bundle.parent.mkdir(parents=True, exist_ok=True)
    reads = f"cat {tmp_path}/{family.folder}/*{family.suffix} > {bundle}; :"
    update = Program(tmp_path / "bin", family.update[0], reads)
    store = the_store(machine(root=tmp_path, tools={family.update[0]: str(update.path)}))
    target = tmp_path / family.folder / f"{root.file_name}{family.suffix}"
    assert store.add(root) == (
        ("install", "-m", "0644", str(root.path), str(target)),
        (str(update.path), *family.update[1:]),
    )
    assert act(Goal.TRUST, store, root)
    assert act(Goal.REMOVE, store, root)
    assert update.calls == [list(family.update[1:]), list(family.update_removed[1:])]


def test_sudo_is_asked(root: Root, machine: MakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a user who is not root, for each command; without a terminal in a way that never waits."""
    sudo = Program(tmp_path / "bin", "sudo", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    real = debian(tmp_path / "debian")
    store = the_store(machine(is_root=False, root=real.root, tools={**real.tools, "sudo": str(sudo.path)}))
    said: list[tuple[str, ...]] = []
    task = decide(Goal.TRUST, store, store.held(root), root)
    assert all(command[:2] == ("sudo", "--") for command in task.commands)
    assert apply_task(Goal.TRUST, task, root, ask=False, before=said.append).done
    update = real.tools["update-ca-certificates"]
    assert [call[:3] for call in sudo.calls] == [["-n", "--", "install"], ["-n", "--", update]]
    assert said[0][:3] == ("sudo", "-n", "--")


def test_neither_root_nor_sudo(root: Root, machine: MakeMachine, tmp_path: Path) -> None:
    """The commands are there to be typed by somebody who may."""
    real = debian(tmp_path)
    store = the_store(machine(is_root=False, root=real.root, tools=real.tools))
    task = decide(Goal.TRUST, store, store.held(root), root)
    assert task.verdict is StoreAction.CANNOT
    assert task.obstacle is not None
    assert task.obstacle.reason == "only root may change it, and there is no sudo"
    assert task.obstacle.remedy == "As root, run"
    assert [command[0] for command in task.commands] == ["install", real.tools["update-ca-certificates"]]


def test_no_update_command(root: Root, machine: MakeMachine, tmp_path: Path) -> None:
    """As in a small container: the package is named."""
    (tmp_path / "usr/local/share/ca-certificates").mkdir(parents=True)
    store = the_store(machine(root=tmp_path, tools={"apt": "/usr/bin/apt"}))
    task = decide(Goal.TRUST, store, store.held(root), root)
    assert task.obstacle is not None
    assert task.obstacle.reason == "update-ca-certificates is not installed"
    assert task.obstacle.remedy == "Run: apt install ca-certificates"
    assert task.commands == ()


def test_an_unknown_system(machine: MakeMachine, tmp_path: Path) -> None:
    """NixOS, for one, has no such folder."""
    assert system_store(machine(root=tmp_path)) is None
    assert find_stores(machine(root=tmp_path), ("system",)) == []


def test_an_update_that_fails(root: Root, tmp_path: Path, machine: MakeMachine) -> None:
    """Is said with its last words; that the command says nothing wrong is not taken for success."""
    (tmp_path / "usr/local/share/ca-certificates").mkdir(parents=True)
    for does, reason in (("echo no space left >&2; exit 3", "no space left"), ("exit 0", "its programs say")):
        update = Program(tmp_path / "bin", "update-ca-certificates", does)
        store = the_store(machine(root=tmp_path, tools={"update-ca-certificates": str(update.path)}))
        task = decide(Goal.TRUST, store, store.held(root), root)
        outcome = apply_task(Goal.TRUST, task, root, ask=False)
        assert not outcome.done
        assert reason in (outcome.reason or "")


@pytest.mark.skipif(os.environ.get("CI") != "true" or os.geteuid() != 0, reason="changes this machine's own store")
def test_this_machines_own_store(home: Path, tmp_path: Path) -> None:
    """curl, which reads it, refuses the page, takes it after `tlsrun trust`, and refuses it after --remove."""
    needs("update-ca-certificates", "ca-certificates")
    (tmp_path / "hello.py").write_text(HELLO)
    port = free_port()
    env = {name: "" for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")}

    def curl() -> int:
        return run(["env", *(f"-u{name}" for name in env), "curl", "-s", f"https://localhost:{port}/"]).returncode

    tlsrun = [sys.executable, "-m", "tlsrun"]
    with Server([*tlsrun, "run", "hello:app", "--port", str(port)], cwd=tmp_path) as site:
        site.until_tls(("127.0.0.1", port))
        assert curl() == 60
        try:
            done = run([*tlsrun, "trust", "--store", "system"])
            assert done.returncode == 0, done.stdout + done.stderr
            assert curl() == 0
        finally:
            done = run([*tlsrun, "trust", "--store", "system", "--remove"])
        assert done.returncode == 0, done.stdout + done.stderr
        assert curl() == 60


def test_another_ca_does_not_count(ca: Authority, root: Root, tmp_path: Path) -> None:
    """A bundle full of others holds nothing of ours."""
    store = the_store(debian(tmp_path))
    (tmp_path / "etc/ssl/certs/ca-certificates.crt").write_bytes(ca.root_pem)
    assert store.held(root) == Held(trusted=False)
