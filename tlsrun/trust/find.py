"""Which stores this machine has."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tlsrun.trust.java import java_stores
from tlsrun.trust.linux import system_store
from tlsrun.trust.machine import Machine
from tlsrun.trust.macos import Keychain
from tlsrun.trust.nss import nss_databases
from tlsrun.trust.store import KINDS, TrustStore
from tlsrun.trust.windows import WindowsStore


def find_stores(machine: Machine, kinds: Collection[str] = KINDS) -> list[TrustStore]:
    """The stores, the system's first.

    Arguments:
        kinds: the wanted kinds, from `KINDS`.
    """
    return [store for store in _all(machine) if store.kind in kinds]


def _all(machine: Machine) -> Iterator[TrustStore]:
    if machine.system == "darwin":
        yield Keychain(machine=machine)
    elif machine.system == "win32":
        yield WindowsStore(machine=machine)
    else:
        own = system_store(machine)
        if own is not None:
            yield own
    yield from nss_databases(machine)
    yield from java_stores(machine)
