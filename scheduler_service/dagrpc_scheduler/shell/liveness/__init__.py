"""Which workers are alive: missed heartbeats, exits, timers, and tasks that no worker takes."""
