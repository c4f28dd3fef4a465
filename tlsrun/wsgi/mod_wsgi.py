"""mod_wsgi: the path as the client sent it; Apache merges slashes in PATH_INFO even with `MergeSlashes Off`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

_SLASHES = re.compile("//+")


def with_path(application: Callable[..., Any]) -> Callable[..., Any]:
    """Give the application PATH_INFO with its empty segments, unless Apache has rewritten the path.

    Arguments:
        application: any WSGI callable, in mod_wsgi.
    """

    def asked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        uri = environ.get("REQUEST_URI", "")
        if "//" in uri or "%2f" in uri.lower():
            prefix, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
            sent = unquote_to_bytes(uri.partition("?")[0]).decode("latin-1")
            if sent.startswith(prefix) and _SLASHES.sub("/", sent) == _SLASHES.sub("/", prefix + path):
                environ["PATH_INFO"] = sent[len(prefix) :]
        return application(environ, start_response)

    return asked
