"""`tlsrun status`: in the words of `check`, with an exit code for a monitor."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.certs import DAY, NOW, Authority, Pair
from tests.tls.serving import certificates
from tlsrun.cli.status import status_command
from tlsrun.status import StatusFile


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The status of no server but this test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def status(folder: Path, pair: Pair, *flags: str, **changes: Any) -> tuple[int, str]:
    """Exit code and output where ``pair`` is served."""
    served = certificates(pair.write(folder / "pair")).status()
    StatusFile(server="builtin", endpoint="127.0.0.1:5000").write([replace(one, **changes) for one in served])
    done = CliRunner().invoke(status_command, flags)
    return done.exit_code, done.stdout


def test_all_is_well(told: Path, ca: Authority) -> None:
    """0: days left, and nothing else."""
    code, said = status(told, ca.leaf())
    assert code == 0
    assert "UTC, 29 days left" in said
    assert "EXPIRE" not in said


def test_expires_soon(told: Path, ca: Authority) -> None:
    """1, as `check` has it, with its code."""
    code, said = status(told, ca.leaf(not_before=NOW - 80 * DAY, not_after=NOW + 10 * DAY))
    assert code == 1
    assert f"EXPIRES SOON expires in 9 days, on {NOW + 10 * DAY:%Y-%m-%d %H:%M} UTC (TLS142)" in said


def test_not_renewed(told: Path, ca: Authority) -> None:
    """1."""
    code, said = status(told, ca.leaf(), last_error="no key", last_error_at=NOW)
    assert code == 1
    assert "NOT RENEWED" in said


def test_expired(told: Path, ca: Authority) -> None:
    """2, and never a negative number of days."""
    code, said = status(
        told, ca.leaf(not_before=NOW - 80 * DAY, not_after=NOW - DAY), last_error="x", last_error_at=NOW
    )
    assert code == 2
    assert f"EXPIRED      expired on {NOW - DAY:%Y-%m-%d %H:%M} UTC, 1 day ago (TLS140)" in said
    assert "days left" not in said


def test_the_issuer_has_expired(told: Path) -> None:
    """2: clients refuse the certificate, though itself it is good."""
    code, said = status(told, Authority("short", intermediates=1, ends=[NOW - DAY]).leaf())
    assert code == 2
    assert "EXPIRED      the issuer CN=short intermediate 1, sent with it, expired on" in said
    assert "(TLS138)" in said


def test_what_is_renewed_by_itself_is_well_until_that_is_overdue(told: Path, ca: Authority) -> None:
    """A development certificate in its last month."""
    pair, month = ca.leaf(not_before=NOW - 80 * DAY, not_after=NOW + 10 * DAY), (30 * DAY).total_seconds()
    assert status(told, pair, renewed=month)[0] == 0
    pair = ca.leaf(not_before=NOW - 80 * DAY, not_after=NOW + 5 * DAY)
    assert status(told, pair, renewed=month)[0] == 1


def test_for_machines(told: Path, ca: Authority) -> None:
    """The same codes, and how each certificate stands."""
    code, said = status(told, ca.leaf(not_before=NOW - 80 * DAY, not_after=NOW - DAY), "--json")
    assert code == 2
    assert json.loads(said)[0]["certificates"][0]["life"] == "expired"


def test_nothing_runs(told: Path) -> None:
    """2."""
    assert CliRunner().invoke(status_command, []).exit_code == 2
