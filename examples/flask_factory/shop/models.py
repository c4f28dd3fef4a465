"""What the shop sells."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Article:
    """One thing on the shelf; the price is in cents."""

    name: str
    price: int


SHELF = (Article("Tea", 450), Article("Scones", 300))
