"""Underscore names of others that we lean on: each with its reason, and still there in what is installed."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import socket
import ssl
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("tlsrun", "flask_tlsrun", "bottle_tls")

#: The versions with which the names below were seen to do what we need.
SEEN = {
    "aioquic": "1.7.2",
    "CPython": "3.10 to 3.15",
    "Flask": "3.1.3",
    "granian": "2.8.9",
    "gunicorn": "27.0.1",
}


def named(place: str) -> Any:
    """What stands at ``module:attribute``, or the module itself."""
    module, _, attribute = place.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def a_flask() -> Any:
    return named("flask:Flask")(__name__)


def an_ssl_socket() -> ssl.SSLSocket:
    with ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="localhost") as made:
        return made


def a_sender() -> Any:
    return named("aioquic.quic.stream:QuicStreamSender")(None, writable=True)


def a_quic_connection() -> Any:
    configuration = named("aioquic.quic.configuration:QuicConfiguration")(is_client=True)
    return named("aioquic.quic.connection:QuicConnection")(configuration=configuration)


async def a_quic_server() -> Any:
    return named("aioquic.asyncio.server:QuicServer")(configuration=None)


def an_h3_connection() -> Any:
    return named("aioquic.h3.connection:H3Connection")(a_quic_connection())


THREADS = "gunicorn.workers.gthread:ThreadWorker"


@dataclass(frozen=True)
class Inside:
    """A name that its owner may change without a word.

    Arguments:
        of: the library.
        place: what has the name: ``module:attribute``, or a function that makes one.
        why: what we do by it, for want of something public.
        since: the first version that has it, where older ones do without.
    """

    of: str
    place: str | Callable[[], Any]
    why: str
    since: int = 0


INSIDES = {
    "_ASN1Object": Inside(
        "CPython", "ssl", "OpenSSL's short names of what seldom stands in names, as mod_ssl has them"
    ),
    "_exit": Inside(
        "CPython", "os", "documented: the end of a forked process, which has nothing of its parent to tidy up"
    ),
    "_io_refs": Inside("CPython", "socket:socket", "whether close() is the end: a file object made of it may be open"),
    "_msg_callback": Inside(
        "CPython", "ssl:SSLContext", "the ClientHello and a client's chain, before OpenSSL acts on them"
    ),
    "_run_exitfuncs": Inside(
        "CPython", "atexit", "as at every end of a program, before exec(2), which does none of it"
    ),
    "_sslobj": Inside("CPython", an_ssl_socket, "without it ssl sends in the clear; and the chain before Python 3.13"),
    "_got_first_request": Inside("Flask", a_flask, "Flask.run() takes it back at its end, and so has app.run() to"),
    "_new_cbscheduler": Inside(
        "granian", "granian.server.mp", "what its Rust worker takes in place of the application"
    ),
    "_keepalive_after": Inside("gunicorn", THREADS, "it waits 5 s for a body that nobody read", since=26),
    "_buffer": Inside("aioquic", a_sender, "how much of an answer the client has not taken"),
    "_decoder": Inside("aioquic", an_h3_connection, "QPACK without a table that clients fill"),
    "_get_local_settings": Inside("aioquic", an_h3_connection, "the settings say so; and that there is no WebSocket"),
    "_host_cids": Inside("aioquic", a_quic_connection, "a connection ID names the worker that has issued it"),
    "_initialize": Inside("aioquic", a_quic_connection, "when there is the TLS whose ClientHello is looked at"),
    "_local_initial_source_connection_id": Inside("aioquic", a_quic_connection, "goes with the first of `_host_cids`"),
    "_replenish_connection_ids": Inside("aioquic", a_quic_connection, "issues further ones"),
    "_retry": Inside(
        "aioquic", a_quic_server, "only in a crowd do clients prove their address; by tokens of all workers"
    ),
    "_server_handle_hello": Inside(
        "aioquic", "aioquic.tls:Context", "the name that the client asks for, which it reads and drops"
    ),
    "_stream": Inside("aioquic", an_h3_connection, "the length of a frame that has not come whole"),
    "_streams": Inside("aioquic", a_quic_connection, "the sender of a stream"),
}


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def of_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def defined(tree: ast.Module) -> Iterator[str]:
    """Names that this file makes its own: of functions, classes, variables, slots, and attributes of ``self``."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and of_self(node):
            yield node.attr
        elif isinstance(node, ast.Assign) and "__slots__" in map(ast.unparse, node.targets):
            yield from (one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant))


def used(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Underscore names that this file asks of an object or of a module, and in which line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            yield from ((part, node.lineno) for module in modules for part in module.split("."))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr", "setattr"):
            yield from ((one.value, node.lineno) for one in node.args[1:2] if isinstance(one, ast.Constant))


def named_nowhere() -> dict[str, list[str]]:
    """Underscore names that we use and define in none of our files."""
    ours, found = set[str](), defaultdict[str, list[str]](list)
    for where, tree in sources():
        ours |= set(defined(tree))
        for name, line in used(tree):
            if isinstance(name, str) and private(name):
                found[name].append(f"{where}:{line}")
    return {name: places for name, places in found.items() if name not in ours}


def own_names(kind: type) -> set[str]:
    """Underscore names of methods and of attributes of ``self`` in the source of a class."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError):  # written in C
        return {name for name in vars(kind) if private(name)}
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and of_self(node)}
    names |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return {name for name in names if private(name)}


def shared_with_bases() -> dict[str, list[str]]:
    """Underscore names of our classes that their foreign bases have too: overridden, or used."""
    found = defaultdict[str, list[str]](list)
    for kind in our_classes():
        ours = own_names(kind)
        for base in kind.__mro__[1:-1]:
            if base.__module__.partition(".")[0] not in PACKAGES:
                for name in ours & own_names(base):
                    found[name].append(f"{kind.__module__}.{kind.__name__}, of {base.__module__}.{base.__name__}")
    return found


def our_classes() -> Iterator[type]:
    """Those with bases, of every module that can be imported here."""
    for where, tree in sources():
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.bases]
        if not names:
            continue
        module = where.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        try:
            imported = importlib.import_module(module)
        except ImportError:  # of a server that is not installed
            continue
        yield from (getattr(imported, name) for name in names)


def test_every_underscore_name_of_others_is_listed_with_its_reason() -> None:
    nowhere, shared = named_nowhere(), shared_with_bases()
    found = {name: [*nowhere.get(name, ()), *shared.get(name, ())] for name in {*nowhere, *shared}}
    unlisted = {name: places for name, places in found.items() if name not in INSIDES}
    assert not unlisted, f"Use something public, or list it above with its reason: {unlisted}"
    assert not INSIDES.keys() - found.keys(), "Not used any more: take it out"


@pytest.mark.parametrize("name", INSIDES)
def test_it_is_there_in_what_is_installed(name: str) -> None:
    inside = INSIDES[name]
    if inside.of != "CPython":
        pytest.importorskip(inside.of.lower())
        if int(version(inside.of).partition(".")[0]) < inside.since:
            pytest.skip(f"{inside.of} has it since {inside.since}")
    there = inside.place() if callable(inside.place) else named(inside.place)
    if inspect.iscoroutine(there):
        there = asyncio.run(there)
    installed = "" if inside.of == "CPython" else f", and not in {version(inside.of)}"
    assert hasattr(there, name), f"{inside.of}: {name} was seen in {SEEN[inside.of]}{installed}: {inside.why}"


def test_there_are_few() -> None:
    assert len(INSIDES) <= 20
