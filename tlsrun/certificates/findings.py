"""Problems found on the way, kept until all of them can be said at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tlsrun.errors import CertificateError, Problem

Value = TypeVar("Value")


@dataclass(kw_only=True)
class Findings:
    """What is wrong, and what is odd but serves."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def attempt(self, step: Callable[[], Value]) -> Value | None:
        """What ``step`` returns; None when it raises a CertificateError, whose problems are kept."""
        try:
            return step()
        except CertificateError as error:
            self.errors += error.problems
            return None
