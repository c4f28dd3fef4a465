"""Several certificates: which sources serve which name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certs import DAY, NOW, Authority, key_pem, make_key
from tlsrun.tls.sni import NamedIdentities, read_named


def served(found: NamedIdentities) -> dict[str, list[str]]:
    """Name -> the folders or files of its certificates."""
    return {
        host: [str((one.cert.path or Path("?")).parent.name) for one in several]
        for host, several in found.sources.items()
    }


def test_a_folder_in_both_forms(ca: Authority, tmp_path: Path) -> None:
    """NAME/fullchain.pem and NAME.crt; each certificate is for the names in it, other files are passed over."""
    ca.leaf(["A.test", "*.a.test"]).write(tmp_path / "a")
    pair = ca.leaf("b.test")
    (tmp_path / "b.crt").write_bytes(pair.fullchain_pem)
    (tmp_path / "b.key").write_bytes(pair.key_pem)
    (tmp_path / "README").write_text("words")
    (tmp_path / "empty").mkdir()
    found = read_named(str(tmp_path), "--sni", None)
    assert not found.problems
    assert not found.warnings
    assert served(found) == {"a.test": ["a"], "*.a.test": ["a"], "b.test": [tmp_path.name]}
    assert [sources.cert.path for sources in found.readings] == [tmp_path / "a/fullchain.pem", tmp_path / "b.crt"]


def test_both_types_of_key(ca: Authority, tmp_path: Path) -> None:
    """One certificate for each type stands beside the other; of two alike the one that is valid longer is served."""
    ca.leaf(["c.test", "d.test"], not_after=NOW + 9 * DAY).write(tmp_path / "c")
    ca.leaf("c.test", not_after=NOW + 80 * DAY).write(tmp_path / "c-0001")
    ca.leaf("c.test", not_after=NOW + 20 * DAY).write(tmp_path / "c-0002")
    ca.leaf("c.test", key="rsa").write(tmp_path / "c-rsa")
    found = read_named(str(tmp_path), "--sni", None)
    assert served(found) == {"c.test": ["c-0001", "c-rsa"], "d.test": ["c"]}
    assert [warning.code for warning in found.warnings] == ["TLS163", "TLS163"]
    assert f"{tmp_path}/c/fullchain.pem is not served for c.test" in found.warnings[0].what
    assert f"{tmp_path}/c-0002/fullchain.pem is not served for c.test" in found.warnings[1].what


def test_a_mapping(ca: Authority, tmp_path: Path) -> None:
    """Names are compared without case; a certificate for another name is served, with a warning."""
    a = ca.leaf("a.test").write(tmp_path / "a")
    entry = {"cert": str(a.fullchain), "key": str(a.key)}
    found = read_named({"A.Test": (entry,), "other.test": (entry,)}, "TLS_SNI in app.config", None)
    assert served(found) == {"a.test": ["a"], "other.test": ["a"]}
    (warning,) = found.warnings
    assert warning.where == "TLS_SNI in app.config for other.test (cert)"
    assert "is not for other.test, but for a.test" in warning.what


def test_what_cannot_be_used(ca: Authority, tmp_path: Path) -> None:
    """Every problem of every certificate is said, what is no site is passed over, and the others are there."""
    ca.leaf("good.test").write(tmp_path / "good")
    mismatched = ca.leaf("bad.test").write(tmp_path / "mismatched")
    mismatched.key.write_bytes(key_pem(make_key("ecdsa")))
    (tmp_path / "lonely.crt").write_bytes(ca.leaf("lonely.test").fullchain_pem)
    found = read_named(str(tmp_path), "--sni", None)
    assert served(found) == {"good.test": ["good"]}
    assert str(mismatched.key) in " ".join(map(str, found.problems))
    (warning,) = found.warnings
    assert warning.code == "TLS164"
    assert warning.what == f"passed over in {tmp_path}: lonely.crt; no key lies beside it"


@pytest.mark.parametrize(("folder", "says"), [("missing", "cannot be read: No such file"), ("", "holds no certifi")])
def test_a_folder_without_certificates(tmp_path: Path, folder: str, says: str) -> None:
    """There is none, or none in it."""
    (problem,) = read_named(str(tmp_path / folder), "--sni", None).problems
    assert problem.code == "TLS161"
    assert says in problem.what
