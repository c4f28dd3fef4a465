"""Header lines as variables of environ."""

from __future__ import annotations

from tlsrun.http1.variables import variables


def test_variables_of_fields() -> None:
    """As CGI has them, lists joined, cookies as browsers join them; none that could be taken for another's."""
    lines = [
        (b"Content-Type", b"text/plain"), (b"content-length", b"3"),
        (b"X-One", b"a"), (b"x-ONE", b"b"), (b"X_One", b"forged"),
        (b"Cookie", b"a=1"), (b"Cookie", b"b=2"), (b"Proxy", b"http://evil"), (b"Content_Length", b"9"),
        (b"Transfer-Encoding", b"chunked"), (b"X-High", b"\xe9"),
    ]  # fmt: skip
    assert variables(lines) == {
        "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "3", "HTTP_X_ONE": "a,b", "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_HIGH": "\xe9",
    }  # fmt: skip
