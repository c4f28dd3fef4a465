"""`tlsrun cert`: what is written, what is shown, and what is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from flask_tlsrun.tls_group import tls_group
from tests.support.certs import DAY, NOW, Authority, Pair, Paths
from tests.support.clients import free_port
from tests.support.process import Server, run
from tests.tls.loading import load, openssl
from tlsrun.cli.main import tlsrun


def cert(*words: str | Path, code: int = 0, input: bytes | None = None, env: dict[str, str] | None = None) -> Result:
    """Run `tlsrun cert …` here."""
    result = CliRunner().invoke(tlsrun, ["cert", *map(str, words)], input=input, env=env)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(path: Path) -> list[str]:
    found = x509.load_pem_x509_certificate(path.read_bytes()).extensions
    return [str(one.value) for one in found.get_extension_for_class(x509.SubjectAlternativeName).value]


def test_for_localhost(folder: Path) -> None:
    """Without a word more: three names, the key for its owner only, and what to type next."""
    said = cert().stdout
    assert names(folder / "localhost+2.pem") == ["localhost", "127.0.0.1", "::1"]
    assert stat.S_IMODE((folder / "localhost+2-key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "localhost+2.pem").stat().st_mode) == 0o644
    assert "A certificate for localhost, 127.0.0.1, ::1" in said
    assert "made just now" in said
    assert "Serve with it: tlsrun run APP --cert localhost+2.pem --key localhost+2-key.pem" in said
    identity, warnings = load(folder / "localhost+2.pem", folder / "localhost+2-key.pem")
    assert warnings == []
    assert identity.key_type == "ECDSA P-256"
    assert (identity.not_after - identity.not_before).days == 820
    assert "made just now" not in cert().stdout


@pytest.mark.parametrize(
    ("given", "stem"),
    [
        (["app.test"], "app.test"),
        (["app.test", "*.app.test", "10.0.0.1"], "app.test+2"),
        (["*.app.test"], "_wildcard.app.test"),
        (["::1", "a.test"], "__1+1"),
        (["Bücher.test"], "xn--bcher-kva.test"),
    ],
)
def test_files_are_named_as_mkcert_names_them(folder: Path, given: list[str], stem: str) -> None:
    """So that what looks for them finds them."""
    cert(*given, "--out", folder / "new" / "certs")
    assert sorted(path.name for path in (folder / "new/certs").iterdir()) == [f"{stem}-key.pem", f"{stem}.pem"]


def test_mkcert_names_them_so(folder: Path) -> None:
    """The real one."""
    if run(["sh", "-c", "command -v mkcert"]).returncode:
        pytest.skip("mkcert is not installed")
    for given in (["app.test", "*.app.test"], ["*.b.test"], ["::1"]):
        assert run(["mkcert", *given], cwd=folder).returncode == 0
        before = {path.name for path in folder.iterdir()}
        cert(*given)
        assert {path.name for path in folder.iterdir()} == before


def test_rsa_and_days(folder: Path) -> None:
    """What is asked for, and a warning where Apple refuses it."""
    cert("a.test", "--rsa", "--days", "90")
    identity, _ = load(folder / "a.test.pem", folder / "a.test-key.pem")
    assert identity.key_type == "RSA 2048"
    assert (identity.not_after - identity.not_before).days == 90
    said = cert("a.test", "--days", "900").stderr
    assert "macOS and iOS refuse certificates that are valid for more than 825 days" in said


def test_odd_names(folder: Path) -> None:
    """A wildcard that browsers refuse is a warning, no name at all an error."""
    assert "browsers accept no wildcard right below a top-level domain" in cert("*.test").stderr
    said = cert("a b", code=2).stderr
    assert said.startswith("Error: the name 'a b': it is no host name")
    assert [path.name for path in folder.glob("a*")] == []


def test_others_files_are_left_alone(folder: Path, ca: Authority) -> None:
    """An earlier certificate of this CA is written over; what is something else only with --force."""
    cert("a.test")
    before = (folder / "a.test.pem").read_bytes()
    cert("a.test")
    assert (folder / "a.test.pem").read_bytes() != before
    other = ca.leaf("a.test").cert_pem
    for name, data in (("a.test.pem", other), ("a.test.pem", b"notes"), ("a.test-key.pem", b"key")):
        for path in folder.glob("a.test*"):
            path.unlink()
        (folder / name).write_bytes(data)
        assert f"{name}: it exists, and is no certificate that this CA made" in cert("a.test", code=2).stderr
        assert (folder / name).read_bytes() == data
        cert("a.test", "--force")
        assert names(folder / "a.test.pem") == ["a.test"]


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    """Is said."""
    (folder / "file").write_text("x")
    assert "nothing can be written there: " in cert("a.test", "--out", "file/x", code=2).stderr


def test_help_begins_with_examples() -> None:
    """For the group and each command; a name is no command."""
    for words in ([], ["make"], ["show"], ["bundle"]):
        said = cert(*words, "--help").stdout
        assert said.startswith("Usage: tlsrun cert")
        assert "tlsrun cert" in said.partition("\n\n")[2]


def test_show_a_file(folder: Path, ca: Authority) -> None:
    """Each certificate, the key by its kind alone, the chain, and what this machine knows of it."""
    paths = ca.leaf("a.test").write(folder)
    both = folder / "both.pem"
    both.write_bytes(paths.pair.fullchain_pem + paths.pair.key_pem)
    said = cert("show", both).stdout
    assert said.startswith(f"{both}: 2 certificates\n\n1  a.test\n   names      a.test\n")
    assert "\n2  tlsrun test root intermediate 1\n" in said
    assert "key:   a private key, ECDSA P-256, of certificate 1" in said
    assert "chain: a.test <- tlsrun test root intermediate 1\n" in said
    assert "signed by CN=tlsrun test root, which is not here, and unknown to this machine" in said
    assert paths.pair.key_pem.splitlines()[1].decode() not in said


def test_show_what_is_odd(folder: Path, ca: Authority) -> None:
    """A key of another certificate, an encrypted one, a chain in disorder, a root."""
    pair = ca.leaf("a.test", password=b"x")
    (folder / "odd.pem").write_bytes(
        ca.intermediate_pems[0] + pair.cert_pem + pair.key_pem + ca.leaf().key_pem + ca.root_pem
    )
    said = cert("show", "odd.pem").stdout
    assert "key:   a private key, encrypted" in said
    assert "key:   a private key, ECDSA P-256, of none of these certificates" in said
    (folder / "order.pem").write_bytes(pair.cert_pem + ca.root_pem + ca.intermediate_pems[0])
    said = cert("show", "order.pem").stdout
    assert "not as a server should send it; `tlsrun cert bundle` puts it right" in said
    assert "it ends at its own root, unknown to this machine" in said


def test_show_a_development_certificate(folder: Path) -> None:
    """Its CA is this machine's own."""
    cert("a.test")
    assert "signed by the development CA of this machine" in cert("show", "a.test.pem").stdout


