"""The shop's pages."""

from flask import Blueprint, url_for

from .models import SHELF

pages = Blueprint("pages", __name__)


@pages.get("/")
def shelf() -> dict[str, object]:
    """List the articles, with the address of this list."""
    return {
        "self": url_for("pages.shelf", _external=True),
        "articles": [{"name": article.name, "cents": article.price} for article in SHELF],
    }
