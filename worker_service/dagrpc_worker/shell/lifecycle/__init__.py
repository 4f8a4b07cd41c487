"""How a worker starts, drains and ends."""
