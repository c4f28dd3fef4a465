"""THE TABLE of findings: every code, declared once; messages, `tlsrun check --list` and reference derive from it."""

from __future__ import annotations

from collections.abc import Mapping

from tlsrun.check.code import Code
from tlsrun.check.codes import application, behind, certificates, configuration, files, live, server

#: Code -> its declaration, in the order of the codes.
CODES: Mapping[str, Code] = {
    one.code: one
    for one in (
        *files.CODES,
        *certificates.CODES,
        *configuration.CODES,
        *server.CODES,
        *live.CODES,
        *behind.CODES,
        *application.CODES,
    )
}

#: Slug -> its declaration; the rest of the package refers to findings by slug.
BY_SLUG: Mapping[str, Code] = {one.slug: one for one in CODES.values()}
