"""Which workers are alive: missed heartbeats, exits, timers, and work that no worker takes."""