def test_show_der_and_pkcs12_and_standard_input(folder: Path, localhost_cert: Paths) -> None:
    """Every form that is served from."""
    (folder / "c.der").write_bytes(localhost_cert.pair.der)
    assert cert("show", "c.der").stdout.startswith("c.der, a certificate in DER (binary): 1 certificate\n")
    openssl("pkcs12", "-export", "-in", localhost_cert.fullchain, "-inkey", localhost_cert.key,
            "-passout", "pass:secret", "-out", "b.p12", cwd=folder)  # fmt: skip
    said = cert("show", "b.p12", env={"TLSRUN_KEY_PASSWORD": "secret"}).stdout
    assert said.startswith("b.p12, a PKCS #12 bundle (.pfx, .p12): 2 certificates\n")
    assert "of certificate 1" in said
    assert "with a password, and none was given" in cert("show", "b.p12", code=2).stderr
    assert "1  localhost" in cert("show", "-", input=localhost_cert.pair.cert_pem).stdout


def test_show_says_what_is_wrong(folder: Path, localhost_cert: Paths) -> None:
    """A key, a file that is not there, a server without its scheme."""
    assert "holds no certificate in PEM: it is a private key" in cert("show", localhost_cert.key, code=2).stderr
    assert "example.org does not exist. Check the path; if it is a server: tlsrun cert show https://example.org" in (
        cert("show", "example.org", code=2).stderr
    )
    assert "is no https URL" in cert("show", "http://localhost", code=2).stderr
    closed = free_port()
    said = cert("show", f"https://127.0.0.1:{closed}", code=2).stderr
    assert said.startswith(f"Error: https://127.0.0.1:{closed}: no handshake came to an end: Connection refused")


def test_show_a_server(folder: Path, ca: Authority) -> None:
    """What it sends, whether this system trusts it, and whether it is for this name."""
    paths = ca.leaf("a.test").write(folder)
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", paths.cert, "-key", paths.key,
               "-cert_chain", paths.chain, "-www"]  # fmt: skip
    with Server(command) as server:
        server.until_tls(("127.0.0.1", port))
        said = cert("show", f"https://127.0.0.1:{port}").stdout
    assert said.startswith(f"https://127.0.0.1:{port} sends 2 certificates, over TLSv1.3, TLS_AES_256_GCM_SHA384\n")
    assert "1  a.test" in said
    assert "trust: this system does not trust it: unable to get local issuer certificate" in said
    assert "name:  it is not for 127.0.0.1: browsers refuse it there" in said
    assert "chain: a.test <- tlsrun test root intermediate 1" in said


