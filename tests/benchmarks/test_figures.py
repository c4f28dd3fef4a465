"""Medians and ratios of rounds."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figure, figure, ratio


def test_median_and_extremes() -> None:
    """One round that the machine spoiled does not move the median."""
    assert figure([10, 1, 11]) == Figure(median=10, least=1, most=11)


def test_ratio_is_of_neighbours() -> None:
    """Each round is divided by the one beside it: a machine that got slower in between changes nothing."""
    assert ratio([100, 50, 10], [50, 25, 5]) == Figure(median=2, least=2, most=2)


def test_rounds_that_do_not_pair() -> None:
    """A ratio of other rounds would be one of other conditions."""
    with pytest.raises(ValueError, match="2 rounds of the one, 1 of the other"):
        ratio([1, 2], [1])


def test_no_rounds() -> None:
    """Nothing measured is no figure."""
    with pytest.raises(ValueError, match="no round"):
        figure([])
