"""What tests of stores share: a CA as it lies on a disk, programs that stand in for a system's own, facts made up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import NOW
from tests.trust.standing_in import needs
from tlsrun.development.authority import obtain_authority
from tlsrun.trust import Machine, Root, read_root

MakeMachine = Callable[..., Machine]


@pytest.fixture
def root(home: Path) -> Root:
    """The development CA of the test's home."""
    return read_root(obtain_authority(NOW).path)


@pytest.fixture
def machine(home: Path) -> MakeMachine:
    """Makes up a machine with the test's home: a Linux where this user is root, and has no tools."""

    def make(**facts: Any) -> Machine:
        return Machine(**{"system": "linux", "home": home, "is_root": True, **facts})

    return make


@pytest.fixture
def certutil() -> str:
    """NSS's program; CI must have it."""
    needs("certutil", "libnss3-tools")
    return shutil.which("certutil") or ""
