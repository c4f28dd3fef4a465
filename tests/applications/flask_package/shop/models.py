"""Something to import."""

GREETING = ["hello"]
