"""Collects problems, so that all of them can be reported at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tlsrun.errors import CertificateError, Problem

Value = TypeVar("Value")


@dataclass(kw_only=True)
class Findings:
    """Errors, and warnings about what does not prevent serving."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def attempt(self, step: Callable[[], Value]) -> Value | None:
        """What ``step`` returns; None if it raises a CertificateError, whose problems are kept."""
        try:
            return step()
        except CertificateError as error:
            self.errors += error.problems
            return None
