"""In which order files are tested side by side: the longest first, so that no worker is left with one at the end."""

from __future__ import annotations

from collections import Counter

import pytest


def longest_first(items: list[pytest.Item]) -> None:
    """Sort tests by their files, and leave those of a file as they stand.

    First the files with several soaks; then those with few tests, since these start servers and wait, and thousands of
    cases of a function take no time.

    Arguments:
        items: tests as collected; sorted in place.
    """
    sizes = Counter(map(_file, items))
    soaks = Counter(_file(item) for item in items if item.get_closest_marker("soak"))
    items.sort(key=lambda item: (soaks[_file(item)] < 2, sizes[_file(item)], _file(item)))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