def test_show_a_server_that_is_trusted(folder: Path, ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the roots that this system knows."""
    paths = ca.leaf().write(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.write(folder)))
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", paths.cert, "-key", paths.key,
               "-cert_chain", paths.chain, "-www"]  # fmt: skip
    with Server(command) as server:
        server.until_tls(("127.0.0.1", port))
        said = cert("show", f"https://localhost:{port}").stdout
    assert "trust: this system trusts it" in said
    assert "name:  it is for localhost" in said
    assert "signed by CN=tlsrun test root, which this machine knows" in said


def test_show_a_development_server(folder: Path) -> None:
    """Its CA is named, with what has the system trust it."""
    cert("localhost")
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "localhost.pem",
               "-key", "localhost-key.pem", "-www"]  # fmt: skip
    with Server(command, cwd=folder) as server:
        server.until_tls(("127.0.0.1", port))
        said = cert("show", f"https://localhost:{port}").stdout
    assert "; it is the development CA's: tlsrun trust" in said


@pytest.fixture
def from_a_ca(folder: Path, ca: Authority) -> Pair:
    """What a CA sends: the certificate, and its bundle upside down with the root in it."""
    pair = ca.leaf("a.test")
    (folder / "server.crt").write_bytes(pair.cert_pem)
    (folder / "ca-bundle.ca").write_bytes(ca.root_pem + ca.intermediate_pems[0])
    return pair


def test_bundle(folder: Path, from_a_ca: Pair) -> None:
    """The file is in order, what was changed is said, and the given files stay."""
    before = (folder / "ca-bundle.ca").read_bytes()
    result = cert("bundle", "server.crt", "ca-bundle.ca", "-o", "integrated.crt")
    assert (folder / "integrated.crt").read_bytes() == from_a_ca.fullchain_pem
    assert (folder / "ca-bundle.ca").read_bytes() == before
    assert "  the root is left out (CN=tlsrun test root): clients must have it themselves\n" in result.stderr
    assert result.stdout.startswith("Wrote integrated.crt: CN=a.test, CN=tlsrun test root intermediate 1\n")
    assert "tlsrun cert show integrated.crt" in result.stdout
    again = cert("bundle", "integrated.crt", "-o", "integrated.crt")
    assert "nothing had to be changed" in again.stderr
    assert again.stdout.startswith("Already there: integrated.crt")


def test_bundle_over_another_file(folder: Path, from_a_ca: Pair) -> None:
    """Only with --force, an input of its own included."""
    before = (folder / "server.crt").read_bytes()
    said = cert("bundle", "server.crt", "ca-bundle.ca", "-o", "server.crt", code=2).stderr
    assert "server.crt: it exists, and holds something else. Choose another name, or add --force." in said
    assert (folder / "server.crt").read_bytes() == before
    cert("bundle", "server.crt", "ca-bundle.ca", "-o", "server.crt", "--force")
    assert (folder / "server.crt").read_bytes() == from_a_ca.fullchain_pem


def test_bundle_on_standard_output(from_a_ca: Pair) -> None:
    """The file alone; words go to standard error."""
    result = cert("bundle", "server.crt", "ca-bundle.ca")
    assert result.stdout_bytes == from_a_ca.fullchain_pem
    assert "the root is left out" in result.stderr


def test_bundle_says_what_is_missing(folder: Path, from_a_ca: Pair) -> None:
    """It is written all the same: the user may know better."""
    said = cert("bundle", "server.crt", "-o", "alone.crt").stderr
    assert "Warning: server.crt: " in said
    assert "does not hold CN=tlsrun test root intermediate 1" in said
    assert "no/server.crt does not exist" in cert("bundle", "no/server.crt", "server.crt", code=2).stderr


def test_an_expired_certificate_is_shown(folder: Path, ca: Authority) -> None:
    """To look at it is no mistake."""
    (folder / "old.pem").write_bytes(ca.leaf(not_before=NOW - 9 * DAY, not_after=NOW - 2 * DAY).cert_pem)
    assert "UTC: EXPIRED 2 days ago" in cert("show", "old.pem").stdout


def test_under_flask(folder: Path) -> None:
    """`flask tls cert` is the same command."""
    result = CliRunner().invoke(tls_group, ["cert", "a.test"])
    assert result.exit_code == 0, result.output
    assert names(folder / "a.test.pem") == ["a.test"]
