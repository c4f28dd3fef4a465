"""Somebody at a machine with another system."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.systems import Shell, shell


@pytest.fixture
def windows(tmp_path: Path) -> Shell:
    """At a Windows machine."""
    return shell("windows", tmp_path)


@pytest.fixture
def macos(tmp_path: Path) -> Shell:
    """At a Mac."""
    return shell("macos", tmp_path)
