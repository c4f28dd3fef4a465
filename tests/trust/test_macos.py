"""macOS: the keychain's commands, as its manual has them, through a program that stands in for `security`."""

from __future__ import annotations

from pathlib import Path

from tests.trust.conftest import MakeMachine
from tests.trust.standing_in import Program
from tlsrun.trust import Goal, Held, Root, StoreAction, apply_task, decide, find_stores
from tlsrun.trust.macos import KEYCHAIN, Keychain


def test_commands(machine: MakeMachine, root: Root) -> None:
    """With sudo, for all users, as a root."""
    store = Keychain(machine=machine(system="darwin", is_root=False, tools={"sudo": "/usr/bin/sudo"}))
    ca = str(root.path)
    assert store.add(root) == (
        ("sudo", "--", "security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", KEYCHAIN, ca),
    )
    assert store.remove(root, (root.sha1,)) == (
        ("sudo", "--", "security", "remove-trusted-cert", "-d", ca),
        ("sudo", "--", "security", "delete-certificate", "-Z", root.sha1, KEYCHAIN),
    )


def test_the_whole_way(machine: MakeMachine, root: Root, tmp_path: Path) -> None:
    """Asked first, trusted, asked again; then removed."""
    mark = tmp_path / "trusted"
    security = Program(tmp_path / "bin", "security", f"""case "$1" in
        verify-cert) test -e {mark};;
        find-certificate) test ! -e {mark} || echo "SHA-1 hash: {root.sha1}";;
        add-trusted-cert) touch {mark};;
        delete-certificate) rm {mark};;
        esac""")  # fmt: skip
    mac = machine(system="darwin", tools={"security": str(security.path)})
    (store,) = find_stores(mac, ("system",))
    assert store.held(root) == Held(trusted=False)
    task = decide(Goal.TRUST, store, store.held(root), root)
    assert apply_task(Goal.TRUST, task, root, ask=False).done
    assert store.held(root) == Held(trusted=True, names=(root.sha1,))
    task = decide(Goal.REMOVE, store, store.held(root), root)
    assert apply_task(Goal.REMOVE, task, root, ask=False).done
    assert ["verify-cert", "-l", "-L", "-q", "-c", str(root.path)] in security.calls


def test_neither_root_nor_sudo(machine: MakeMachine, root: Root) -> None:
    """The commands are there to be typed."""
    store = Keychain(machine=machine(system="darwin", is_root=False))
    task = decide(Goal.TRUST, store, Held(trusted=False), root)
    assert task.verdict is StoreAction.CANNOT
    assert task.commands == store.add(root)
