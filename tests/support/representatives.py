"""Which cases of a matrix `.ci/run` takes; `pytest` from the root runs all of them.

A test with the mark ``representatives`` has many cases by its parameters. As many are kept as it takes for each value
of every parameter to come up once: 6 cases for 5 servers × 6 modes, not 30. The others get the mark ``full``. Which
values meet differs from test to test, so that tests of one kind try other pairs.

    @pytest.mark.representatives                    each value of every parameter, and of every fixture with parameters
    @pytest.mark.representatives("server")          each server; what else varies may be anything
    @pytest.mark.representatives("server, mode")    each pair of these
    @pytest.mark.representatives("")                any one: where servers vary, another in each test of a file
    @pytest.mark.representatives(shared="site")     of what the fixture ``site`` starts for a file, as many as it takes
                                                    for each value; of the tests that share these, all cases

Whole stays what guards safety: malformed requests, spoofing, client certificates, revocation, redirects, smuggling,
secrets; of exported fronts with one framework each. Of renewals, and of what must not be lost, each way stays and each
server, where the code is the same for all.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence

import pytest

#: What cases have in common that have it: a parameter's name and value, or several names and values.
Value = tuple[tuple[str, object], ...]
#: Multiples of it, without their whole part, lie far from each other, however many there are.
_GOLDEN = 0.6180339887


def covering(cases: Sequence[frozenset[Value]], *, first: int = 0) -> set[int]:
    """Positions of cases that together hold every value; few of them, and one at least.

    Arguments:
        cases: what each stands for.
        first: the position that is looked at first; of several that are equally good, the next one from there is kept.
    """
    order = [(first + number) % len(cases) for number in range(len(cases))]
    left = frozenset[Value]().union(*cases)
    kept: list[int] = []
    while left or not kept:
        kept.append(max(order, key=lambda number: len(cases[number] & left)))
        left -= cases[kept[-1]]
    return set(kept)


def values(parameters: Mapping[str, object], groups: Sequence[str] = ()) -> frozenset[Value]:
    """What a case stands for.

    Arguments:
        parameters: its parameters; of one that is a tuple of texts, each member counts by itself.
        groups: names of parameters, with commas between those that count together; those that the test has not are
            passed over. None: each parameter.
    """
    named = [[name.strip() for name in group.split(",")] for group in groups] or [[name] for name in parameters]
    found: list[Value] = []
    for names in named:
        if len(names) == 1 and names[0] in parameters:
            found += [(one,) for one in _members(names[0], parameters)]
        elif all(name in parameters for name in names):
            found.append(tuple(one for name in names for one in _members(name, parameters)))
    return frozenset(found)


def _members(name: str, parameters: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    value = parameters[name]
    for number, member in enumerate(value if isinstance(value, tuple) and _is_text(value) else (value,)):
        yield f"{name}.{number}", member if _is_text(member) else repr(member)


def _is_text(value: object) -> bool:
    """Whether it is text, or a tuple of such."""
    return isinstance(value, str) or (isinstance(value, tuple) and all(map(_is_text, value)))


def representatives(cases: Sequence[Mapping[str, object]], mark: pytest.Mark, *, turn: float, number: int) -> set[int]:
    """Positions of those that are kept of a test's cases.

    Arguments:
        cases: the parameters of each.
        mark: how they are chosen.
        turn: between 0 and 1, where to begin; the same for all tests of a file.
        number: of the test among those of its file.
    """
    shared = mark.kwargs.get("shared")
    if shared in cases[0]:
        started = sorted({repr(case[shared]): case[shared] for case in cases}.items())
        running = [values({shared: value}, mark.args) for _, value in started]
        chosen = {started[position][0] for position in covering(running, first=int(turn * len(running)))}
        return {position for position, case in enumerate(cases) if repr(case[shared]) in chosen}
    first = int((turn + number * _GOLDEN) % 1 * len(cases))
    return covering([values(case, mark.args) for case in cases], first=first)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the mark ``full`` to the cases that are no representatives, before ``-m`` chooses by marks."""
    matrices: dict[str, dict[str, list[pytest.Function]]] = {}
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and item.get_closest_marker("representatives")
            and hasattr(item, "callspec")
        ):
            file, _, test = item.nodeid.partition("[")[0].partition("::")
            matrices.setdefault(file, {}).setdefault(test, []).append(item)
    for file, tests in matrices.items():
        turn = zlib.crc32(file.rpartition("/")[2].encode()) / 2**32
        for number, cases in enumerate(tests.values()):
            mark = cases[0].get_closest_marker("representatives")
            assert mark is not None
            kept = representatives([case.callspec.params for case in cases], mark, turn=turn, number=number)
            for position, case in enumerate(cases):
                if position not in kept:
                    case.add_marker("full")
