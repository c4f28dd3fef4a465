"""Speed beside the bare servers: real servers, real load programs, side by side. ``python -m benchmarks --help``."""
