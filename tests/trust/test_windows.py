"""Windows: certutil's commands, as its manual has them."""

from __future__ import annotations

from tests.trust.conftest import MakeMachine
from tlsrun.trust import Goal, Held, Root, StoreAction, decide, find_stores
from tlsrun.trust.windows import CERTUTIL


def test_commands(machine: MakeMachine, root: Root) -> None:
    """For this user, by Windows' own certutil and not by NSS's; found again by the thumbprint."""
    (store,) = find_stores(machine(system="win32", is_root=False), ("system", "nss"))
    task = decide(Goal.TRUST, store, Held(trusted=False), root)
    assert task.verdict is StoreAction.DO
    assert task.commands == ((CERTUTIL, "-user", "-addstore", "Root", str(root.path)),)
    task = decide(Goal.REMOVE, store, Held(trusted=True, names=(root.sha1,)), root)
    assert task.commands == ((CERTUTIL, "-user", "-delstore", "Root", root.sha1),)


def test_elsewhere_it_is_not_trusted(machine: MakeMachine, root: Root) -> None:
    """The program is not there, so it is not there."""
    (store,) = find_stores(machine(system="win32"), ("system",))
    assert store.held(root) == Held(trusted=False)
