"""Whether another program can use the certificate's files as they are.

Our own servers convert DER, PKCS #12 and inline text and sort a chain; another program's configuration names the files
as they are. Only this module and `versions` read anything; the rest of the package is pure.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from cryptography.x509 import load_pem_x509_certificates

from tlsrun.certificates.identity import Identity, IdentitySources
from tlsrun.certificates.sources import Source, read_source
from tlsrun.deciding.plan import Plan
from tlsrun.errors import Problem


def unfit(plan: Plan, title: str, *, mended: bool) -> Iterator[Problem]:
    """Why ``title`` cannot use the files of the plan's certificates.

    Arguments:
        title: the program's name in prose.
        mended: whether our own servers read them, which accept every format; they must still be files.
    """
    if mended:
        yield from (_no_file(source, title) for source in plan.sources.places if source.path is None)
        return
    yield from _unfit(plan.sources, plan.identity, title)
    for sources in dict.fromkeys(one for several in plan.sni.values() for one in several):
        yield from _unfit(sources, plan.readings[sources].value, title)
    if plan.clients is not None:
        for source in filter(None, (plan.clients.ca, plan.clients.crl)):
            if source.path is None:
                yield _no_file(source, title)
            elif source.path.is_dir():
                remedy = f"Put them into one file: cat {source.argument}/*.pem > clients-ca.pem"
                yield source.problem(what=f"{title} wants one file, not a folder", remedy=remedy)


def _unfit(sources: IdentitySources, identity: Identity, title: str) -> Iterator[Problem]:
    for source in sources.places:
        if source.path is None:
            yield _no_file(source, title)
    if any(source.path is None for source in sources.places):
        return
    if not _holds_chain(sources.cert, identity):
        files = " ".join(source.argument for source in (sources.cert, *sources.chain))
        yield sources.cert.problem(
            what=f"{title} wants PEM with the certificate first and its chain behind it, and {sources.cert.name} "
            "is not that",
            remedy=f"Run: tlsrun cert bundle {files} -o fullchain.pem, and name that",
        )
    key = sources.key or sources.cert
    data = read_source(key)
    if b"-----BEGIN " not in data or b"ENCRYPTED" in data:
        yield key.problem(
            what=f"{title} wants the key as unencrypted PEM, and {key.name} is not that",
            remedy=f"Run, with a umask of 077: openssl pkey -in {key.argument} -out privkey.pem, and name that",
        )


def _holds_chain(cert: Source, identity: Identity) -> bool:
    """Whether the file contains the leaf followed by its issuers."""
    try:
        held = load_pem_x509_certificates(read_source(cert))
    except ValueError:
        return False
    return held[: 1 + len(identity.chain)] == [identity.certificate, *identity.chain]


def _no_file(source: Source, title: str) -> Problem:
    return source.problem(f"is the text itself, and {title} reads a file", "Write it to a file, and name that")


def path_of(source: Source) -> str:
    """The absolute path of a source that `unfit` did not object to."""
    return os.path.abspath(str(source.path))


def key_path(sources: IdentitySources) -> str:
    """The path of the private key, which may be in the certificate's file."""
    return path_of(sources.key or sources.cert)


def quoted(path: str) -> str:
    """A path, quoted for a shell."""
    return shlex.quote(path)
