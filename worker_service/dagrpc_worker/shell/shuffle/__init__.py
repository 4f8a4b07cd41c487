"""The shuffles that a worker takes part in."""
