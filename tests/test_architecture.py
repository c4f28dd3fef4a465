"""What import-linter does not prove: no circles between files or rooms, one meaning of a class name, tests in place."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("tlsrun", "flask_tlsrun", "bottle_tls")

#: Folders of tests that mirror no room, and why.
NO_ROOM = {
    "matrix": "the whole program, the same under every server, in every mode, by several clients",
    "systems": "the whole program on what looks like another operating system",
    "support": "what chooses the cases of a matrix is tested beside it",
}
#: Files of tests at the top that mirror no file of `tlsrun`: they look at the whole repository.
NO_FILE = {
    "architecture": "how its files stand to one another",
    "insides": "what it knows of others",
    "docs": "what it says",
    "examples": "what it shows",
}


@cache
def modules() -> dict[str, ast.Module]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    """Our modules that a file imports: anywhere, within functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in modules():
                    yield whole
                elif node.module in modules():
                    yield node.module


def files() -> dict[str, set[str]]:
    return {name: set(imports(tree)) - {name} for name, tree in modules().items()}


def rooms() -> dict[str, set[str]]:
    """The folders and single files of `tlsrun`, and the other packages."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, others in files().items():
        found[room(name)] |= {room(other) for other in others} - {room(name)}
    return found


def room(module: str) -> str:
    return ".".join(module.split(".")[: 2 if module.startswith("tlsrun.") else 1])


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """The groups whose members all reach one another."""
    reached = {one: reachable(one, graph) for one in graph}
    groups = (frozenset(other for other in reached[one] if one in reached[other]) for one in graph)
    return {group for group in groups if group}


def reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(graph[start])
    while ahead:
        if (one := ahead.pop()) not in found:
            found.add(one)
            ahead += graph[one]
    return found


def in_words(several: Iterable[frozenset[str]]) -> str:
    return "; ".join(", ".join(sorted(one)) for one in several)


def test_no_circle_between_files() -> None:
    """Imports within functions, and for type checkers alone, count."""
    found = circles(files())
    assert not found, f"These import one another: {in_words(found)}"


def test_no_circle_between_rooms() -> None:
    found = circles(rooms())
    assert not found, f"These import one another: {in_words(found)}"


def test_a_class_name_means_one_thing() -> None:
    """No two public classes share a name."""
    places = defaultdict(list)
    for module, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module)
    several = {name: found for name, found in places.items() if len(found) > 1}
    assert not several, f"Name them apart: {several}"


def test_tests_mirror_the_source() -> None:
    """A room's tests stand in the folder, those of a file of `tlsrun` in the file, at its place below `tests`."""
    tests = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")]
    folders = {str(path.parent) for path in tests if path.parent.name}
    lost = {one for one in folders if not any((ROOT / above / one).is_dir() for above in ("tlsrun", "."))}
    assert lost == set(NO_ROOM)
    loose = {path.stem.removeprefix("test_") for path in tests if not path.parent.name}
    assert {one for one in loose if not (ROOT / "tlsrun" / f"{one}.py").exists()} == set(NO_FILE)
