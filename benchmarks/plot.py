"""The plot: ours ÷ bare for each server, and how requests grow with connections; one SVG for light and dark pages."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.comparisons import CEILING
from benchmarks.results import Data, compared, values

#: Text and lines; on a dark page the style below turns it into its opposite.
_INK, _INK_ON_DARK = "#24292f", "#d8dee4"
#: Measures and colours that can be told apart on white and on black.
_BARS = (
    ("new", "new connections", "#3d8bd4"),
    ("resumed", "clients that resume", "#d98324"),
    ("kept-8", "kept-alive requests", "#2f9e6e"),
)
#: The same servers with another framework say the same; nginx is no bare server of ours.
_LEFT_OUT = (CEILING, "gunicorn-bottle", "uwsgi-bottle", "granian-bottle", "hypercorn-bottle")
_LINES = ("#3d8bd4", "#d98324", "#2f9e6e", "#b567c9", "#c2453f", "#8a8f98")
_CONNECTIONS = (1, 8, 64, 512)
#: An attribute holds all of an element's style: matplotlib writes no classes.
_STYLE = f"""<style>@media (prefers-color-scheme: dark) {{
[style*="fill: {_INK}"] {{ fill: {_INK_ON_DARK} !important; }}
[style*="stroke: {_INK}"] {{ stroke: {_INK_ON_DARK} !important; }}
}}</style>"""


def draw(data: Data) -> str:
    """The SVG; the same for the same data."""
    settings: Any = {  # matplotlib's type for it depends on its version
        "svg.fonttype": "none",
        "svg.hashsalt": "tlsrun",
        "font.family": "sans-serif",
        "font.size": 10,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(9, 9.5), layout="constrained")
        ratios, growth = figure.subplots(2, 1, height_ratios=(3, 2))
        _draw_ratios(ratios, data)
        _draw_growth(growth, data)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    head, tag, rest = out.getvalue().partition("<defs>")
    text = head + _STYLE + tag + rest
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _draw_ratios(axes: Axes, data: Data) -> None:
    rows = [
        (f"{comparison['title']}\n÷ {title}", name, other)
        for name, comparison in data["comparisons"].items()
        for other, title in enumerate(comparison["contenders"])
        if other and title in comparison["series"] and name not in _LEFT_OUT
    ]
    height = 0.8 / len(_BARS)
    for place, (measure, words, colour) in enumerate(_BARS):
        found = [(row, compared(data, name, measure, other)) for row, (_, name, other) in enumerate(rows)]
        shown = [(row + place * height, one) for row, one in found if one is not None]
        axes.barh(
            [where for where, _ in shown],
            [one.median for _, one in shown],
            height,
            color=colour,
            label=words,
            xerr=[[one.median - one.least for _, one in shown], [one.most - one.median for _, one in shown]],
            error_kw={"ecolor": _INK, "elinewidth": 0.8},
        )
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 4, 8, 16], ["0.5", "1", "2", "4", "8", "16"])
    axes.minorticks_off()
    axes.axvline(1, color=_INK, linewidth=1)
    axes.set_yticks([row + height for row in range(len(rows))], [words for words, _, _ in rows])
    axes.invert_yaxis()
    axes.set_title("tlsrun ÷ the bare server (1 is as quick; median, least and most of the rounds)")
    _finish(axes)


def _draw_growth(axes: Axes, data: Data) -> None:
    chosen = ("builtin-flask", "gunicorn", "uwsgi", "granian", "hypercorn")
    for colour, name in zip(_LINES, chosen, strict=False):
        comparison = data["comparisons"].get(name)
        for number, style in enumerate(("-", ":")) if comparison else ():
            points = [(connections, values(comparison, number, f"kept-{connections}")) for connections in _CONNECTIONS]
            shown = [(connections, sorted(found)[len(found) // 2]) for connections, found in points if found]
            if shown:
                title = comparison["contenders"][number]
                axes.plot(*zip(*shown, strict=True), style, color=colour, marker="o", markersize=4, label=title)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(_CONNECTIONS, [str(number) for number in _CONNECTIONS])
    axes.minorticks_off()
    axes.set_xlabel("connections at once")
    axes.set_title("Requests each second, Flask, by the number of connections")
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.grid(visible=True, axis="x", color="#8a8f98", alpha=0.4, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
