"""Forwarded headers: what is well-formed is read from its right end, what is hostile says nothing and costs nothing."""

from __future__ import annotations

import time

import pytest

from tlsrun.proxies.peers import Peers, read_peers
from tlsrun.wsgi import forwarded
from tlsrun.wsgi.forwarded import Hop
from tlsrun.wsgi.forwarded_info import ForwardedInfo, read

PEERS = read_peers(["10.0.0.0/8", "unix", "2001:db8:1::/48"], "here")


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:8080", "192.0.2.1", 8080),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:DB8::1]", "2001:db8::1", None),
        ("[2001:db8::1]:443", "2001:db8::1", 443),
        ("unix:", "", None),
        ("::ffff:192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:0", "192.0.2.1", None),
        ("192.0.2.1:99999", "192.0.2.1", None),
    ],
)
def test_node(text: str, address: str, port: int | None) -> None:
    """Addresses in every form that proxies write."""
    assert forwarded.parse_node(text) == Hop(address=address, port=port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown",
        "_hidden",
        "example.org",
        "192.0.2.1 ",
        "192.0.2.256",
        "1",
        "[::1",
        "::1]",
        "192.0.2.1:80:80",
        "\0",
        "１９２.0.2.1",
        "192.0.2.01",
        "-1.2.3.4",
        "a" * 70000,
    ],
)
def test_no_node(text: str) -> None:
    """Anything else is none."""
    assert forwarded.parse_node(text) is None


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1", "192.0.2.1"),  # what the client made up stands to the left
        ("192.0.2.1, 10.0.0.2", "192.0.2.1"),  # a second trusted proxy
        ("6.6.6.6, 192.0.2.1, 10.1.2.3, unix:", "192.0.2.1"),
        ("10.0.0.7, 10.0.0.2", "10.0.0.7"),  # a client of the inner network
        ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),  # nobody knows who came to that proxy
        ("192.0.2.1, garbage", None),
        ("6.6.6.6, , 192.0.2.1, ", "192.0.2.1"),
        ("", None),
        (",,,", None),
    ],
)
def test_x_forwarded_for(header: str, client: str | None) -> None:
    """Right to left, to the first that is not trusted."""
    said = read({"x-forwarded-for": header}, PEERS).client
    assert (said and said.address) == client


def test_everybody_is_trusted() -> None:
    """Then the nearest proxy's own entry counts; else each client could name its address itself."""
    everybody = read_peers(["*"], "here")
    said = read({"x-forwarded-for": "6.6.6.6, 192.0.2.1"}, everybody).client
    assert said == Hop(address="192.0.2.1")
    said = read({"forwarded": "for=6.6.6.6, for=192.0.2.1;proto=https"}, everybody).client
    assert said == Hop(address="192.0.2.1")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (
            "for=192.0.2.1;proto=https;host=example.org",
            ForwardedInfo(client=Hop(address="192.0.2.1"), scheme="https", host="example.org"),
        ),
        ('For="[2001:db8::1]:4711"', ForwardedInfo(client=Hop(address="2001:db8::1", port=4711))),
        (
            "for=6.6.6.6;proto=http, for=192.0.2.1;proto=https",
            ForwardedInfo(client=Hop(address="192.0.2.1"), scheme="https"),
        ),
        (
            "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http",
            ForwardedInfo(client=Hop(address="192.0.2.1"), scheme="https"),
        ),
        ("for=192.0.2.1 ; proto=https;", ForwardedInfo(client=Hop(address="192.0.2.1"), scheme="https")),
        ('host="example.org:8443";for=_x', ForwardedInfo(host="example.org", port=8443)),
        # What a client leaves open does not swallow what the proxy adds.
        ('for="6.6.6.6, for=192.0.2.1', ForwardedInfo(client=Hop(address="192.0.2.1"))),
        ("for=a b c, for=192.0.2.1", ForwardedInfo(client=Hop(address="192.0.2.1"))),
        ("for=1.1.1.1;for=6.6.6.6", ForwardedInfo()),
        ("=;=", ForwardedInfo()),
        ("for", ForwardedInfo()),
    ],
)
def test_rfc_7239(header: str, said: ForwardedInfo) -> None:
    """Forwarded, element by element, with quoted strings."""
    assert read({"forwarded": header}, PEERS) == said


