"""tlsrun.wsgi.mod_wsgi: PATH_INFO from what was sent, where Apache has done no more than merge slashes."""

from __future__ import annotations

from typing import Any

import pytest

from tlsrun.wsgi.mod_wsgi import with_path


@pytest.mark.parametrize(
    ("uri", "prefix", "path", "expected"),
    [
        ("/a//b", "", "/a/b", "/a//b"),
        ("//a/b//?c=//d", "", "/a/b/", "//a/b//"),
        ("/a%2F%2Fb", "", "/a/b", "/a//b"),
        ("/shop//a", "/shop", "/a", "//a"),
        ("/a/b", "", "/a/b", "/a/b"),
        ("//a/../b", "", "/b", "/b"),  # resolved: Apache's own
        ("/old//path", "", "/new/path", "/new/path"),  # rewritten by its administrator
        ("//shop/a", "/shop", "/a", "/a"),
        ("/gr%C3%BC//%FF", "", "/gr\xc3\xbc/\xff", "/gr\xc3\xbc//\xff"),
    ],
)
def test_path(uri: str, prefix: str, path: str, expected: str) -> None:
    """Which path the application is given."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        return []

    with_path(app)({"REQUEST_URI": uri, "SCRIPT_NAME": prefix, "PATH_INFO": path}, None)
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == (prefix, expected)
