"""From a plan to live certificates: what was proved for the plan is not proved again, and nothing changes unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tlsrun import servers
from tlsrun.certificates import checks
from tlsrun.deciding.facts import gather
from tlsrun.deciding.plan import Plan, decide
from tlsrun.endpoint import Endpoint
from tlsrun.renewal.reload import Certificates
from tlsrun.servers.certificates import certificates_of
from tlsrun.settings.layers import flask_layer, resolve
from tlsrun.tls import client


def _plan(paths: Paths, **more: object) -> Plan:
    """As a start decides, on a port that is free."""
    files = {"TLS_CERT": str(paths.fullchain), "TLS_KEY": str(paths.key)}
    resolution = resolve([flask_layer({**files, "TLS_SERVER": "builtin", "TLS_PORT": 0, **more})])
    return decide(resolution, gather(resolution, servers.probe_all(), may_develop=False), framework="flask")


def _looked_at(certificates: Certificates) -> bool:
    """What a `Watcher` does, as often as it takes to believe that a file is whole; whether something was read."""
    return [certificates.reload_changed() for _ in range(3)].count(True) > 0


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been read and proved: certificates by their files, authorities by theirs."""
    proved: list[str] = []
    prove, load = checks.prove, client.load_client_auth

    def counted(pem: bytes, certificate: object, source: checks.Source) -> None:
        proved.append(source.name)
        prove(pem, certificate, source)  # type: ignore[arg-type]

    def counted_authorities(sources: client.ClientSources) -> client.ClientAuth:
        proved.append(sources.ca.name)
        return load(sources)

    monkeypatch.setattr(checks, "prove", counted)
    monkeypatch.setattr(client, "load_client_auth", counted_authorities)
    return proved


def test_each_file_is_proved_once(ca: Authority, tmp_path: Path, proofs: list[str]) -> None:
    """The default, those that SNI chooses, and the authorities of clients: a slow key costs its seconds once."""
    default = ca.leaf("localhost").write(tmp_path / "default")
    named = [ca.leaf(f"{name}.test").write(tmp_path / "sites" / name) for name in "ab"]
    authorities = tmp_path / "clients.pem"
    authorities.write_bytes(ca.root_pem)
    plan = _plan(default, TLS_SNI=str(tmp_path / "sites"), TLS_CLIENT_CA=str(authorities))
    certificates = certificates_of(plan)
    assert sorted(proofs) == sorted(map(str, [default.fullchain, *(one.fullchain for one in named), authorities]))
    assert {one.names for one in certificates.status()} == {("localhost",), ("a.test",), ("b.test",)}
    assert not _looked_at(certificates)


def test_a_file_that_changes_before_it_is_served(ca: Authority, tmp_path: Path) -> None:
    """Renewed after the start had read it: the first look finds it, the certificate and the authorities alike."""
    paths = ca.leaf("localhost").write(tmp_path)
    authorities = tmp_path / "clients.pem"
    authorities.write_bytes(ca.root_pem)
    plan = _plan(paths, TLS_CLIENT_CA=str(authorities))
    renewed = ca.leaf(["localhost", "www.test"]).write(tmp_path)
    authorities.write_bytes(ca.root_pem + b"\n")
    certificates = certificates_of(plan)
    (before,) = certificates.status()
    assert before.names == ("localhost",)
    assert _looked_at(certificates)
    (after,) = certificates.status()
    assert after.names == ("localhost", "www.test")
    assert after.fingerprint != before.fingerprint
    assert certificates.current()[0].certificate == renewed.pair.certificate
    clients = certificates.current()[1]
    assert clients is not None
    assert clients.ca == ca.root_pem + b"\n"


def test_a_plan_behind_a_platforms_edge() -> None:
    """It has no certificate, and says so to whoever asks."""
    plan = Plan(server="gunicorn", framework="wsgi", endpoint=Endpoint(host="127.0.0.1", port=8000))
    with pytest.raises(LookupError, match="gunicorn serves no certificate"):
        certificates_of(plan)
