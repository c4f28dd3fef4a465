"""`tlsrun cert bundle`: certificate and chain as one file in the right order, for other servers."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from tlsrun.certificates.bundle import make_bundle
from tlsrun.certificates.names import shown_name
from tlsrun.certificates.sources import Source
from tlsrun.cli.console import fail, say, warn
from tlsrun.cli.writing import write_file
from tlsrun.errors import TLSRunError


@click.command("bundle")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="-",
    metavar="FILE",
    help="What to write.  [default: standard output]",
)
@click.option("--force", is_flag=True, help="Write over another file.")
def bundle_command(files: tuple[Path, ...], output: Path, force: bool) -> None:
    """Write certificate and chain as one file: the server's own first, each issuer behind it, and nothing else.

    \b
    tlsrun cert bundle server.crt ca-bundle.ca -o integrated.crt     for nginx, Apache, uWSGI, HAProxy
    tlsrun cert bundle server.crt intermediate.cer root.cer -o fullchain.pem
    tlsrun cert bundle fullchain.pem                                 the corrected file on standard output

    Files may be PEM, DER or PKCS #12 (password from TLSRUN_KEY_PASSWORD), their order does not matter, and they are
    left as they are. The root, copies, keys and text are left out; what was changed is said. tlsrun's own servers
    need no such file: they put the chain in order themselves.
    """
    sources = [Source(given_by=str(file), path=file) for file in files]
    try:
        bundle = make_bundle(sources, os.environ.get("TLSRUN_KEY_PASSWORD", "").encode() or None)
        written = False
        if str(output) == "-":
            click.echo(bundle.pem, nl=False)
        else:
            written = write_file(output, bundle.pem, force=force)
    except TLSRunError as error:
        fail(error)
    for change in bundle.changes or ("nothing had to be changed",):
        say(f"  {change}")
    warn(bundle.warnings)
    if str(output) == "-":
        return
    names = ", ".join(shown_name(one.subject) for one in bundle.certificates)
    click.echo(f"{'Wrote' if written else 'Already there:'} {output}: {names}")
    click.echo(f"Look at it: tlsrun cert show {shlex.quote(str(output))}")
