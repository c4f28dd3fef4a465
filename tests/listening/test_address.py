"""The words of the setting ``bind``, and what follows from several of them."""

from __future__ import annotations

import pytest

from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import (
    Descriptor,
    Handed,
    UnixSocket,
    hosts_of,
    overlapping,
    parse_bind,
    public_first,
    spell,
    takes_both_families,
)


def at(word: str) -> Endpoint:
    """The endpoint that ``word`` names."""
    place = parse_bind(word)
    assert isinstance(place, Endpoint)
    return place


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("127.0.0.1:8443", Endpoint(host="127.0.0.1", port=8443)),
        ("localhost:0", Endpoint(host="localhost", port=0)),
        ("[::1]:443", Endpoint(host="::1", port=443)),
        ("[::]:443", Endpoint(host="::", port=443)),
        (":443", Endpoint(host="::", port=443)),
        ("*:443", Endpoint(host="::", port=443)),
        ("unix:/run/a.sock", UnixSocket(path="/run/a.sock")),
        ("unix:///run/a.sock", UnixSocket(path="/run/a.sock")),
        ("unix:a.sock?mode=0600", UnixSocket(path="a.sock", mode=0o600)),
        ("unix:/a?owner=www-data&group=33", UnixSocket(path="/a", owner="www-data", group="33")),
        ("unix:/a?owner=root:www-data", UnixSocket(path="/a", owner="root", group="www-data")),
        ("systemd", Handed()),
        ("systemd:web", Handed(name="web")),
        ("fd://3", Descriptor(number=3)),
    ],
)
def test_words(word: str, place: object) -> None:
    """Each form, as people write it for other servers."""
    assert parse_bind(word) == place


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("localhost", "names no port"),
        ("[::1]", "names no port"),
        ("443", "the port of every address is :443"),
        ("unix:/a\0b", "no zero byte"),
        ("::1:443", "in brackets"),
        ("[localhost]:443", "no IPv6 address"),
        ("localhost:https", "'https' is no port"),
        ("localhost:65536", "'65536' is no port"),
        ("localhost:", "'' is no port"),
        ("https://localhost:443", "not a URL"),
        ("unix:", "lacks a path"),
        ("unix:@abstract", "everybody could connect"),
        ("unix:/a?mode=rw", "'rw' is no mode"),
        ("unix:/a?mode=7777", "'7777' is no mode"),
        ("unix:/a?user=me", "'user' is no option"),
        ("unix:/" + "a" * 107, "107 bytes"),
        ("systemd:", "lacks the name"),
        ("fd://three", "'three' is no descriptor"),
    ],
)
def test_what_is_wrong(word: str, reason: str) -> None:
    """It is said in words."""
    with pytest.raises(ValueError, match=r".") as raised:
        parse_bind(word)
    assert reason in str(raised.value)


@pytest.mark.parametrize("word", ["127.0.0.1:8443", "[::1]:443", "unix:/run/a.sock"])
def test_spelled_as_written(word: str) -> None:
    """What is said of a place can be given again."""
    place = parse_bind(word)
    assert isinstance(place, Endpoint | UnixSocket)
    assert spell(place) == word


@pytest.mark.parametrize(
    ("words", "clash"),
    [
        (["127.0.0.1:443", "127.0.0.1:443"], True),
        (["0.0.0.0:443", "127.0.0.1:443"], True),
        ([":443", "127.0.0.1:443"], True),
        ([":443", "[::1]:443"], True),
        (["unix:/a", "unix:/a"], True),
        (["127.0.0.1:443", "[::1]:443"], False),
        (["0.0.0.0:443", "[::]:443"], False),
        (["0.0.0.0:443", "127.0.0.1:8443"], False),
        (["127.0.0.1:0", "127.0.0.1:0"], True),
        (["127.0.0.1:0", "localhost:0"], False),
        (["127.0.0.1:443", "localhost:443"], True),
        (["[::1]:443", "[0:0::1]:443"], True),
        (["unix:/a", "unix:/b"], False),
    ],
)
def test_overlapping(words: list[str], clash: bool) -> None:
    """Two that the system would give only one of are found before any is opened."""
    places = [parse_bind(word) for word in words]
    assert (overlapping([place for place in places if isinstance(place, Endpoint | UnixSocket)]) is not None) == clash


def test_both_families() -> None:
    """``[::]`` is IPv4 too, unless IPv4 is named beside it."""
    everywhere = at("[::]:443")
    assert takes_both_families(everywhere, [everywhere])
    assert takes_both_families(everywhere, [everywhere, at("0.0.0.0:8443")])
    assert not takes_both_families(everywhere, [everywhere, at("0.0.0.0:443")])
    assert not takes_both_families(at("[::1]:443"), [])


@pytest.mark.parametrize(
    ("words", "hosts"),
    [
        (["127.0.0.1:443", "127.0.0.1:8443"], ("127.0.0.1",)),
        (["localhost:443", "127.0.0.1:8443"], ("localhost",)),
        (["127.0.0.1:443", "[::1]:443"], ("127.0.0.1", "::1")),
        (["0.0.0.0:443", "[::]:443"], ("0.0.0.0", "::")),  # noqa: S104
        ([":443", "127.0.0.1:8443"], ("::",)),
        (["0.0.0.0:443", "127.0.0.1:8443"], ("0.0.0.0",)),  # noqa: S104
    ],
)
def test_hosts(words: list[str], hosts: tuple[str, ...]) -> None:
    """Where one port is listened at for all of them: everywhere, and nowhere twice."""
    assert hosts_of([at(word) for word in words]) == hosts


def test_who_speaks_for_all() -> None:
    """What others can reach counts, wherever it stands."""
    assert public_first([at("127.0.0.1:1"), at("192.0.2.1:2")]) == at("192.0.2.1:2")
    assert public_first([at("127.0.0.1:1"), at("[::1]:2")]) == at("127.0.0.1:1")
    assert public_first([UnixSocket(path="/a")]) is None
