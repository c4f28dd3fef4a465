"""Roots that this machine knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certs import Authority
from tlsrun.certificates.roots import known_root


def test_a_store_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SSL_CERT_FILE holds is known, and what it holds no more is not."""
    one, other = Authority(), Authority()
    store = tmp_path / "roots.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    leaves = [authority.leaf().certificate for authority in (one, other)]
    assert [known_root(leaf) for leaf in leaves] == [False, False]
    store.write_bytes(one.root_pem)
    assert [known_root(leaf) for leaf in leaves] == [True, False]
    store.write_bytes(b"# another\n" + other.root_pem)
    assert [known_root(leaf) for leaf in leaves] == [False, True]
    store.unlink()
    assert [known_root(leaf) for leaf in leaves] == [False, False]
