"""The documentation as a site: the Markdown as it is, so that a link that works in a checkout works on the site.

    pip install -e ".[docs]"
    sphinx-build -W --keep-going -b html -c docs/site . site

Sphinx's settings: https://www.sphinx-doc.org/en/master/usage/configuration.html
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from tlsrun import __version__

_ROOT = Path(__file__).resolve().parents[2]

project = "tlsrun"
version = release = __version__
root_doc = "docs/README"
# The sources are the whole project: pages link to README, to examples and to tests.
include_patterns = ["docs/**", "examples/**", "*.md"]
exclude_patterns = ["docs/site/**"]

extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"tlsrun {version}"
html_copy_source = False
html_show_sphinx = False

_CHAPTERS = {
    "Begin": ["README.md", "docs/tutorial.md"],
    "How to": ["docs/how-to/*.md"],
    "Explanation": ["docs/explanation/*.md"],
    "Reference": ["docs/reference/*.md"],
    "Findings": ["docs/reference/findings/*.md"],
    "Project": ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"],
    "Examples": ["examples/**/README.md"],
}


def _contents() -> str:
    """The tables of contents of all chapters, as MyST."""
    parts = []
    for caption, patterns in _CHAPTERS.items():
        lines = [f"/{name}" for pattern in patterns for name in sorted(_names(pattern))]
        parts.append("\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *lines, "```"]))
    return "\n\n".join(parts)


def _names(pattern: str) -> list[str]:
    return [str(path.relative_to(_ROOT).with_suffix("")) for path in _ROOT.glob(pattern)]


def _add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    if name == root_doc:
        source[0] += "\n\n" + _contents()


def setup(app: Sphinx) -> None:
    """Sphinx calls it."""
    app.connect("source-read", _add_contents)
