"""The data of a run, read back: which numbers there are of which comparison. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from benchmarks.figures import Figure, figure, ratio

Data: TypeAlias = Mapping[str, Any]


def values(comparison: Data, contender: int, measure: str) -> Sequence[float]:
    """The rounds of one measure; empty when it was not measured.

    Arguments:
        contender: 0 for ours, then those that stand beside it.
    """
    titles: Sequence[str] = comparison["contenders"]
    if contender >= len(titles):
        return ()
    found: Sequence[float] = comparison["series"].get(titles[contender], {}).get(measure, ())
    return found


def compared(data: Data, name: str, measure: str, other: int = 1) -> Figure | None:
    """Ours ÷ another one's; None when one of them was not measured, or had nothing to show.

    Arguments:
        other: which of the others, from 1.
    """
    comparison = data["comparisons"].get(name)
    if comparison is None:
        return None
    ours, theirs = values(comparison, 0, measure), values(comparison, other, measure)
    return ratio(ours, theirs) if ours and theirs and all(theirs) else None


def of_names(data: Data, number: int, measure: str) -> Sequence[float]:
    """The rounds of a measure with so many certificates; empty when it was not measured."""
    found: Sequence[float] = data.get("names", {}).get(str(number), {}).get(measure, ())
    return found


def memory_of_a_name(data: Data, least: int, most: int) -> Figure | None:
    """Bytes that one more certificate takes, between so many and so many of them."""
    few, many = of_names(data, least, "memory"), of_names(data, most, "memory")
    return figure([(many[0] - few[0]) / (most - least)]) if few and many else None


def rate_with_names(data: Data, least: int, most: int) -> Figure | None:
    """New connections with many certificates ÷ with few."""
    few, many = of_names(data, least, "new"), of_names(data, most, "new")
    return ratio(many, few) if few and many else None
