"""What is made of the values of several rounds: medians, ratios, spread. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number out of several rounds.

    Arguments:
        median: of the rounds.
        least, most: their extremes.
    """

    median: float
    least: float
    most: float


def figure(values: Sequence[float]) -> Figure:
    """The median of ``values`` and how far they spread.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no round was measured")
    return Figure(median=statistics.median(values), least=min(values), most=max(values))


def ratio(ours: Sequence[float], bare: Sequence[float]) -> Figure:
    """Ours ÷ bare, of the rounds that were measured right after each other; the median of those ratios.

    What the machine does besides changes from minute to minute, and touches both of one round alike.

    Raises:
        ValueError: the rounds do not pair.
    """
    if len(ours) != len(bare):
        raise ValueError(f"{len(ours)} rounds of the one, {len(bare)} of the other")
    return figure([mine / theirs for mine, theirs in zip(ours, bare, strict=True)])
