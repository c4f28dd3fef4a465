"""One certificate for the tests of a module that ask for no particular one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certs import Authority, Pair, Paths


@pytest.fixture(scope="module")
def pair(ca: Authority) -> Pair:
    """For localhost; a module may have another one in its place."""
    return ca.leaf()


@pytest.fixture
def paths(pair: Pair, tmp_path: Path) -> Paths:
    """It, as files of this test."""
    return pair.write(tmp_path)
