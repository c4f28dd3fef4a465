"""`tlsrun cert`: make a development certificate, show any certificate, put a chain in order."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.findings import Findings
from tlsrun.certificates.identity import Identity
from tlsrun.certificates.material import read_certificates, read_material
from tlsrun.certificates.sources import Source
from tlsrun.certificates.validity import span
from tlsrun.cli.cert_bundle import bundle_command
from tlsrun.cli.cert_show import show_command
from tlsrun.cli.console import fail, warn
from tlsrun.development.authority import StoredAuthority, obtain_authority
from tlsrun.development.issue import LEAF_DAYS, clean_names, issue_leaf
from tlsrun.development.store import ALWAYS
from tlsrun.errors import CertificateError, ConfigurationError, Problem, TLSRunError
from tlsrun.files import write_atomic

#: Longest validity in days that macOS and iOS accept from any CA (support.apple.com/103769).
_LONGEST_FOR_APPLE = 825


class _MakeByDefault(click.Group):
    """A group whose default command is `make`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = (*self.commands, *ctx.help_option_names)
        if not args or args[0] not in known:
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group("cert", cls=_MakeByDefault)
def cert_group() -> None:
    """Make a development certificate, look at any certificate, put a chain in order.

    \b
    tlsrun cert                                     for localhost, 127.0.0.1 and ::1
    tlsrun cert app.test "*.app.test" 192.168.1.5   for these names and addresses
    tlsrun cert show fullchain.pem                  what a certificate says
    tlsrun cert show https://example.org            the one that a server sends
    tlsrun cert bundle server.crt ca-bundle.ca -o integrated.crt

    What is not one of the commands below is a name to make a certificate for.
    """


@cert_group.command("make")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--ecdsa/--rsa", default=True, help="The type of key: ECDSA P-256, or RSA 2048.  [default: --ecdsa]")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=LEAF_DAYS, show_default=True, help="How long it is valid."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    metavar="FOLDER",
    help="Where to write it.  [default: here]",
)
@click.option("--force", is_flag=True, help="Write over files that are not ours.")
def make_command(names: tuple[str, ...], ecdsa: bool, days: int, out: Path, force: bool) -> None:
    """Make a certificate that the development CA signs, with a new key; the word `make` may be left out.

    \b
    tlsrun cert                                     for localhost, 127.0.0.1 and ::1
    tlsrun cert app.test "*.app.test" 192.168.1.5   app.test+2.pem and app.test+2-key.pem
    tlsrun cert app.test --out certs --days 90      certs/app.test.pem and certs/app.test-key.pem
    tlsrun cert app.test --rsa                      for programs that know no ECDSA

    It is for this machine, and for those that trust its CA: see `tlsrun trust`. A certificate that the same CA made
    before under the same name is written over, nothing else.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    try:
        wanted = clean_names(names or ALWAYS)
        stored = obtain_authority(now)
        certificate, key = _paths(out, wanted)
        if not force:
            _refuse_others(stored, certificate, key)
        key_type = "ECDSA P-256" if ecdsa else "RSA 2048"
        identity = issue_leaf(stored.authority, wanted, now=now, days=days, key_type=key_type)
        _write(identity, certificate, key)
    except TLSRunError as error:
        fail(error)
    warn(_oddities(wanted, days))
    _say(identity, stored, certificate, key, now)


def _paths(folder: Path, names: Sequence[str]) -> tuple[Path, Path]:
    """The paths of certificate and key, named like mkcert's: the first name, and the number of the others."""
    stem = names[0].replace(":", "_").replace("*", "_wildcard")
    if len(names) > 1:
        stem += f"+{len(names) - 1}"
    return folder / f"{stem}.pem", folder / f"{stem}-key.pem"


def _refuse_others(stored: StoredAuthority, certificate: Path, key: Path) -> None:
    """Allow only an earlier certificate of this CA to be overwritten.

    Raises:
        ConfigurationError: other files exist.
    """
    if (certificate.exists() and not _is_ours(certificate, stored)) or (key.exists() and not certificate.exists()):
        there = certificate if certificate.exists() else key
        what = "it exists, and is no certificate that this CA made"
        raise ConfigurationError.of(where=str(there), what=what, remedy="Give --out FOLDER, or --force")


def _is_ours(path: Path, stored: StoredAuthority) -> bool:
    try:
        found = read_certificates(read_material(Source(given_by=str(path), path=path)), Findings())
    except CertificateError:
        return False
    return is_signed_by(found[0].certificate, stored.authority.certificate)


def _write(identity: Identity, certificate: Path, key: Path) -> None:
    try:
        certificate.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(key, identity.key)
        write_atomic(certificate, identity.fullchain, mode=0o644)
    except OSError as error:
        what = f"nothing can be written there: {error.strerror or error}"
        raise ConfigurationError.of(where=str(certificate.parent), what=what, remedy="Give --out FOLDER") from error


def _oddities(names: Sequence[str], days: int) -> list[Problem]:
    wide = [name for name in names if name.startswith("*.") and "." not in name.removeprefix("*.")]
    odd = [
        Problem(
            where=name,
            what="browsers accept no wildcard right below a top-level domain",
            remedy=f"Use one more label, such as *.app.{name.removeprefix('*.')}",
        )
        for name in wide
    ]
    if days > _LONGEST_FOR_APPLE:
        what = f"macOS and iOS refuse certificates that are valid for more than {_LONGEST_FOR_APPLE} days"
        odd.append(Problem(where=f"--days {days}", what=what, remedy=f"Leave it out for {LEAF_DAYS}"))
    return odd


def _say(identity: Identity, stored: StoredAuthority, certificate: Path, key: Path, now: datetime.datetime) -> None:
    click.echo(f"A certificate for {', '.join(identity.names)}")
    click.echo(f"  {identity.key_type}, until {identity.not_after:%Y-%m-%d}, {span(identity.not_after - now)} left")
    click.echo(f"  certificate  {certificate}")
    click.echo(f"  key          {key} (for you only: whoever has it can pose as these names)")
    made = ", made just now" if stored.created else ""
    click.echo(f"Signed by the development CA in {stored.path}{made}. Have browsers accept it: tlsrun trust")
    click.echo(f"Serve with it: tlsrun run APP {shlex.join(['--cert', str(certificate), '--key', str(key)])}")


cert_group.add_command(show_command)
cert_group.add_command(bundle_command)