@pytest.mark.parametrize(
    ("values", "scheme"),
    [
        ({"x-forwarded-proto": "https"}, "https"),
        ({"x-forwarded-proto": "HTTP"}, "http"),
        ({"x-forwarded-proto": "http, https"}, "https"),
        ({"x-forwarded-proto": "wss"}, "https"),
        ({"x-forwarded-proto": "gopher"}, None),
        ({"x-forwarded-proto": "javascript:alert(1)"}, None),
        ({"cf-visitor": '{"scheme":"https"}', "x-forwarded-proto": "http"}, "https"),
        ({"cf-visitor": '{"scheme":["https"]}'}, None),
        ({"cf-visitor": "[" * 100000}, None),
        ({"cf-visitor": "{"}, None),
    ],
)
def test_scheme(values: dict[str, str], scheme: str | None) -> None:
    """http or https, and nothing else."""
    assert read(values, PEERS).scheme == scheme


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        ("example.org", "example.org", None),
        ("example.org:8443", "example.org", 8443),
        ("[::1]:80", "[::1]", 80),
        ("evil, example.org", "example.org", None),
    ],
)
def test_host(value: str, host: str, port: int | None) -> None:
    """Names and addresses; the nearest proxy's word of several."""
    said = read({"x-forwarded-host": value}, PEERS)
    assert (said.host, said.port) == (host, port)


@pytest.mark.parametrize(
    "value", ["", "a b", "user@example.org", "example.org/x", "[::1", "[zz]", "example.org:0", "a:b:c", "e\nx"]
)
def test_no_host(value: str) -> None:
    """What no URL could hold is none."""
    assert read({"x-forwarded-host": value}, PEERS).host is None


@pytest.mark.parametrize(
    ("value", "prefix"),
    [
        ("/app", "/app"),
        ("/a/b/", "/a/b"),
        ("/", ""),
        ("", ""),
        ("app", None),
        ("//evil.org", None),
        ("/a/../b", None),
        ("/a?b", None),
        ("/a%2f", None),
        ("/a b", None),
    ],
)
def test_prefix(value: str, prefix: str | None) -> None:
    """A path, which cannot be taken for a host, and climbs nowhere."""
    assert read({"x-forwarded-prefix": value}, PEERS).prefix == prefix


@pytest.mark.parametrize("value", ["0", "65536", "-1", "8o", "", "1e3", "４４３"])
def test_no_port(value: str) -> None:
    """What is no TCP port is none."""
    assert read({"x-forwarded-port": value}, PEERS).port is None


def test_cloudflare_address() -> None:
    """Where X-Forwarded-For is there it counts: who reached an inner proxy cannot claim to be Cloudflare."""
    assert read({"cf-connecting-ip": "192.0.2.1"}, PEERS).client == Hop(address="192.0.2.1")
    both = {"cf-connecting-ip": "6.6.6.6", "x-forwarded-for": "192.0.2.1"}
    assert read(both, PEERS).client == Hop(address="192.0.2.1")


@pytest.mark.parametrize(
    "values",
    [
        {"forwarded": 'for="' + "\\" * 60000},
        {"forwarded": "a=b;" * 15000 + "!"},
        {"forwarded": ("x=" + '"' * 3 + ",") * 9000},
        {"forwarded": ";" * 60000},
        {"forwarded": " " * 60000},
        {"x-forwarded-for": "10.0.0.1," * 7000},
        {"x-forwarded-prefix": "/a" * 30000 + "?"},
        {"x-forwarded-host": "a-" * 30000 + "!"},
        {"x-forwarded-proto": "," * 60000},
    ],
)
def test_hostile_values_are_cheap(values: dict[str, str]) -> None:
    """No value takes long: a header has 64 KiB at most."""
    began = time.process_time()
    read(values, Peers(networks=PEERS.networks))
    assert time.process_time() - began < 1
