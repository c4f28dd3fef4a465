"""The import statements of a source file, found without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Import:
    """An import statement; ``import a, b`` counts as two.

    Arguments:
        file: its file.
        line: its line, from 1.
        text: its source, on one line.
        level: the number of dots of a relative import; 0 for an absolute one.
        module: the dotted name after ``import`` or ``from``, without those dots; empty for ``from . import x``.
        names: the names imported from the module; empty for ``import x``.
        written: the source of these names, with ``as``; for ``import x.y as z`` the part after ``from x import``.
        at_import: whether it runs when the file is imported, not later in a function.
        guarded: whether it is under ``if __name__ == "__main__":``, and so runs in a script only.
    """

    file: Path
    line: int
    text: str
    level: int
    module: str
    names: tuple[str, ...] = ()
    written: str = ""
    at_import: bool = True
    guarded: bool = False

    @property
    def place(self) -> str:
        """``main.py:3: `import models` ``, for messages."""
        return f"{self.file}:{self.line}: `{self.text}`"

    @property
    def as_relative(self) -> str:
        """An absolute import of a module in the same folder, written as a relative one."""
        module = self.module if self.names else self.module.rpartition(".")[0]
        return f"from .{module} import {self.written}"

    @property
    def top(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]


def imports_in(file: Path) -> tuple[Import, ...]:
    """All imports of a file in order; none if it cannot be parsed."""
    reader = _Reader(file)
    reader.visit(parsed(file))
    return tuple(reader.found)


def parsed(file: Path) -> ast.Module:
    """The syntax tree of a file; an empty one if it cannot be read or parsed."""
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def import_at(file: Path, line: int) -> Import | None:
    """The import statement on a line of a file."""
    return next((found for found in imports_in(file) if found.line == line), None)


class _Reader(ast.NodeVisitor):
    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: list[Import] = []
        self._in_function = 0
        self._guarded = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            written = ast.unparse(ast.alias(alias.name.rpartition(".")[2], alias.asname))
            self._add(node, level=0, module=alias.name, written=written)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        written = ", ".join(ast.unparse(alias) for alias in node.names)
        self._add(node, level=node.level, module=node.module or "", names=names, written=written)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._in_function += 1
        self.generic_visit(node)
        self._in_function -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        before, self._guarded = self._guarded, self._guarded or is_guard(node.test)
        for statement in node.body:
            self.visit(statement)
        self._guarded = before
        for statement in node.orelse:
            self.visit(statement)

    def _add(self, node: ast.stmt, *, level: int, module: str, names: tuple[str, ...] = (), written: str = "") -> None:
        found = Import(
            file=self.file,
            line=node.lineno,
            text=ast.unparse(node),
            level=level,
            module=module,
            names=names,
            written=written,
            at_import=not self._in_function,
            guarded=self._guarded,
        )
        self.found.append(found)


def has_guard(file: Path) -> bool:
    """Whether a file has code that runs only if it is run as a script."""
    return any(isinstance(node, ast.If) and is_guard(node.test) for node in ast.walk(parsed(file)))


def is_guard(test: ast.expr) -> bool:
    """Whether ``test`` is ``__name__ == "__main__"``, in either order."""
    if not isinstance(test, ast.Compare):
        return False
    sides = [test.left, *test.comparators]
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides) and any(
        isinstance(side, ast.Constant) and side.value == "__main__" for side in sides
    )
